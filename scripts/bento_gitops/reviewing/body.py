"""The text of a pull request: what changes, why and from which file, what can go wrong, what it costs, how to undo it.

The most important comes first, and what a host would cut off never gets there: detail is left out step by step until the text
fits, whole rows and sections at a time, and each place says how much was left out and which command shows it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bento_gitops.layers.marked import Plain
from bento_gitops.model.gate import Gate
from bento_gitops.reviewing.behind import said_at
from bento_gitops.reviewing.markdown import LONGEST, code, details, prose, table
from bento_gitops.reviewing.review import ApplicationReview, Cost, FieldReview, FileReview, NewTrack, ObjectReview, Review
from bento_gitops.reviewing.risks import LEVELS, Risk
from bento_gitops.reviewing.running import Money, RunningTrack
from bento_gitops.reviewing.values import Stated, ValueChange

MARKER = "<!-- bento-gitops:diff -->"
"""The first line, by which a workflow finds its own comment again."""
CAP = 64_000
"""Bytes of UTF-8; GitHub takes 65,536 characters."""


@dataclass(frozen=True, slots=True)
class Room:
    """How much detail there is room for."""

    applications: int = 50
    """Groups of applications that are told in full."""
    rows: int = 100
    """Applications in the table."""
    values: int = 40
    """Settings of one group."""
    objects: int = 60
    """Rows of objects of one group."""
    risks: int = 30
    longest: int = LONGEST
    """Characters of one value."""
    scale: float = 1
    """Of every other bound, of characters and of names in a row."""


_STEPS = (
    Room(),
    Room(objects=20),
    Room(objects=8, values=20),
    Room(objects=0, values=20),
    Room(applications=20, objects=0, values=12, risks=12),
    Room(applications=8, objects=0, values=12, risks=12, longest=100),
    Room(applications=4, rows=100, objects=0, values=8, risks=8, longest=80),
    Room(applications=1, rows=60, objects=0, values=5, risks=5, longest=60),
    Room(applications=0, rows=40, objects=0, values=0, risks=5, longest=60, scale=0.6),
    Room(applications=0, rows=15, objects=0, values=0, risks=3, longest=40, scale=0.3),
)
"""From everything that somebody reads to the least that is still an answer."""
_EVERYTHING = Room(*[1_000_000] * 7)


def body(
    review: Review,
    *,
    title: str = "What this changes",
    gates: Sequence[Gate] = (),
    reason: str = "",
    by: str = "",
    next_steps: Sequence[str] = (),
    full: bool = False,
) -> str:
    """The Markdown of a pull request, below `CAP`; with `full`, everything, however long.

    What is given as text may hold anything; `next_steps` are commands or sentences.
    """
    groups = _groups(review.applications)
    if full:
        return _Writer(review, groups, _EVERYTHING).text(title, gates, reason, by, next_steps)
    for room in _STEPS:
        text = _Writer(review, groups, room).text(title, gates, reason, by, next_steps)
        if len(text.encode()) <= CAP:
            return text
    raise AssertionError("the least that is written has bounds for each of its parts")


@dataclass(frozen=True, slots=True)
class _Writer:
    review: Review
    groups: Sequence[Sequence[ApplicationReview]]
    room: Room

    def code(self, value: str, longest: int = LONGEST) -> str:
        return code(value, int(longest * self.room.scale))

    def prose(self, value: str, longest: int = 2000) -> str:
        return prose(value, int(longest * self.room.scale))

    def most(self, number: int) -> int:
        """How many of a list that nothing else bounds."""
        return max(1, int(number * self.room.scale))

    def some(self, words: Sequence[str], number: int) -> str:
        """The first of many, in a row, and how many more there are."""
        shown = words[: self.most(number)]
        more = len(words) - len(shown)
        return ", ".join(shown) + (f" and {more} more" if more else "")

    def notes(self, notes: Sequence[str]) -> str:
        """One line each."""
        shown = [f"> {self.prose(note, 500)}" for note in notes[: self.most(10)]]
        more = len(notes) - len(shown)
        return "\n>\n".join([*shown, *([f"> *{more} more notes left out.*"] if more else [])])

    def text(self, title: str, gates: Sequence[Gate], reason: str, by: str, next_steps: Sequence[str]) -> str:
        review = self.review
        parts = [MARKER, f"## {self.prose(title, 200)}", self.summary()]
        if reason or by:
            words = [f"**Why:** {self.prose(reason, 1000)}" if reason else "", f"**By:** {self.prose(by, 200)}" if by else ""]
            parts.append("  \n".join(filter(None, words)))
        if review.applications:
            parts.append(self.overview())
        if review.chart_files:
            parts.append(
                f"**Files of the chart that change:** {self.some([self.code(path, 200) for path in review.chart_files], 12)}"
            )
        if review.risks:
            parts.append("**Risk of the whole**\n\n" + "\n".join(self.risk(risk) for risk in review.risks))
        if gates:
            parts.append(self.gates(gates))
        groups = self.groups
        told = groups[: self.room.applications]
        folded = len(told) > 3
        parts += [self.application(group, folded=folded) for group in told]
        if len(groups) > len(told):
            count = sum(len(group) for group in groups[len(told) :])
            parts.append(self.left_out(count, "applications", "they stand in the table alone"))
        mattering = [found for found in review.files if found.matters]
        if mattering:
            parts.append("### Rules that no object shows\n\n" + self.files(mattering))
        if len(mattering) < len(review.files):
            others = [found for found in review.files if not found.matters]
            parts.append(details(f"Files without an effect on any object: {len(others)}", self.files(others)))
        parts.append(self.notes(review.notes))
        if next_steps:
            steps = [f"- {self.step(step)}" for step in next_steps[: self.most(10)]]
            more = len(next_steps) - len(steps)
            parts.append("### Next\n\n" + "\n".join([*steps, *([f"- *and {more} more steps*"] if more else [])]))
        return "\n\n".join(filter(None, parts)) + "\n"

    def summary(self) -> str:
        """The one sentence."""
        review = self.review
        compared = f"compared with {self.code(review.base)}"
        if not review.applications:
            return f"**No object of any application changes** ({compared})."
        cost = f"cost {difference(review.cost, review.currency)}"
        if len(review.applications) == 1:
            (one,) = review.applications
            return f"**{self.prose(one.target)}: {self.prose(one.headline, 600)}.** Risk **{one.risk}**; {cost}; {compared}."
        environments = sorted({one.environment for one in review.applications})
        levels = Counter(one.risk for one in review.applications)
        shown = ", ".join(f"{levels[level]} {level}" for level in reversed(LEVELS) if levels[level])
        count = len(review.applications)
        named = self.some([self.prose(name) for name in environments], 10)
        what = self.prose(_mostly(review.applications), 600)
        say = f"**{count} applications change, in {named}: {what}.**"
        return f"{say} Risk **{review.risk}** ({shown}); {cost}; {compared}."

    def overview(self) -> str:
        ordered = sorted(self.review.applications, key=lambda one: -LEVELS.index(one.risk))
        rows = [
            [
                self.prose(one.environment, 63),
                self.prose(one.application, 63),
                self.prose(one.headline, 2 * self.room.longest),
                _bold_if_high(one.risk),
                amount(one.cost),
            ]
            for one in ordered[: self.room.rows]
        ]
        heading = f"cost a month, {self.review.currency or 'no prices'} (fewest / most pods)"
        text = table(["environment", "application", "what", "risk", heading], rows, right=[heading])
        if len(ordered) > self.room.rows:
            rest = Counter(one.risk for one in ordered[self.room.rows :])
            shown = ", ".join(f"{rest[level]} {level}" for level in reversed(LEVELS) if rest[level])
            text += "\n\n" + self.left_out(len(ordered) - self.room.rows, "applications", f"risk: {shown}")
        return text

    def application(self, group: Sequence[ApplicationReview], *, folded: bool) -> str:
        """One application, and those to which the same happens."""
        one, *others = group
        parts: list[str] = []
        if others:
            parts.append(f"The same happens to {self.some([self.prose(other.target) for other in others], 20)}.")
        parts.append(self.notes(one.notes))
        parts += [self.values(one), *(self.new_track(one, track) for track in one.new_tracks), self.tracks(one)]
        parts += [self.risks(one), self.restarts(one), self.cost(one), self.undo(one), self.objects(one)]
        inner = "\n\n".join(filter(None, parts))
        heading = f"{one.target}{f' and {len(others)} more' if others else ''}"
        if folded:
            return details(f"{heading}: risk {one.risk}", inner)
        return f"### {self.prose(heading)}\n\n{inner}"

    def values(self, one: ApplicationReview) -> str:
        rows = [
            [self.value_name(change), self.stated(change.before), self.stated(change.after), self.source(change)]
            for change in one.values[: self.room.values]
        ]
        if not rows:
            return self.left_out(len(one.values), "settings", "", one) if one.values else ""
        text = "**What changes**\n\n" + table(["setting", "before", "after", "from"], rows)
        left = len(one.values) - len(rows)
        return text + ("\n\n" + self.left_out(left, "settings", "", one) if left else "")

    def value_name(self, change: ValueChange) -> str:
        tracks = f" on {', '.join(map(self.prose, change.tracks))}" if change.component and change.tracks else ""
        return self.code(change.path, 200) + tracks

    def stated(self, stated: Stated | None) -> str:
        return "*not said*" if stated is None else self.code(_word(stated.value), self.room.longest)

    def new_track(self, one: ApplicationReview, new: NewTrack) -> str:
        against = next((track for track in one.tracks_before if track.name == new.against), None)
        of = f" ({self.code(new.place, 200)})" + (
            f", beside {self.prose(new.against)} ({self.prose(against.bundle)})" if against else ""
        )
        rows = [
            [
                self.prose(fact.what),
                self.code(fact.before, 200) if fact.before else "-",
                self.code(fact.after, 200) if fact.after else "-",
                self.code(new.file, 200),
            ]
            for fact in new.bundle
        ]
        rows += [
            [self.code(change.path, 200), self.stated(change.before), self.stated(change.after), self.source(change)]
            for change in new.differences
        ]
        shown = rows[: max(self.room.values, 3)]
        text = f"**New: track {self.prose(new.track.name)} ({self.prose(new.track.bundle)})**{of}\n\n"
        text += (
            table(["what", self.prose(new.against) or "before", self.prose(new.track.name), "from"], shown)
            if shown
            else "It runs the same bundle with the same settings."
        )
        left = len(rows) - len(shown)
        return text + ("\n\n" + self.left_out(left, "differences", "", one) if left else "")

    def tracks(self, one: ApplicationReview) -> str:
        """Each track before and after, where it is not the same."""
        before, after = ({track.name: track for track in side} for side in (one.tracks_before, one.tracks_after))
        names = [*before, *(name for name in after if name not in before)]
        if all(self.part(before.get(name)) == self.part(after.get(name)) for name in names):
            return ""
        shown = names[: self.most(20)]
        rows = [[self.prose(name), self.part(before.get(name)), self.part(after.get(name))] for name in shown]
        left = len(names) - len(shown)
        return (
            "**Tracks**\n\n" + table(["track", "before", "after"], rows) + (f"\n\n*{left} more tracks left out.*" if left else "")
        )

    def risks(self, one: ApplicationReview) -> str:
        if not one.risks:
            return "**Risk: low.** Nothing restarts, no request goes elsewhere, nothing opens."
        lines = [self.risk(risk) for risk in one.risks[: self.room.risks]]
        left = len(one.risks) - len(lines)
        if left:
            lines.append("- " + self.left_out(left, "risks", f"none above {one.risks[len(lines)].level}", one))
        return f"**Risk: {one.risk}**\n\n" + "\n".join(lines)

    def risk(self, risk: Risk) -> str:
        where = f" ({self.code(risk.where, 200)})" if risk.where else ""
        return f"- {_bold_if_high(risk.level)}, {risk.kind}: {self.prose(risk.reason, 3 * self.room.longest)}{where}"

    def restarts(self, one: ApplicationReview) -> str:
        if not one.restarts:
            return "**Pods:** none restarts, starts or stops."
        lines: list[str] = []
        for what, word in (("restart", "restart"), ("start", "start"), ("stop", "stop")):
            found = [restart for restart in one.restarts if restart.what == what]
            if found:
                names = [
                    f"{self.prose(restart.track)} {self.prose(restart.component)} ({restart.pods}{self.because(restart.reasons)})"
                    for restart in found
                ]
                lines.append(f"- {word}: {self.some(names, 12)}")
        return "**Pods** (how many, and why)\n\n" + "\n".join(lines)

    def cost(self, one: ApplicationReview) -> str:
        cost, currency = one.cost, self.review.currency
        known = f"{money(cost.before, currency)} -> {money(cost.after, currency)}, from the fewest to the most pods"
        text = f"**Cost a month:** {f'{known} ({difference(cost, currency)})' if cost.known else 'not known'}"
        if cost.gpus_before.high or cost.gpus_after.high:
            text += f"; GPUs {cost.gpus_before} -> {cost.gpus_after}"
        if cost.unpriced:
            names = self.some([self.prose(name) for name in cost.unpriced], 6)
            text += f". Not in it, for want of an instance type: {names}"
        return text + "."

    def undo(self, one: ApplicationReview) -> str:
        lines: list[str] = []
        for way in one.undo:
            commands = ", then ".join(self.code(command, 300) for command in way.commands)
            lines.append(f"- {commands}: {self.prose(way.restores, 4 * self.room.longest)}.")
        return "**How to undo it**\n\n" + "\n".join(lines)

    def objects(self, one: ApplicationReview) -> str:
        if not one.objects:
            return "Objects: none changes."
        count = Counter(found.change for found in one.objects)
        heading = "Objects: " + ", ".join(
            f"{count[change]} {change}" for change in ("added", "changed", "removed") if count[change]
        )
        if not self.room.objects:
            return f"{heading}. " + self.left_out(len(one.objects), "objects", "", one)
        parts: list[str] = []
        for change in ("added", "removed"):
            names = [self.code(found.identity, 200) for found in one.objects if found.change == change]
            if names:
                parts.append(f"{change.capitalize()}: {self.some(names, self.room.objects)}")
        rows = [
            [
                self.named(names),
                self.code(field.pointer, 250) if field else "*(by another object)*",
                self.after(field.before) if field else "",
                self.after(field.after) if field else "",
                self.prose(field.origin, 400) if field else "its pods restart: the configuration that they read differs",
            ]
            for names, field in _fields(one.objects)
        ]
        if rows:
            parts.append(table(["object", "field", "before", "after", "from"], rows[: self.room.objects]))
        left = len(rows) - self.room.objects
        if left > 0:
            parts.append(self.left_out(left, "fields", "", one))
        return details(heading, "\n\n".join(parts))

    def after(self, value: Plain) -> str:
        return "*not there*" if value is None else self.code(_word(value), self.room.longest)

    def files(self, files: Sequence[FileReview]) -> str:
        shown = [
            f"- {self.code(found.path, 200)}: {self.prose(found.why, 2 * self.room.longest)}"
            for found in files[: max(5, self.room.values)]
        ]
        if len(files) > len(shown):
            shown.append("- " + self.left_out(len(files) - len(shown), "files", ""))
        return "\n".join(shown)

    def left_out(self, count: int, what: str, how: str, one: ApplicationReview | None = None) -> str:
        target = f" {one.target}" if one else ""
        command = self.code(f"bento-gitops diff{target} --base {self.review.base} --full", 300)
        return f"*{count} more {what}{f' ({how})' if how else ''} left out; {command} shows all.*"

    def named(self, names: Sequence[str]) -> str:
        return self.some([self.code(name, 200) for name in names], 3)

    def gates(self, gates: Sequence[Gate]) -> str:
        """Those that failed first, then those at which nobody looked."""
        order = ("failed", "not looked", "passed")
        ordered = sorted(gates, key=lambda gate: order.index(gate.outcome))
        count = Counter(gate.outcome for gate in gates)
        rows = [
            [
                f"**{gate.outcome}**" if gate.outcome != "passed" else gate.outcome,
                self.prose(gate.name, 60),
                self.prose(gate.evidence, 300),
                self.prose(gate.mend, 300),
            ]
            for gate in ordered[: self.most(40)]
        ]
        shown = ", ".join(f"{count[outcome]} {outcome}" for outcome in order if count[outcome])
        left = len(ordered) - len(rows)
        more = f"\n\n*{left} more gates left out.*" if left else ""
        return f"### Gates: {shown}\n\n" + table(["", "gate", "evidence", "how to mend it"], rows) + more

    def step(self, step: str) -> str:
        return self.code(step, 300) if step.startswith(("bento-gitops ", "git ", "make ")) else self.prose(step, 500)

    def part(self, track: RunningTrack | None) -> str:
        if track is None:
            return "-"
        role = f"{track.role}, " if track.role else ""
        kept = "" if track.capacity == "full" else f", {track.capacity}"
        pods = self.some([f"{self.prose(name)} {component.pods}" for name, component in track.components.items()], 12)
        return f"{role}{self.prose(track.bundle)}, {track.weight} %{kept}; pods: {pods}"

    def because(self, reasons: Sequence[str]) -> str:
        return f", {', '.join(map(self.prose, reasons))}" if reasons else ""

    def source(self, change: ValueChange) -> str:
        """The line behind a value on both sides, with the layer where it is not the environment's."""
        notes = dict.fromkeys(side.note for side in (change.before, change.after) if side and side.note)
        layers = dict.fromkeys(side.layer for side in (change.before, change.after) if side)
        note = f"; {self.prose('; '.join(notes), 200)}" if notes else ""
        return f"{self.code(said_at(change), 300)} ({' -> '.join(layers)}{note})"


def _groups(applications: Sequence[ApplicationReview]) -> list[list[ApplicationReview]]:
    """Applications to which the same happens, the riskiest first."""
    found: dict[object, list[ApplicationReview]] = {}
    for one in applications:
        found.setdefault(_signature(one), []).append(one)
    return sorted(found.values(), key=lambda group: -LEVELS.index(group[0].risk))


def _signature(one: ApplicationReview) -> object:
    """What happens, without the application's own name."""

    def anonymous(text: str) -> str:
        return text.replace(one.target, "T").replace(one.application, "A")

    return (
        anonymous(one.headline),
        one.change,
        tuple(
            (change.path, repr(change.before and change.before.value), repr(change.after and change.after.value))
            for change in one.values
        ),
        tuple(
            (
                found.change,
                found.kind,
                found.track,
                found.component,
                tuple((field.pointer, anonymous(repr(field.before)), anonymous(repr(field.after))) for field in found.fields),
            )
            for found in one.objects
        ),
        tuple((risk.level, risk.kind, anonymous(risk.reason)) for risk in one.risks),
        one.notes,
        tuple((way.commands and anonymous(" ".join(way.commands))) for way in one.undo),
    )


def _mostly(applications: Sequence[ApplicationReview]) -> str:
    """What happens to all of them, or to most."""
    counted = Counter(one.headline for one in applications)
    (first, count), *others = counted.most_common()
    if not others:
        return first
    return f"{first} ({count} of them)" if count > 1 else f"{first}, and other changes"


def _fields(objects: Iterable[ObjectReview]) -> Iterator[tuple[list[str], FieldReview | None]]:
    """Every field that changes, once, with the objects in which it changes in the same way."""
    found: dict[tuple[str, ...], tuple[list[str], FieldReview | None]] = {}
    for changed in objects:
        if changed.change != "changed":
            continue
        for field in changed.fields:
            key = (field.pointer, repr(field.before), repr(field.after), field.origin)
            found.setdefault(key, ([], field))[0].append(changed.identity)
        if changed.only_checksum:
            found.setdefault((), ([], None))[0].append(changed.identity)
    yield from found.values()


def _bold_if_high(level: str) -> str:
    return f"**{level}**" if level == "high" else level


def _word(value: Plain) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _number(amount: float, *, sign: bool = False) -> str:
    rounded = round(amount, 2) + 0.0
    return "0" if rounded == 0 else f"{rounded:+,.2f}" if sign else f"{rounded:,.2f}"


def money(found: Money, currency: str = "") -> str:
    """An amount, or from the least to the most."""
    low, high = _number(found.low), _number(found.high)
    return f"{low if low == high else f'{low} to {high}'} {currency}".rstrip()


def amount(cost: Cost) -> str:
    """The difference in a cell: at the fewest pods / at the most."""
    if not cost.known:
        return "no price"
    change = cost.difference
    low, high = (_number(found, sign=True) for found in (change.low, change.high))
    return low if low == high else f"{low} / {high}"


def difference(cost: Cost, currency: str) -> str:
    """The difference in words: at the least number of pods, and at the most."""
    change = cost.difference
    if not cost.known:
        return "not known (no instance types)"
    if change.is_nothing:
        return "unchanged"
    low, high = (_number(found, sign=True) for found in (change.low, change.high))
    unit = f"{currency} a month".strip()
    return f"{low} {unit}" if low == high else f"{low} {unit} at the fewest pods, {high} at the most"
