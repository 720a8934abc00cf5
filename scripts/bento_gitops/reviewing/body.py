"""The text of a pull request: what changes, why and from which file, what can go wrong, what it costs, how to undo it.

The most important comes first, and what a host would cut off never gets there: detail is left out step by step until the text
fits, whole rows and sections at a time, and each place says how much was left out and which command shows it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bento_gitops.layers.marked import Plain
from bento_gitops.model.gate import Gate
from bento_gitops.reviewing.behind import said_at
from bento_gitops.reviewing.markdown import LONGEST, clipped, code, details, fenced, prose, sentence, table
from bento_gitops.reviewing.objects import BUNDLE_LABEL
from bento_gitops.reviewing.restarts import Restart, Scaling
from bento_gitops.reviewing.review import (
    ApplicationReview,
    Cost,
    FieldReview,
    FileReview,
    NewTrack,
    ObjectReview,
    Review,
    Unpriced,
)
from bento_gitops.reviewing.risks import LEVELS, Risk
from bento_gitops.reviewing.running import Money, RunningTrack
from bento_gitops.reviewing.undo import MERGE, Undo
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
_LAYERS = {"environment": "", "runtime": "set by an override", "decorator": "from the bundle", "chart": "the chart's default"}
"""Who says a value, where it is not the environment's own files."""
_NOTES = (
    (re.compile(r"(candidate|track): floor"), "the floor that `canary prepare` wrote, from the pods that were ready then"),
    (re.compile(r"(candidate|track): at least live_min_replicas"), "live_min_replicas, the least that a track on trial has"),
    (re.compile(r"(candidate|track): ready for (\d+) % of (\d+)"), r"\2 % of \3 pods"),
)
"""What a note of a value means."""
_LABEL = " on objects and pods, and in selectors of Services and policies (no Deployment's)"
_OUTCOMES = {"failed": "failed", "not looked": "not checked", "passed": "passed"}
_WORDS = "*Track: one full set of pods, the api and its runners. Bundle: one version of the code and its models.*"
_MERGED = f"Replace {MERGE} by the merge's commit; leave out `-m 1` if it was squashed. It is live after review, merge and sync."
_PUSHED = "`--push` commits straight to the main branch: live when Argo CD has synced it."


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

    def sentence(self, value: str, longest: int = 2000) -> str:
        return sentence(value, int(longest * self.room.scale))

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
        shown = [f"> **Warning (does not block):** {self.sentence(note, 500)}" for note in notes[: self.most(10)]]
        more = len(notes) - len(shown)
        return "\n>\n".join([*shown, *([f"> *{more} more notes left out.*"] if more else [])])

    def text(self, title: str, gates: Sequence[Gate], reason: str, by: str, next_steps: Sequence[str]) -> str:
        review = self.review
        parts = [MARKER, f"## {self.prose(title, 200)}", self.summary(gates)]
        if review.applications:
            why = f"**Why:** {self.prose(reason, 1000) or 'not given'}"
            parts.append("  \n".join((why, f"**By:** {self.prose(by, 200)}")) if by else why)
        if len(review.applications) > 1:
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
        ways = groups[0][0].undo if len(told) > 1 else ()
        together = bool(ways) and all(group[0].undo == ways for group in groups)
        parts += [self.application(group, folded=folded, told_below=together) for group in told]
        if len(groups) > len(told):
            count = sum(len(group) for group in groups[len(told) :])
            parts.append(self.left_out(count, "applications", "they stand in the table alone"))
        if together:
            parts.append(self.undo(ways))
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
        if review.applications:
            parts.append(_WORDS)
        return "\n\n".join(filter(None, parts)) + "\n"

    def summary(self, gates: Sequence[Gate]) -> str:
        """What happens, how risky it is, what it costs and when it takes effect."""
        review = self.review
        compared = f"compared with {self.code(review.base)}"
        if not review.applications:
            return f"**No object of any application changes** ({compared})."
        whole = review.applications[0].cost if len(review.applications) == 1 else review.cost
        cost = f"cost {self.prose(difference(whole, review.currency), 600)}"
        unseen = sum(gate.outcome == "not looked" for gate in gates)
        cost += f"; **{unseen} {'gate was' if unseen == 1 else 'gates were'} not checked**" if unseen else ""
        effect = f"Takes effect {_when(review.applications)}; {compared}."
        if len(review.applications) == 1:
            (one,) = review.applications
            first, *more = (self.sentence(said, 600) for said in one.says[: self.most(20)])
            said = [f"**{self.prose(one.target)}: {first}.**", "\n".join(f"- {words}" for words in more)]
            return "\n\n".join(filter(None, (*said, f"Risk **{one.risk}**; {cost}. {effect}")))
        environments = sorted({one.environment for one in review.applications})
        levels = Counter(one.risk for one in review.applications)
        shown = ", ".join(f"{levels[level]} {level}" for level in reversed(LEVELS) if levels[level])
        count = len(review.applications)
        named = self.some([self.prose(name) for name in environments], 10)
        what = self.sentence(_mostly(review.applications), 600)
        return f"**{count} applications change, in {named}: {what}.**\n\nRisk **{review.risk}** ({shown}); {cost}. {effect}"

    def overview(self) -> str:
        """A row for all to which the same happens at the same cost."""
        rows: dict[tuple[str, ...], list[ApplicationReview]] = {}
        for one in sorted(self.review.applications, key=lambda one: -LEVELS.index(one.risk)):
            what = self.sentence(one.headline, 2 * self.room.longest)
            rows.setdefault((one.environment, what, one.risk, amount(one.cost)), []).append(one)
        shown = [
            [
                self.prose(environment, 63),
                self.some([self.prose(one.application, 63) for one in same], 8),
                what,
                _bold_if_high(risk),
                cost,
            ]
            for (environment, what, risk, cost), same in list(rows.items())[: self.room.rows]
        ]
        heading = f"cost a month, {self.review.currency or 'no prices'} (fewest / most pods)"
        text = table(["environment", "applications", "what", "risk", heading], shown, right=[heading])
        others = [one for same in list(rows.values())[self.room.rows :] for one in same]
        if others:
            rest = Counter(one.risk for one in others)
            levels = ", ".join(f"{rest[level]} {level}" for level in reversed(LEVELS) if rest[level])
            text += "\n\n" + self.left_out(len(others), "applications", f"risk: {levels}")
        return text

    def application(self, group: Sequence[ApplicationReview], *, folded: bool, told_below: bool) -> str:
        """One application, and those to which the same happens."""
        one, *others = group
        parts: list[str] = []
        if others:
            parts.append(f"The same happens to {self.some([self.prose(other.target) for other in others], 20)}.")
        parts.append(self.notes(one.notes))
        parts += [self.values(one), *(self.new_track(one, track) for track in one.new_tracks), self.tracks(one)]
        parts += [self.risks(one), self.pods(one), self.cost(one), "" if told_below else self.undo(one.undo), self.objects(one)]
        inner = "\n\n".join(filter(None, parts))
        heading = f"{one.target}{f' and {len(others)} more' if others else ''}"
        if folded:
            return details(f"{heading}: risk {one.risk}", inner)
        return f"### {self.prose(heading)}\n\n{inner}" if len(self.review.applications) > 1 else inner

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
        return "*not set*" if stated is None else self.code(_word(stated.value), self.room.longest)

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
        heads = ["what", self.prose(new.against), self.prose(new.track.name), "from"]
        if not new.against:  # nothing ran before
            rows, heads = [[what, after, source] for what, _, after, source in rows], [heads[0], *heads[2:]]
        shown = rows[: max(self.room.values, 3)]
        text = f"**New: track {self.prose(new.track.name)} ({self.prose(new.track.bundle)})**{of}\n\n"
        text += table(heads, shown) if shown else "It runs the same bundle with the same settings."
        left = len(rows) - len(shown)
        return text + ("\n\n" + self.left_out(left, "differences", "", one) if left else "")

    def tracks(self, one: ApplicationReview) -> str:
        """Every track, where a part, a bundle or a weight is another; pods alone are told with the settings."""
        before, after = ({track.name: track for track in side} for side in (one.tracks_before, one.tracks_after))
        names = [*before, *(name for name in after if name not in before)]
        if all(_part(before.get(name)) == _part(after.get(name)) for name in names):
            return ""
        shown = names[: self.most(20)]
        rows = [[self.prose(name), *self.track(before.get(name), after.get(name))] for name in shown]
        left = len(names) - len(shown)
        text = "**Tracks**\n\n" + table(["track", "part", "bundle", "live requests", "pods (autoscaler range)"], rows)
        return text + (f"\n\n*{left} more tracks left out.*" if left else "")

    def track(self, before: RunningTrack | None, after: RunningTrack | None) -> list[str]:
        """The cells of a track, with an arrow in those that are not as before."""

        def cell(was: str, now: str) -> str:
            return self.prose(was if was == now else f"{was} -> {now}", 300)

        track = after or before
        assert track, "a track has a side"
        old, new = before or track, after or track
        part = cell(_role(old), _role(new))
        part = f"{part} -> removed" if after is None else f"new: {part}" if before is None else part
        pods: list[str] = []
        for name, component in new.components.items():
            was = old.components.get(name)
            pods.append(f"{name} {f'{was.pods} -> ' if was and was.pods != component.pods else ''}{component.pods}")
        weight = cell(f"{old.weight} %", f"{new.weight} %")
        return [part, cell(old.bundle, new.bundle), weight, self.some([self.prose(words) for words in pods], 12)]

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
        return f"- {_bold_if_high(risk.level)}, {risk.kind}: {self.sentence(risk.reason, 4 * self.room.longest)}{where}"

    def pods(self, one: ApplicationReview) -> str:
        """Which restart, start and stop, and between which numbers they are kept."""
        lines: list[str] = []
        deleted = " (when its Application is deleted)" if one.change == "removed" else ""
        for what, word in (("restart", "restart"), ("start", "start"), ("stop", f"stop{deleted}")):
            found = [restart for restart in one.restarts if restart.what == what]
            if found:
                lines.append(f"- {word}: {self.some([self.restart(restart) for restart in found], 12)}")
        lines += [f"- {self.scaling(found)}" for found in one.scalings[: self.most(20)]]
        left = len(one.scalings) - self.most(20)
        lines += [f"- *{left} more of whose pods the number may change*"] if left > 0 else []
        if not lines:
            return "**Pods:** none restarts, starts or stops."
        quiet = one.change == "changed" and not any(restart.what == "restart" for restart in one.restarts)
        none = " none restarts." if quiet else ""
        return f"**Pods:**{none}\n\n" + "\n".join(lines)

    def restart(self, restart: Restart) -> str:
        range_ = (
            f"autoscaler range {restart.pods}" if restart.pods.low != restart.pods.high else _counted(restart.pods.low, "pod")
        )
        why = f"; {self.some([self.prose(reason, 60) for reason in restart.reasons], 6)}" if restart.reasons else ""
        return f"{self.prose(restart.track)} {self.prose(restart.component)} ({range_}{why})"

    def scaling(self, found: Scaling) -> str:
        """What becomes of pods whose bounds move."""
        was, now = found.before, found.after
        said: list[str] = []
        if now.low > was.low:
            more = _counted(now.low - was.low, "pod")
            said.append(f"floor {was.low} -> {now.low}: up to {more} start (none if {now.low} or more run already)")
        elif now.low < was.low:
            said.append(f"floor {was.low} -> {now.low}: they may fall to {now.low} at low load")
        if now.high > was.high:
            said.append(f"ceiling {was.high} -> {now.high}: they may rise to {now.high} under load")
        elif now.high < was.high:
            said.append(f"ceiling {was.high} -> {now.high}: all pods above {now.high} stop at once")
        return f"autoscaler of {self.prose(found.track)} {self.prose(found.component)}: {'; '.join(said)}"

    def cost(self, one: ApplicationReview) -> str:
        cost, currency = one.cost, self.review.currency
        before, after = money(cost.before), money(cost.after, currency)
        if cost.same:
            known = f"{after}, unchanged" if cost.known else "unchanged"
            text = f"{known}: no number, size or price of pods changes"
        elif not cost.known:
            text = "not known"
        elif before == money(cost.after):
            text = f"{after}, unchanged but for what has no price"
        else:
            text = f"{before} -> {after}, from the fewest to the most pods"
        gpus = f"{cost.gpus_before} -> {cost.gpus_after}" if cost.gpus_before != cost.gpus_after else str(cost.gpus_after)
        text = f"**Cost a month:** {text}. **GPUs:** {gpus}."
        if cost.unpriced:
            names = self.some([self.prose(_unpriced(found)) for found in cost.unpriced], 6)
            text += f" No price, because no instance type is set: {names}."
        return text

    def undo(self, ways: Sequence[Undo]) -> str:
        """Each way with its commands to copy."""
        parts = ["**How to undo it**"]
        for number, way in enumerate(ways):
            choice = "" if len(ways) == 1 else "*Either:* " if number == 0 else "*Or:* "
            for place, step in enumerate(way.steps, 1):
                order = f"{place}. " if len(way.steps) > 1 else ""
                parts.append(f"{choice if place == 1 else ''}{order}{self.sentence(step.does, 6 * self.room.longest)}.")
                parts.append(fenced([clipped(command, 400) for command in step.commands[: self.most(10)]]))
                left = len(step.commands) - self.most(10)
                parts += [f"*{left} more commands left out.*"] if left > 0 else []
        commands = [command for way in ways for command in way.commands]
        if any(command.endswith(" --push") for command in commands):
            parts.append(_PUSHED)
        if any(MERGE in command for command in commands):
            parts.append(_MERGED)
        return "\n\n".join(parts)

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
                self.code(field.pointer, 250) + (_LABEL if field.pointer == BUNDLE_LABEL else "")
                if field
                else "*(by another object)*",
                self.field(field.before) if field else "",
                self.field(field.after) if field else "",
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

    def field(self, value: Plain) -> str:
        if value is None:
            return "*absent*"
        word = _word(value)
        if isinstance(value, dict) and len(word) > self.room.longest:
            return f"a map of {self.some([self.prose(key) for key in value], 8)}"
        if isinstance(value, list) and len(word) > self.room.longest:
            return f"a list of {len(value)}"
        return self.code(word, self.room.longest)

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
        """Those that failed first, then those that nobody checked."""
        order = ("failed", "not looked", "passed")
        ordered = sorted(gates, key=lambda gate: order.index(gate.outcome))
        count = Counter(gate.outcome for gate in gates)
        rows = [
            [
                _OUTCOMES[gate.outcome] if gate.outcome == "passed" else f"**{_OUTCOMES[gate.outcome]}**",
                self.prose(gate.name, 60),
                self.prose(gate.evidence, 300),
                self.prose(gate.mend, 300),
            ]
            for gate in ordered[: self.most(40)]
        ]
        shown = ", ".join(f"{count[outcome]} {_OUTCOMES[outcome]}" for outcome in order if count[outcome])
        unseen = (
            "\n\n*What was not checked does not block the merge; nobody knows whether it is so.*" if count["not looked"] else ""
        )
        left = len(ordered) - len(rows)
        more = f"\n\n*{left} more gates left out.*" if left else ""
        return f"### Gates: {shown}\n\n" + table(["result", "gate", "evidence", "how to fix"], rows) + unseen + more

    def step(self, step: str) -> str:
        return self.code(step, 300) if step.startswith(("bento-gitops ", "git ", "make ")) else self.prose(step, 500)

    def source(self, change: ValueChange) -> str:
        """The line behind a value on both sides, and who says it where that is not the environment's own file."""
        before, after = change.before, change.after
        words = [_LAYERS[after.layer]] if after else []
        if before and (not after or before.layer != after.layer):
            words.append(f"before: {_LAYERS[before.layer]}" if _LAYERS[before.layer] else "")
        words += list(dict.fromkeys(_meaning(side.note) for side in (before, after) if side and side.note))
        said = "; ".join(filter(None, words))
        return self.code(said_at(change), 300) + (f" ({self.sentence(said, 200)})" if said else "")


def _when(applications: Sequence[ApplicationReview]) -> str:
    if not any(one.objects for one in applications):
        return "on merge: no object changes"
    removed = any(one.change == "removed" for one in applications)
    left = " (objects of what is removed stay until its Application is deleted: docs/argocd.md)" if removed else ""
    return f"on merge, when Argo CD has synced{left}"


def _part(track: RunningTrack | None) -> tuple[object, ...]:
    return (track.role, track.bundle, track.weight, track.capacity) if track else ()


def _role(track: RunningTrack) -> str:
    return (track.role or "none") + ("" if track.capacity == "full" else f", {track.capacity}")


def _meaning(note: str) -> str:
    for pattern, words in _NOTES:
        if pattern.fullmatch(note):
            return pattern.sub(words, note)
    return note


def _unpriced(found: Unpriced) -> str:
    """A component without a price, with its pods."""
    pods = f"{found.before} -> {found.after}" if found.before != found.after else str(found.after)
    return f"{found.name} ({pods} {'pod' if pods == '1' else 'pods'})"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


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
        tuple(anonymous(" ".join((*way.commands, *(step.does for step in way.steps)))) for way in one.undo),
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
    if cost.same:
        return "unchanged"
    if not cost.known:
        return "not known"
    change = cost.difference
    low, high = (_number(found, sign=True) for found in (change.low, change.high))
    rest = f" without {len(cost.left_out)} unpriced" if cost.left_out else ""
    return (low if low == high else f"{low} / {high}") + rest


def difference(cost: Cost, currency: str) -> str:
    """The difference in words: at the least number of pods, and at the most; with what is missing in it."""
    if cost.same:
        return "unchanged"
    if not cost.known:
        return "not known (no instance type is set)"
    change = cost.difference
    low, high = (_number(found, sign=True) for found in (change.low, change.high))
    unit = f"{currency} a month".strip()
    text = f"{low} {unit}" if low == high else f"{low} {unit} at the fewest pods, {high} at the most"
    if cost.left_out:
        names = ", ".join(_unpriced(found) for found in cost.left_out[:3])
        more = f" and {len(cost.left_out) - 3} more" if len(cost.left_out) > 3 else ""
        text += f", without {names}{more}, which has no price"
    return text
