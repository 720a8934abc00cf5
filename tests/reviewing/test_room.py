"""A body fits whatever it is about: detail goes first, whole rows at a time, and the answer stays."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from bento_gitops.model.gate import Gate
from bento_gitops.model.problem import Place
from bento_gitops.reviewing.body import CAP, MARKER, body
from bento_gitops.reviewing.restarts import Restart, Scaling
from bento_gitops.reviewing.review import (
    ApplicationReview,
    BundleFact,
    Cost,
    FieldReview,
    FileReview,
    NewTrack,
    ObjectReview,
    Review,
    Unpriced,
)
from bento_gitops.reviewing.risks import Risk
from bento_gitops.reviewing.running import Money, Pods, RunningComponent, RunningTrack
from bento_gitops.reviewing.undo import MERGE, Step, Undo
from bento_gitops.reviewing.values import Stated, ValueChange
from hypothesis import given, settings
from hypothesis import strategies as st

LONG = "x|`<!-- @all ```" * 40


def track(name: str, components: int) -> RunningTrack:
    found = {
        f"Component{number}": RunningComponent(f"Component{number}", "runner", Pods(1, 9), "cpu.small", 0.1, "1", "1Gi", "2Gi", 0)
        for number in range(components)
    }
    return RunningTrack(name, "stable", "1.0.0", 100, "full", found)


def change(number: int, value: str) -> ValueChange:
    place = Place(f"environments/prod/app/{'c' * 80}.yaml", number)
    before, after = Stated(value, "environment", place, value), Stated([value, value], "runtime", place, value)
    return ValueChange(f"services.{value[:60]}.envs.V{number}", f"Component{number}", ("blue", "green"), before, after)


def application(name: str, size: int, value: str) -> ApplicationReview:
    changes = tuple(change(number, value) for number in range(size))
    objects = tuple(
        ObjectReview(
            "changed", "Deployment", f"{name}-{number}", "blue", "C", (FieldReview(f"spec.{number}", value, value * 2, value),)
        )
        for number in range(size)
    )
    objects += tuple(ObjectReview("added", "Service", f"{name}-{number}", "blue", "C") for number in range(size))
    new = NewTrack(
        track("green", size), "blue", changes, tuple(BundleFact(f"fact {n}", value, value) for n in range(size)), "f", "p:1"
    )
    return ApplicationReview(
        environment="prod",
        application=name,
        change="changed",
        says=(f"{name}: {value}", value),
        tracks_before=(track("blue", size),),
        tracks_after=(track("blue", size), track("green", size)),
        values=changes,
        new_tracks=(new,),
        objects=objects,
        restarts=tuple(Restart("restart", "blue", f"C{number}", 100, Pods(1, 9), (value,)) for number in range(size)),
        scalings=tuple(Scaling("blue", f"C{number}", Pods(1, 9), Pods(2, 8)) for number in range(size)),
        risks=tuple(
            Risk("high" if number % 2 else "medium", "pod restart", f"{number} {value}", value) for number in range(size)
        ),
        cost=Cost(
            Money(1, 2),
            Money(3, 4),
            Pods(0, 0),
            Pods(1, 1),
            tuple(Unpriced(f"blue C{number}", Pods(1, 1), Pods(2, 9)) for number in range(size)),
        ),
        undo=(Undo((Step((f"bento-gitops rollback prod/{name} --push", *[value] * size), value), Step((MERGE,), value))),) * 2,
        notes=tuple(f"{number} {value}" for number in range(size)),
    )


def review(applications: int, size: int, value: str = LONG) -> Review:
    return Review(
        base="main",
        applications=tuple(application(f"app{number}", size, value) for number in range(applications)),
        files=tuple(FileReview(f"environments/{number}.yaml", value, number % 2 == 0) for number in range(size)),
        currency="EUR",
        notes=tuple(value for _ in range(size)),
        risks=tuple(Risk("high", "touches many", value) for _ in range(3)),
    )


def whole(text: str) -> None:
    """Nothing is cut in the middle."""
    assert text.startswith(f"{MARKER}\n")
    assert text.endswith("\n")
    assert text.count("<details>") == text.count("</details>") == text.count("<summary>") == text.count("</summary>")
    width = 0
    for line in text.splitlines():
        if line.startswith("|"):
            pipes = len(re.findall(r"(?<!\\)(?:\\\\)*\|", line))
            width = width or pipes
            assert pipes == width, line
            assert line.endswith("|")
        else:
            width = 0
    assert text.count(MARKER) == 1, "no text of a file passes for the marker"
    fences = [line for line in text.splitlines() if "```" in line.replace("\\`\\`\\`", "")]
    assert fences == ["```sh", "```"] * (len(fences) // 2), "blocks of commands begin and end, and nothing else does"


@pytest.mark.parametrize(("applications", "size"), [(1, 3), (1, 400), (3, 60), (60, 10), (400, 4), (2000, 1), (60, 40)])
def test_a_body_is_below_the_cap_and_whole(applications: int, size: int) -> None:
    gates = [Gate(f"gate {number}", "failed", LONG, LONG) for number in range(80)]
    found = body(
        review(applications, size), title=LONG * 10, gates=gates, reason=LONG * 100, by=LONG * 10, next_steps=[LONG * 10] * 50
    )
    assert len(found.encode()) <= CAP
    whole(found)
    assert "Risk **high**" in found
    assert "prod" in found


@settings(max_examples=25)
@given(st.integers(0, 12), st.integers(0, 12), st.text(max_size=200))
def test_any_text_in_any_place_leaves_a_body_whole(applications: int, size: int, value: str) -> None:
    found = body(review(applications, size, value), title=value, reason=value, by=value, next_steps=[value])
    assert len(found.encode()) <= CAP
    whole(found)


def test_what_is_left_out_is_counted_and_the_command_that_shows_it_is_named() -> None:
    found = body(review(1, 400))
    assert "left out; `bento-gitops diff prod/app0 --base main --full` shows all" in found
    many = body(review(400, 4))
    assert re.search(r"\d+ more applications \(.*\) left out; `bento-gitops diff --base main --full` shows all", many)


def test_full_leaves_nothing_out() -> None:
    found = body(review(1, 400), full=True)
    assert len(found.encode()) > CAP
    assert "left out" not in found
    whole(found)


def test_the_riskiest_applications_stay_longest() -> None:
    calm = [replace(application(f"calm{number}", 6, LONG), risks=()) for number in range(300)]
    risky = replace(application("risky", 6, LONG), risks=(Risk("high", "access", "opens"),))
    found = body(replace(review(0, 0), applications=(*calm, risky)))
    rows = [line for line in found.splitlines() if line.startswith("| prod |")]
    assert rows[0].startswith("| prod | risky |")


def test_applications_to_which_the_same_happens_are_told_once() -> None:
    same = tuple(application(f"app{number}", 2, "v") for number in range(30))
    same = tuple(replace(one, objects=()) for one in same)
    found = body(replace(review(0, 0), applications=same))
    assert found.count("**How to undo it**") == 1
    assert "and 29 more" in found


def test_nothing_that_changes_is_said_in_one_line() -> None:
    found = body(Review("main", ()))
    assert found == f"{MARKER}\n\n## What this changes\n\n**No object of any application changes** (compared with `main`).\n"
