"""override set and end: an operator's temporary change comes into overrides.yaml with its reason and end, and goes again."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bento_gitops.layers.marked import MarkedMap, Plain, parse, place_of, plain, pointer
from bento_gitops.layers.merging import ResolvedMap, leaves_of
from bento_gitops.layers.overriding import Assigned, assigned, entries, said_in, split_path
from bento_gitops.layers.reading import read
from bento_gitops.model.base import Duration, duration, length, moment, timestamp
from bento_gitops.model.files import Override, Overrides
from bento_gitops.model.layout import overrides_file
from bento_gitops.model.problem import InvalidInput, Place, Problem, Refused, did_you_mean
from bento_gitops.operations.deciding import Decision, Request, Several, objects_in, opened, stale_before, wrong_objects
from bento_gitops.operations.override_list import name_of
from bento_gitops.operations.render import Rendered, render_one
from bento_gitops.operations.situation import Situation
from bento_gitops.releasing.message import BY, PREFIX, REASON, TARGET, TRANSITION, message_of, one_line
from bento_gitops.repository.changes import Change, Proposal, change
from bento_gitops.repository.editing import edited, fresh
from bento_gitops.repository.files import OverlayTree, Tree, WorkingTree, contents
from bento_gitops.repository.fleet import Fleet, Target
from bento_gitops.reviewing.values import ValueChange, compared

SET, END = "override", "override-end"
UNTIL = f"{PREFIX}Until"
HEADER = "# Temporary, by operators: `override set`, `override end`; what it may say: schemas/v1/overrides.schema.json\n"
_UNFIT = re.compile(r"[^A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class Wish:
    """What `override set` is told."""

    assignments: tuple[str, ...]
    """PATH=VALUE, each."""
    length: str = ""
    """How long it is to count, like 8h; or `until`."""
    until: datetime | None = None
    owner: str = ""
    """Who is asked about it; without it who sets it."""


@dataclass(frozen=True, slots=True)
class _After:
    """A target whose overrides are others."""

    rendered: Rendered
    changes: tuple[Change, ...]
    """overrides.yaml, then values.yaml."""
    differences: tuple[ValueChange, ...]


def set_override(tree: Tree, request: Request, wish: Wish) -> Decision:
    """`override set`: one override more, in place of those that it hides for as long as they last.

    Raises InvalidInput with what is wrong with the wish or with what would come of it, Refused for an end that is too far off.
    """
    situation = opened(tree, request)
    target, file = situation.target, overrides_file(str(situation.target))
    if situation.release is None:
        todo = f"promote a bundle first: bento-gitops promote {target} TAG"
        raise Refused([Problem(Place(situation.file), SET, "nothing runs here yet", "", todo)])
    asked = assigned(wish.assignments)
    until = _end(situation, request.now, wish)
    known = _known(situation.fleet, target)
    # First as a what-if: what is wrong is told by the words of the command, not by lines of a file that nobody has seen.
    what_if = render_one(situation.fleet, target, (asked.fragment,))[1]
    replaced, notes = _beside(known, asked, until)
    written = _said_before(tree, file)
    kept = [one for index, one in enumerate(written, 1) if index not in replaced]
    reason, expires = one_line(request.reason), timestamp(until)
    entry = {"config": asked.said, "reason": reason, "owner": one_line(wish.owner or request.by), "expires": expires}
    after = _after(tree, situation.fleet, target, [*kept, entry], SET)
    paths = [pointer(path) for path, _, _ in said_in(asked.fragment)]
    says = f"for {duration(until - request.now)}, until {expires}: {', '.join(one_line(one) for one in wish.assignments)}"
    message = message_of(
        f"{target}: override {paths[0]}" + (f" and {len(paths) - 1} more" if len(paths) > 1 else ""),
        [f"{says[:1].upper()}{says[1:]}.", f"Why: {reason}"],
        {TRANSITION: SET, TARGET: str(target), UNTIL: expires, BY: one_line(request.by), REASON: reason},
    )
    release = situation.release
    return Decision(
        SET,
        target,
        says,
        release,
        release,
        Proposal(after.changes, message, contents(tree, [file])),
        notes=(*notes, *_hidden(after.differences), *_as_before(what_if, after.differences, wish), *_new(after, situation)),
        next=(f"bento-gitops override end {target} {_called(after, target, len(kept) + 1)}",),
        trees=(tree, _with(tree, after.changes)),
        branch=_branch(paths),
    )


def end_override(tree: Tree, root: Path, request: Request, which: str) -> Decision:
    """`override end ENV/APP INDEX|PATH`: one override less. A number is one of the files in `root`, where people counted.

    Raises Refused where it is not one that is meant.
    """
    situation = opened(tree, request)
    target, file = situation.target, overrides_file(str(situation.target))
    known = _known(situation.fleet, target)
    index = _meant(file, known, which, target)
    entry, fragment = known[index - 1]
    if which.isdecimal():
        _require_counted(WorkingTree(root), index, known, target)
    kept = [one for number, one in enumerate(_said_before(tree, file), 1) if number != index]
    after = _after(tree, situation.fleet, target, kept, END)
    says = f"override {index} is ended: {_words(fragment)}"
    message = message_of(
        f"{target}: end of override {_paths(fragment)[0]}",
        [f"{says[:1].upper()}{says[1:]}.", _about(entry), f"Why: {one_line(request.reason)}" if request.reason else ""],
        {TRANSITION: END, TARGET: str(target), BY: one_line(request.by), REASON: one_line(request.reason)},
    )
    release = situation.release
    return Decision(
        END,
        target,
        says,
        release,
        release,
        Proposal(after.changes, message, contents(tree, [file])),
        notes=(*_uncovered(after.differences), *_new(after, situation)),
        trees=(tree, _with(tree, after.changes)),
        branch=_branch(_paths(fragment)).replace(SET, END, 1),
    )


def end_ended(tree: Tree, request: Request) -> Decision:
    """`override end [T] --ended`: every override past its end goes, of ENV/APP, ENV or everything.

    Raises InvalidInput and Refused with the problems of all of them at once.
    """
    fleet = Fleet(tree)
    chosen = fleet.chosen(request.target or None)
    one = chosen[0] if "/" in request.target else Several(request.target)
    over: dict[Target, list[int]] = {}
    problems: list[Problem] = []
    for target in chosen:
        try:
            known = _known(fleet, target)
        except InvalidInput as error:
            problems += error.problems
            continue
        found = [index for index, (entry, _) in enumerate(known, 1) if moment(entry.expires) < request.now]
        if found:
            over[target] = found
    if problems:
        raise InvalidInput(problems)
    if not over:
        return Decision(END, one, "no override is past its end", None, None, None)
    afters, lines, notes = _all_without(tree, fleet, over)
    count = sum(map(len, over.values()))
    says = f"{_counted(count, 'override')} past {'its' if count == 1 else 'their'} end removed: {', '.join(map(str, over))}"
    message = message_of(
        f"{one}: end of {_counted(count, 'override')}",
        ["\n".join(lines), f"Why: {one_line(request.reason)}" if request.reason else "They are past their end."],
        {TRANSITION: END, TARGET: " ".join(map(str, over)), BY: one_line(request.by), REASON: one_line(request.reason)},
    )
    changes = [*(after.changes[0] for after in afters), *(after.changes[1] for after in afters)]
    # Whatever somebody does meanwhile to one of them, it is decided anew what is past its end: nothing of it is void.
    proposal = Proposal(tuple(changes), message, {})
    trees = (tree, _with(tree, changes))
    return Decision(END, one, says, None, None, proposal, notes=notes, trees=trees, branch="overrides-ended")


def _all_without(
    tree: Tree, fleet: Fleet, over: Mapping[Target, Sequence[int]]
) -> tuple[list[_After], list[str], tuple[str, ...]]:
    """Every target without the overrides of these numbers; a line for each that goes; what comes back into force."""
    afters: list[_After] = []
    lines: list[str] = []
    notes: list[str] = []
    wrong: list[Problem] = []
    forbidden: list[Problem] = []
    for target, numbers in over.items():
        known = _known(fleet, target)
        lines += [f"{target}: {_words(known[index - 1][1])}. {_about(known[index - 1][0])}" for index in numbers]
        written = _said_before(tree, overrides_file(str(target)))
        kept = [one for index, one in enumerate(written, 1) if index not in numbers]
        try:
            afters.append(_after(tree, fleet, target, kept, END))
        except InvalidInput as error:
            wrong += error.problems
        except Refused as error:
            forbidden += error.problems
        else:
            notes += [f"{target}: {note}" for note in _uncovered(afters[-1].differences)]
    if wrong:
        raise InvalidInput(wrong)
    if forbidden:
        raise Refused(forbidden)
    return afters, lines, tuple(notes)


def _end(situation: Situation, now: datetime, wish: Wish) -> datetime:
    """When the override ends. Raises InvalidInput for an end in the past, Refused for one that the environment forbids."""
    if wish.length:
        try:
            TypeAdapter(Duration).validate_python(wish.length)
        except ValidationError:
            wrong, todo = "is no length of time", "write hours, minutes and seconds, like 8h or 90m"
            raise InvalidInput([Problem(Place("--for"), "", wrong, f"'{wish.length}'", todo)]) from None
        until = now + length(wish.length)
    else:
        assert wish.until, "one of the two is said"
        until = wish.until
    if until <= now:
        said = f"--for {wish.length}" if wish.length else f"--until {timestamp(until)}"
        todo = f"name an end that is yet to come; it is {timestamp(now)}"
        raise InvalidInput([Problem(Place(said), "", "an override that has ended would never have counted", "", todo)])
    rules = situation.sources.saying("overrides")
    longest = rules.value.overrides.longest if rules.value.overrides else None
    if longest and until - now > length(longest):
        place = place_of(rules.tree, "overrides", "longest")
        latest = timestamp(now + length(longest))
        todo = f"end it by {latest}, or say it in config.yaml, where it is reviewed and stays"
        found = f"{duration(until - now)}, until {timestamp(until)}"
        wrong = f"an override lasts {longest} at most here"
        raise Refused([Problem(place, "overrides.longest", wrong, found, todo)])
    return until


def _known(fleet: Fleet, target: Target) -> list[tuple[Override, MarkedMap]]:
    """The overrides that there are, each with what it says. Raises InvalidInput."""
    found = fleet.file(overrides_file(str(target)), Overrides, needed=False)
    return list(entries(found)) if found else []


def _said_before(tree: Tree, file: str) -> list[Plain]:
    """The overrides as people wrote them, in whichever spelling."""
    said = plain(parse(tree.read(file), file)) if tree.exists(file) else {}
    assert isinstance(said, dict), "parse gives a mapping"
    written = said.get("overrides") or []
    assert isinstance(written, list), "the reader took it"
    return written


def _beside(known: Sequence[tuple[Override, MarkedMap]], asked: Assigned, until: datetime) -> tuple[set[int], list[str]]:
    """The numbers of the overrides that the new one takes the place of, and a note for each that it hides.

    One that lasts longer than the new one counts again when that is removed, so it stays.
    """
    new = {path for path, _, _ in said_in(asked.fragment)}
    replaced: set[int] = set()
    notes: list[str] = []
    for index, (entry, fragment) in enumerate(known, 1):
        old = {path for path, _, _ in said_in(fragment)}
        if not old & new:
            continue
        words = f"override {index} ({_words(fragment)}; {entry.owner}, until {entry.expires}: {one_line(entry.reason)})"
        if old <= new and moment(entry.expires) <= until:
            replaced.add(index)
            notes.append(f"replaces {words}")
        else:
            what = "hides" if old <= new else f"hides {', '.join(pointer(path) for path in sorted(old & new))} of"
            notes.append(f"{what} {words}, which stays and counts again when this one is removed")
    return replaced, notes


def _after(tree: Tree, fleet: Fleet, target: Target, said: Sequence[Any], transition: str) -> _After:
    """The target with these overrides.

    Raises InvalidInput where it cannot be so, Refused where values.yaml is stale before: that would hide in the change.
    """
    if stale := stale_before(fleet, target, transition):
        raise Refused([stale])
    file = overrides_file(str(target))
    text = _text(tree, file, said)
    overlay = OverlayTree(tree, {file: text})
    values = render_one(fleet, target)[1]
    rendered, changed = render_one(fleet.over({file: text}), target)
    problems = wrong_objects(rendered, objects_in(overlay, rendered)) if rendered.changed else []
    if problems:
        raise InvalidInput(problems)
    changes = (change(tree, file, text), change(tree, target.values, rendered.text.encode()))
    return _After(rendered, changes, compared(values, changed))


def _text(tree: Tree, file: str, said: Sequence[Any]) -> bytes | None:
    """The file with these overrides; None: there is none left, and no file."""
    if not said:
        return None
    if tree.exists(file):
        before = tree.read(file).decode()
        there = plain(parse(before, file))
        assert isinstance(there, dict), "parse gives a mapping"
        text = edited(before, {**there, "overrides": list(said)}, file)
    else:
        text = fresh({"apiVersion": "bento-gitops/v1", "kind": "Overrides", "overrides": list(said)}, HEADER)
    read(text, file, Overrides)  # the rules of the file are the last to say what it may say
    return text.encode()


def _meant(file: str, known: Sequence[tuple[Override, MarkedMap]], which: str, target: Target) -> int:
    """The number of the one override that is meant by a number or by a path that it says."""
    if not known:
        todo = f"look where there are some: bento-gitops override list {target.environment}"
        raise Refused([Problem(Place(file), END, "there is no override here", "", todo)])
    if which.isdecimal():
        if 1 <= int(which) <= len(known):
            return int(which)
        todo = f"there are {len(known)}: bento-gitops override list {target}"
        raise Refused([Problem(Place(file), END, "there is no such override", which, todo)])
    wanted = tuple(split_path(which))
    found = [
        index
        for index, (_, fragment) in enumerate(known, 1)
        if any(path[: len(wanted)] == wanted for path, _, _ in said_in(fragment))
    ]
    if not found:
        todo = did_you_mean(which, [path for _, fragment in known for path in _paths(fragment)])
        raise Refused([Problem(Place(file), END, "no override says this", f"'{which}'", todo)])
    if len(found) > 1:
        todo = f"name one by its number: bento-gitops override end {target} {found[-1]}"
        raise Refused([Problem(Place(file), END, f"overrides {' and '.join(map(str, found))} say this", f"'{which}'", todo)])
    return found[0]


def _require_counted(here: Tree, index: int, known: Sequence[tuple[Override, MarkedMap]], target: Target) -> None:
    """Raises Refused where the number stands for another override in the files in which somebody counted: in the tree that is
    decided on, others may have come and gone since."""
    seen = _known(Fleet(here), target)
    entry, fragment = known[index - 1]
    counted = seen[index - 1] if index <= len(seen) else None
    if counted is not None and counted[0] == entry:
        return
    found = f"{_words(counted[1]) if counted else 'none'} in your files, {_words(fragment)} there"
    todo = f"name it by a path that it says, or look again: git pull && bento-gitops override list {target}"
    wrong = f"override {index} of your files is another one where this is decided"
    raise Refused([Problem(Place(overrides_file(str(target))), END, wrong, found, todo)])


def _called(after: _After, target: Target, number: int) -> str:
    """What a command calls an override of a target that comes to be."""
    text = after.changes[0].after
    assert text, "it has the one that was set"
    found = read(text, overrides_file(str(target)), Overrides)
    return shlex.quote(name_of([fragment for _, fragment in entries(found)], number))


def _hidden(differences: Sequence[ValueChange]) -> Iterator[str]:
    for one in differences:
        now = "nothing" if one.after is None else _value(one.after.value)
        was = f"{_value(one.before.value)} ({one.before.layer}, {one.before.place})" if one.before else _DEFAULT
        yield f"{one.path}{_on(one)}: {now} hides {was}"


def _uncovered(differences: Sequence[ValueChange]) -> Iterator[str]:
    for one in differences:
        was = "nothing" if one.before is None else _value(one.before.value)
        now = f"{_value(one.after.value)} ({one.after.layer}, {one.after.place})" if one.after else _DEFAULT
        yield f"{one.path}{_on(one)}: {was} gives way to {now}"


def _on(one: ValueChange) -> str:
    return f" on {' and '.join(one.tracks)}" if one.component and one.tracks else ""


def _as_before(what_if: ResolvedMap, differences: Sequence[ValueChange], wish: Wish) -> Iterator[str]:
    """A line where the override says what is so already."""
    said = any(leaf.said and leaf.said[0].place.file in wish.assignments for _, leaf in leaves_of(what_if))
    if said and not differences:
        yield "nothing changes by it now: all of this is so already"
    elif not said:
        yield "nothing changes by it now: no track runs what it is about"


def _new(after: _After, situation: Situation) -> Iterator[str]:
    """What rendering notes that it did not note before; a line moves when an override above it comes or goes."""
    known = {_placeless(note) for note in render_one(situation.fleet, situation.target)[0].notes}
    yield from (note for note in after.rendered.notes if _placeless(note) not in known)


def _placeless(note: str) -> str:
    return re.sub(r":[0-9]+: ", ": ", note)


def _with(tree: Tree, changes: Sequence[Change]) -> OverlayTree:
    return OverlayTree(tree, {one.path: one.after for one in changes})


def _paths(fragment: MarkedMap) -> list[str]:
    return [pointer(path) for path, _, _ in said_in(fragment)]


def _words(fragment: MarkedMap) -> str:
    return ", ".join(f"{pointer(path)}={_value(value)}" for path, value, _ in said_in(fragment))


_DEFAULT = "what the chart and BentoML decide"
"""Of what no layer says."""


def _value(value: Plain) -> str:
    """As YAML spells it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _about(entry: Override) -> str:
    return f"It was for: {one_line(entry.reason)} ({one_line(entry.owner)}, until {entry.expires})."


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _branch(paths: Sequence[str]) -> str:
    """The same for the same settings, whatever their values: a second thought takes the place of the first."""
    mark = hashlib.sha256("\n".join(sorted(paths)).encode()).hexdigest()[:8]
    word = _UNFIT.sub("-", paths[0].rpartition("services.")[2])[-60:].strip("-")
    return f"{SET}-{word}-{mark}"
