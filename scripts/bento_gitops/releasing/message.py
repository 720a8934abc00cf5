"""The commit message of a transition: what, why and who for people, trailers for `history`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bento_gitops.model.gate import Gate
from bento_gitops.releasing.states import weights
from bento_gitops.releasing.transitions import Move

PREFIX = "Bento-Gitops-"
TRANSITION = f"{PREFIX}Transition"
TARGET = f"{PREFIX}Target"
BUNDLE = f"{PREFIX}Bundle"
WEIGHTS = f"{PREFIX}Weights"
BY = f"{PREFIX}By"
REASON = f"{PREFIX}Reason"
BREAK_GLASS = f"{PREFIX}Break-Glass"


def message(move: Move, target: str, *, by: str, reason: str, gates: Sequence[Gate] = (), break_glass: str = "") -> str:
    """Subject, body and trailers. What people typed stands in one line each, so that it cannot pass for a trailer."""
    subject = f"{target}: {move.transition} {_bundle(move)}".rstrip()
    body = [move.says[:1].upper() + move.says[1:] + "."]
    if reason:
        body.append(f"Why: {one_line(reason)}")
    if gates:
        body.append("\n".join(["Gates:", *(f"  {gate.name}: {gate.outcome}, {one_line(gate.evidence)}" for gate in gates)]))
    trailers: dict[str, str] = {
        TRANSITION: move.transition,
        TARGET: target,
        BUNDLE: _bundle(move),
        WEIGHTS: " ".join(f"{name}={weight}" for name, weight in weights(move.after).items()),
        BY: one_line(by),
        REASON: one_line(reason),
        BREAK_GLASS: one_line(break_glass),
    }
    return message_of(subject, body, trailers)


def message_of(subject: str, body: Sequence[str], trailers: Mapping[str, str]) -> str:
    """A commit message with trailers; paragraphs and trailers that say nothing are left out."""
    ends = "\n".join(f"{name}: {value}" for name, value in trailers.items() if value)
    return "\n\n".join([subject, *filter(None, body), ends]) + "\n"


_PULL = (
    re.compile(r"^Merge pull request (#[0-9]+) from "),  # GitHub's merge
    re.compile(r" \((#[0-9]+)\)$"),  # GitHub's squash, rebase and queue
)
_MERGE_REQUEST = re.compile(r"^See merge request (?:[\w./-]+)?(![0-9]+)$", re.MULTILINE)  # GitLab's merge and squash


def pull_request(subject: str, body: str) -> str:
    """The pull request that a commit of the branch's own line says it came by: #12, GitLab's !12; empty where it names none.

    A message says what its author wrote: who wants to be sure asks the server.
    """
    found = [match for pattern in _PULL if (match := pattern.search(subject))] or list(_MERGE_REQUEST.finditer(body))[-1:]
    return found[0][1] if found else ""


def one_line(text: str) -> str:
    """Text that people typed, in one line without what steers a terminal."""
    return " ".join(re.sub(r"[^\x20-\x7e\xa0-\U0010ffff]+", " ", text).split())


def _bundle(move: Move) -> str:
    """The bundle that a transition is about: the one that it names, the candidate's, else the one that gets the requests."""
    if move.bundle:
        return move.bundle
    for release in (move.after, move.before):
        if release is not None and release.candidate is not None:
            return release.tracks[release.candidate].bundle
    return move.after.tracks[move.after.stable].bundle
