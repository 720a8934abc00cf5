"""audit: whether each commit of a branch came by a pull request, or is what a command writes there and nothing else; and whether
what arrived in one push sends requests to pods that came along."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bento_gitops.layers.reading import read
from bento_gitops.model.layout import CLUSTERS, release_file
from bento_gitops.model.problem import InvalidInput, Place, Problem
from bento_gitops.model.release import Release
from bento_gitops.operations.arriving import arrival
from bento_gitops.operations.clusters import cluster_files
from bento_gitops.operations.render import render_one
from bento_gitops.releasing.message import TARGET, TRANSITION, WEIGHTS
from bento_gitops.releasing.states import weights
from bento_gitops.repository.files import GitTree
from bento_gitops.repository.fleet import Fleet, Target
from bento_gitops.tools import git, github

_RELEASE = ("release.yaml", "values.yaml")
_WRITES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("install", "direct", "promote", "prepare", "shift", "finish", "abort", "rollback"), _RELEASE),
    **dict.fromkeys(("retire-standby", "pause", "resume", "hold", "unhold", "retire", "unretire"), _RELEASE),
    "retired": ("*",),
    "record": ("evidence/*",),
    "override": ("overrides.yaml", "values.yaml"),
    "override-end": ("overrides.yaml", "values.yaml"),
    "render": ("values.yaml",),
}
"""Files of its application that each transition writes. What is not here (a chart, a pin of one) comes by pull request alone."""


@dataclass(frozen=True, slots=True)
class Audited:
    """A commit, and how it came to the branch."""

    commit: git.Commit
    by: str
    """`command`, or the pull request's number; empty: neither."""
    problems: tuple[Problem, ...]
    """Why it is neither."""


@dataclass(frozen=True, slots=True)
class Audit:
    """A push."""

    commits: tuple[Audited, ...]
    """Oldest first; of what a merge brought only the merge."""
    together: tuple[Problem, ...]
    """What is wrong with all of them at once, which is what the cluster sees."""
    notes: tuple[str, ...]

    @property
    def problems(self) -> list[Problem]:
        return [*(problem for one in self.commits for problem in one.problems), *self.together]


def audit(root: Path, base: str, head: str, branch: str) -> Audit:
    """The commits that `head` has and `base` has not.

    GitHub is asked for the pull request of what is no command's. Raises ToolFailed where it does not answer, InvalidInput where
    the branch was rewritten.
    """
    start, tip = git.resolve(root, base), git.resolve(root, head)
    if git.merge_base(root, start, tip) != start:
        todo = f"find out who forced it; {start[:12]} is what was there: git log {tip[:12]}..{start[:12]}"
        raise InvalidInput([Problem(Place(branch), "", "the branch was rewritten: it lacks commits that it had", "", todo)])
    commits = tuple(_audited(root, sha, branch) for sha in reversed(list(_own(root, start, tip))))
    together, notes = _arrived(Fleet(GitTree(root, start)), Fleet(GitTree(root, tip)), f"{start[:12]}..{tip[:12]}")
    return Audit(commits, tuple(together), tuple(notes))


def _arrived(before: Fleet, after: Fleet, span: str) -> tuple[list[Problem], list[str]]:
    """Weights that rose in the same push as pods changed. It is too late to refuse that: somebody has to look."""
    problems: list[Problem] = []
    notes: list[str] = []
    for target in after.targets():
        if not after.tree.exists(target.values):
            continue
        try:
            found = arrival(before, after, target, after.tree.read(target.values).decode("utf-8", errors="replace"))
        except InvalidInput as error:
            problems += error.problems
            continue
        todo = f"look whether the pods are ready, else `bento-gitops rollback {target} --push`; push each transition by itself"
        problems += [replace(one, wrong=f"{one.wrong}; all of it came in one push, {span}", todo=todo) for one in found.problems]
        notes += found.notes
    return problems, notes


def _own(root: Path, base: str, tip: str) -> Iterator[str]:
    """The commits that were made or merged on the branch itself, newest first."""
    new = set(git.commits_between(root, base, tip))
    sha: str | None = tip
    while sha in new:
        yield sha
        sha = git.find(root, f"{sha}^1")


def _audited(root: Path, sha: str, branch: str) -> Audited:
    (commit,) = git.log(root, sha, limit=1)
    problems = tuple(_other_than_a_command(root, commit))
    if not problems:
        return Audited(commit, "command", ())
    number = github.merged_pull_request(root, sha, branch)
    return Audited(commit, f"#{number}", ()) if number else Audited(commit, "", problems)


def _other_than_a_command(root: Path, commit: git.Commit) -> Iterator[Problem]:
    """What shows that a commit is not one that a command would push."""
    place = f"commit {commit.sha[:12]} ({commit.author})"
    transition = commit.trailer(TRANSITION) or ""
    if transition not in _WRITES:
        found = f"'{transition}'" if transition else f"'{commit.subject[:60]}'"
        wrong = "is no command's that may be pushed, and no pull request brought it"
        yield Problem(Place(place), "", wrong, found, "take it back (git revert), and open a pull request")
        return
    targets = (commit.trailer(TARGET) or "").split()
    for path in _changed(root, commit.sha):
        if transition == "render" and path.startswith(f"{CLUSTERS}/"):
            yield from _other_than_generated(root, commit, path, place)
        elif not _may_write(path, targets, _WRITES[transition]):
            whose = " ".join(targets) or "no application"
            wrong = f"is nothing that `{transition}` of {whose} writes, and no pull request brought it"
            yield Problem(Place(place), path, wrong, "", "take it back (git revert), and open a pull request")
    yield from _says_otherwise(root, commit, targets, place)


def _other_than_generated(root: Path, commit: git.Commit, path: str, place: str) -> Iterator[Problem]:
    """Where what a cluster gets is not what the environments of the commit say."""
    try:
        generated = {one.path: one for one in cluster_files(Fleet(GitTree(root, commit.sha)))}
    except InvalidInput as error:
        yield from (Problem(Place(place), str(one.place), one.wrong, one.found, one.todo) for one in error.problems)
        return
    if path not in generated or generated[path].changed:
        wrong, todo = "is not what its sources say in this commit", "bento-gitops render writes it anew"
        yield Problem(Place(place), path, wrong, "", todo)


def _changed(root: Path, sha: str) -> list[str]:
    """The files that differ from the commit before, on the branch itself."""
    parent = git.find(root, f"{sha}^1")
    before, after = (git.list_files(root, commit) if commit else {} for commit in (parent, sha))
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def _may_write(path: str, targets: list[str], names: tuple[str, ...]) -> bool:
    folder = next((f"environments/{target}/" for target in targets if path.startswith(f"environments/{target}/")), None)
    if folder is None:
        return False
    name = path.removeprefix(folder)
    return name in names or "*" in names or f"{name.partition('/')[0]}/*" in names


def _says_otherwise(root: Path, commit: git.Commit, targets: list[str], place: str) -> Iterator[Problem]:
    """Where the files of the commit are not what its own words and its own sources say."""
    tree = GitTree(root, commit.sha)
    fleet = Fleet(tree)
    there = {str(target) for target in fleet.targets()}
    for target in targets:
        if target not in there:
            continue
        if commit.trailer(TRANSITION) == "retired":
            wrong, todo = "is still there, though the commit says that it is removed", f"look at bento-gitops history {target}"
            yield Problem(Place(place), f"environments/{target}", wrong, "", todo)
        try:
            stale = render_one(fleet, Target(*target.split("/", 1)))[0].changed
            said = read(tree.read(release_file(target)), release_file(target), Release).value
        except InvalidInput as error:
            yield from (Problem(Place(place), str(one.place), one.wrong, one.found, one.todo) for one in error.problems)
            continue
        if stale:
            wrong, todo = "is not what its sources say in this commit", f"bento-gitops render {target} writes it anew"
            yield Problem(Place(place), f"environments/{target}/values.yaml", wrong, "", todo)
        told = commit.trailer(WEIGHTS)
        now = " ".join(f"{name}={weight}" for name, weight in weights(said).items())
        if told is not None and told != now:
            wrong = f"says other weights than the commit's own words, {told}"
            todo = f"look at bento-gitops history {target}"
            yield Problem(Place(place), release_file(target), wrong, now, todo)
