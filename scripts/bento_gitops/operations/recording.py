"""`verify --record`, and the step that sees a new weight live: an observation becomes evidence."""

from __future__ import annotations

from dataclasses import replace

from bento_gitops.model.base import duration, moment
from bento_gitops.model.evidence import Evidence
from bento_gitops.model.gate import Gate
from bento_gitops.model.layout import evidence_file
from bento_gitops.model.problem import Place, Problem, Refused, did_you_mean
from bento_gitops.operations.deciding import Decision, Request, nothing, observed, opened
from bento_gitops.releasing import evidence as evidences
from bento_gitops.releasing.gates import failing, refusal
from bento_gitops.releasing.message import BUNDLE, BY, TARGET, TRANSITION, message_of, one_line
from bento_gitops.repository.changes import Proposal, change
from bento_gitops.repository.editing import edited, fresh
from bento_gitops.repository.files import OverlayTree, Tree, contents


def verify(tree: Tree, request: Request, track: str | None, *, record: bool) -> Decision:
    """What an observation shows of a track's bundle; with `record` it goes into the bundle's evidence.

    Raises Refused without an observation that can be used, and for a track that is not there.
    """
    situation = opened(tree, request)
    release = situation.release
    name = track or ((release.candidate or release.stable) if release else "")
    if release is not None and name not in release.tracks:
        todo = did_you_mean(name, release.tracks)
        raise Refused([Problem(Place(situation.file), "verify", "there is no such track", f"'{name}'", todo)])
    if record:
        decision = recorded(tree, request, name)
    else:
        decision = nothing("verify", situation, "looked at what runs; nothing is recorded", None)
    seen, why = observed(situation, request)
    if seen is None or release is None:
        todo = "give one: --observation FILE"
        found = why or "nothing runs here"
        raise Refused([Problem(Place(situation.file), "verify", "there is nothing to judge by", found, todo)])
    differs = evidences.as_in_git(seen, release) if seen.weights is not None else []
    lacking = evidences.not_ready(seen, name, situation.pods(name))
    check = seen.verification if seen.verification and seen.verification.track == name else None
    gates = [
        Gate(
            "live",
            "not looked" if seen.weights is None else "failed" if differs else "passed",
            "nobody looked at the live route" if seen.weights is None else "; ".join(differs) or "as Git says",
        ),
        Gate(
            "ready",
            "not looked" if lacking is None else "failed" if lacking else "passed",
            "nobody looked at its pods" if lacking is None else ", ".join(lacking) or "every component has its pods",
        ),
        Gate(
            "answers",
            "not looked" if check is None else "passed" if check.passed else "failed",
            "nobody checked" if check is None else f"{check.checks} checks, failed: {', '.join(check.failed) or 'none'}",
        ),
    ]
    unlike = [gate for gate in gates[:2] if gate.outcome == "failed"]
    if record and unlike:
        # A failed check is evidence; what was seen of something else than Git says is none, and half of it would look like all.
        raise refusal(unlike, situation.file)
    return replace(decision, gates=tuple(gates), good=not failing(gates))


def recorded(tree: Tree, request: Request, track: str) -> Decision:
    """`verify --record`, and `canary step` at a new weight: what was observed of a track's bundle goes into its evidence.

    Raises Refused where nothing of the observation can be recorded.
    """
    situation = opened(tree, request)
    release = situation.release
    observation = request.observation
    if release is None or observation is None:
        todo = "give one: --observation FILE" if release else "promote a bundle first"
        wrong = "there is no observation" if release else "nothing runs here yet"
        raise Refused([Problem(Place(situation.file), "verify", wrong, "", todo)])
    seen, why = observed(situation, request)
    if seen is None:
        raise Refused([Problem(Place(situation.file), "verify", "the observation cannot be recorded", why, "look again")])
    tag = release.tracks[track].bundle
    before = situation.evidence(tag)
    after, notes = evidences.recorded(
        before, observation, release, track, situation.target.application, situation.pods(track), situation.binding(tag)
    )
    path = evidence_file(str(situation.target), tag)
    if after == (before or after.model_copy(update={"seen": [], "verified": []})):
        if notes:
            raise Refused([Problem(Place(path), "verify", note, "", "look again when it is so") for note in notes])
        return nothing("record", situation, "it is recorded already", None)
    text = _evidence_text(tree, path, after)
    says = f"evidence of {tag} in {situation.target.environment}: {_recorded(after, before)}"
    found = message_of(
        f"{situation.target}: evidence of {tag}",
        [says[:1].upper() + says[1:] + "."],
        {
            TRANSITION: "record",
            TARGET: str(situation.target),
            BUNDLE: tag,
            BY: one_line(request.by),
        },
    )
    proposal = Proposal((change(tree, path, text.encode()),), found, contents(tree, [situation.file, path]))
    overlay = OverlayTree(tree, {path: text.encode()})
    return Decision(
        "record",
        situation.target,
        says,
        release,
        release,
        proposal,
        notes=tuple(notes),
        trees=(tree, overlay),
        branch=f"record-{tag}",
    )


def _evidence_text(tree: Tree, path: str, evidence: Evidence) -> str:
    data = evidence.model_dump(exclude_none=True, exclude_defaults=True)
    data = {"apiVersion": evidence.apiVersion, "kind": evidence.kind, **data}
    if tree.exists(path):
        return edited(tree.read(path).decode(), data)
    return fresh(data, "# What was seen of this bundle here, by whom; written by `verify --record` and `canary step`.\n")


def _recorded(after: Evidence, before: Evidence | None) -> str:
    parts: list[str] = []
    if after.seen != (before.seen if before else []):
        last = max(after.seen, key=lambda seen: moment(seen.last))
        span = duration(moment(last.last) - moment(last.first))
        parts.append(f"seen live with {last.weight} % at {last.last}" + (f", for {span} now" if last.first != last.last else ""))
    if after.verified != (before.verified if before else []):
        check = after.verified[-1]
        parts.append(f"{check.checks} checks {'passed' if check.passed else f'with {len(check.failed)} failed'}")
    return "; ".join(parts)
