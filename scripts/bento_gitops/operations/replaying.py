"""`replay`: sends recorded requests to two tracks at a bounded rate, and compares what they answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bento_gitops.model.base import duration
from bento_gitops.model.problem import InvalidInput, Place, Problem, Refused
from bento_gitops.observing.answers import Answered, Asked
from bento_gitops.observing.replay import Comparison, Pair, Recorded, recorded
from bento_gitops.observing.verification import Stable, against, names_a_bento
from bento_gitops.operations.deciding import Request, opened
from bento_gitops.operations.reaching import Reached, WrongOptions
from bento_gitops.operations.verifying import TRACK_HEADER, Ways, chosen, metrics_of, reached, stable_of
from bento_gitops.repository.files import Tree
from bento_gitops.tools import http

RATE = 5.0
FASTEST = 50.0
LONGEST = 600.0
"""Seconds."""
_AT_A_TIME = 250
"""Pairs whose answers are in memory at once."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How many requests a second each track gets, and for how long; without a time each request is sent once."""

    rate: float = RATE
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it."""

    target: str
    track: str
    stable: str
    requests: int
    """In the file."""
    compared: Comparison
    notes: tuple[str, ...] = ()
    """What is to be known of it."""


def requests_in(file: Path) -> list[Recorded]:
    """The recorded requests. Raises InvalidInput with every line that is wrong."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InvalidInput([Problem(Place(str(file)), "", f"cannot be read: {error.strerror}", "", "name a file")]) from None
    return recorded(data, str(file))


def number_of(requests: int, pace: Pace) -> int:
    """How many requests each track gets. Raises WrongOptions for more than is right to send."""
    if not 0 < pace.rate <= FASTEST:
        wrong = f"a replay sends up to {FASTEST:g} requests a second, and more than none"
        raise WrongOptions([Problem(Place("--rate"), "", wrong, f"{pace.rate:g}", "a load test is another thing")])
    if pace.seconds is not None and not 0 < pace.seconds <= LONGEST:
        wrong = f"a replay lasts {LONGEST / 60:.0f}m at most, and more than no time"
        raise WrongOptions([Problem(Place("--for"), "", wrong, duration(timedelta(seconds=pace.seconds)), "say 90s or 5m")])
    number = requests if pace.seconds is None else max(1, math.floor(pace.seconds * pace.rate))
    if number / pace.rate > LONGEST:
        wrong = f"{requests} requests at {pace.rate:g} a second take more than {LONGEST:.0f} s"
        raise WrongOptions([Problem(Place("--rate"), "", wrong, "", "say a higher --rate, or how long: --for 10m")])
    return number


def replay(
    tree: Tree,
    request: Request,
    requests: Sequence[Recorded],
    track: str | None,
    ways: Ways,
    pace: Pace,
    compared: Comparison,
    progress: Callable[[int, int], None],
) -> Replayed:
    """Sends the requests to a track and to the stable one, in turns, and adds what came of them to the comparison.

    `progress` is told how many each track has got, and of how many.

    Raises Refused where there are no two tracks, else as `verify` does.
    """
    number = number_of(len(requests), pace)
    situation = opened(tree, request)
    release, name = chosen(situation, track)
    if name == release.stable:
        todo = "promote a candidate, or name another track: --track"
        raise Refused([Problem(Place(situation.file), "replay", f"{name} is the stable track itself", "", todo)])
    if ways.urls and not ways.stable_urls:
        raise WrongOptions([Problem(Place("--stable-url"), "", "is missing", "", "say where the stable track answers")])
    bundle = situation.bundle(release.tracks[name].bundle)
    entry = bundle.entry
    candidate = Stable(name, bundle.tag, bundle.bento, entry)
    beside = stable_of(situation, release)
    place = Place(situation.file)
    with reached(situation, release, name, ways, runners=False) as (own, stable):
        here = own[entry].addresses if entry in own else ()
        there = stable.addresses if stable else ()
        if not here or not there:
            missing = name if not here else release.stable
            raise Refused(
                [Problem(Place(situation.file), "replay", f"{missing} has no running pod", "", "wait until it is ready")]
            )
        ways_there = ((candidate, own[entry]), (beside, stable))
        notes = tuple(note for track, ways in ways_there if ways for note in _require_bundle(track, ways, place))
        for begin in range(0, number, _AT_A_TIME):
            part = [requests[place % len(requests)] for place in range(begin, min(begin + _AT_A_TIME, number))]
            pairs = _sent(part, (name, here), (release.stable, there), pace.rate, ways.keys)
            _require_tracks([(candidate, [pair.own for pair in pairs]), (beside, [pair.stable for pair in pairs])], place)
            compared.add(pairs)
            progress(begin + len(part), number)
    return Replayed(str(situation.target), name, release.stable, len(requests), compared, notes)


def _require_bundle(track: Stable, ways: Reached, place: Place) -> list[str]:
    """What cannot be told of a track. Raises Refused where another Bento is at its addresses, before anything is sent."""
    metrics = metrics_of(ways, track.track)
    _refuse(track, against(metrics, track.bento, metrics, track.track, track.bundle), place)
    if names_a_bento(metrics):
        return []
    troubles = "; ".join(dict.fromkeys(one.trouble or f"/metrics answers {one.status}" for one in metrics))
    return [f"nobody knows whether {track.track} is bundle {track.bundle}: its metrics name no Bento ({troubles})"]


def _require_tracks(answers: Sequence[tuple[Stable, Sequence[Answered]]], place: Place) -> None:
    """Raises Refused where a router says that the answers are of another track or bundle."""
    for track, found in answers:
        _refuse(track, against((), track.bento, found, track.track, track.bundle), place)


def _refuse(track: Stable, told: Sequence[str], place: Place) -> None:
    if told:
        wrong = f"what answers as {track.track} is not its bundle {track.bundle}"
        raise Refused([Problem(place, "replay", wrong, "; ".join(told), "are the addresses swapped? nothing is compared")])


def _sent(
    part: Sequence[Recorded],
    own: tuple[str, Sequence[str]],
    stable: tuple[str, Sequence[str]],
    rate: float,
    keys: Mapping[str, str],
) -> list[Pair]:
    """The pairs, sent in turns: now the one track is asked first, now the other, so that neither always meets warm caches."""
    asked: list[Asked] = []
    for place, one in enumerate(part):
        for track, addresses in (own, stable) if place % 2 == 0 else (stable, own):
            address = addresses[place % len(addresses)]
            asked.append(Asked.of(one.method, address, one.path, one.body, {TRACK_HEADER: track, **keys}))
    answers = {found.asked: found for found in http.load(asked, rate=2 * rate, keep_bodies=True)}
    return [
        Pair(one, *((first, second) if place % 2 == 0 else (second, first)))
        for place, one in enumerate(part)
        for first, second in [(answers[2 * place], answers[2 * place + 1])]
    ]
