"""The program git: the only code that starts it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import signal
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bento_gitops.model.problem import ToolFailed

LOCAL_LIMIT = 300.0
"""Seconds for a call that stays on this machine: only a hook, a signing program or a dead disk takes longer."""
NETWORK_LIMIT = 120.0
"""Seconds for a call to a remote."""
_PATIENCE = 5.0
"""Seconds for Git to remove its lock files when it is told to end."""

_OF_ANOTHER_REPOSITORY = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)
"""Variables that a Git hook sets for the repository it runs in, which need not be the one that we are asked about."""

_FILE = "100644"
_FILES = frozenset({_FILE, "100755"})
LINK = "120000"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a tree."""

    mode: str
    """100644, 100755, or `LINK` for a symbolic link."""
    blob: str


@dataclass(frozen=True, slots=True)
class _Ran:
    code: int
    out: bytes
    said: str


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in _OF_ANOTHER_REPOSITORY}
    # Messages are read by this module, nothing may wait for an answer, and a look must not take the index's lock.
    return {**inherited, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", **variables}


def _command(root: Path, arguments: Sequence[str]) -> list[str]:
    return ["git", "--literal-pathspecs", "--no-pager", "-C", str(root), *arguments]


def _run(
    root: Path,
    *arguments: str,
    stdin: bytes = b"",
    variables: Mapping[str, str] | None = None,
    network: bool = False,
) -> _Ran:
    """One call of Git, whatever it ends with. A call to a network has no terminal: what would ask a question fails.

    Raises ToolFailed where there is no Git, and where it does not end in time.
    """
    limit = NETWORK_LIMIT if network else LOCAL_LIMIT
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(
            _command(root, arguments),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env=_environment(variables or {}),
            start_new_session=network,
        )
    except FileNotFoundError:
        raise ToolFailed("git: not found on PATH; install it") from None
    try:
        out, said = process.communicate(stdin, timeout=limit)
    except BaseException as error:
        _end(process, with_children=network)
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        todo = "look whether the remote answers, and run again" if network else "run it by hand to see what it waits for"
        raise ToolFailed(f"git {_shown(arguments)}: no end after {limit:.0f} s; {todo}") from None
    return _Ran(process.returncode, out, said.decode(errors="replace").strip())


def _end(process: subprocess.Popen[bytes], *, with_children: bool) -> None:
    """Ends Git, which gets the time to remove its lock files."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            if with_children:
                os.killpg(process.pid, how)
            else:
                process.send_signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_PATIENCE)
            return


def _shown(arguments: Sequence[str]) -> str:
    """The call in an error message: without the settings before Git's word for it."""
    words = list(arguments)
    while words[:1] == ["-c"]:
        del words[:2]
    return " ".join(words)


def _output(root: Path, *arguments: str, stdin: bytes = b"", variables: Mapping[str, str] | None = None) -> bytes:
    """What a call prints that must succeed. Raises ToolFailed with Git's words."""
    ran = _run(root, *arguments, stdin=stdin, variables=variables)
    if ran.code:
        raise _failed(arguments, ran)
    return ran.out


def _line(root: Path, *arguments: str) -> str:
    return _output(root, *arguments).decode(errors="surrogateescape").removesuffix("\n")


def _failed(arguments: Sequence[str], ran: _Ran) -> ToolFailed:
    if "not a git repository" in ran.said:
        return ToolFailed("git: this is no Git repository; run in a clone of it, or name one with --root")
    return ToolFailed(f"git {_shown(arguments)}: {ran.said or f'exit code {ran.code}'}")


# What is there


def resolve(root: Path, ref: str) -> str:
    """The commit that a branch, tag or name of a commit stands for.

    Raises ToolFailed if there is none.
    """
    sha = find(root, ref)
    if sha is None:
        _line(root, "rev-parse", "--git-dir")  # says what is wrong where this is no repository at all
        if ref == "HEAD":
            raise ToolFailed("git: there is no commit yet; make the first one: git add --all && git commit")
        raise ToolFailed(f"git: no such branch, tag or commit: {ref}; fetch it (git fetch), or name another")
    return sha


def find(root: Path, ref: str) -> str | None:
    """As `resolve`; None where there is no such commit."""
    ran = _run(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    return ran.out.decode().strip() if ran.code == 0 else None


def list_files(root: Path, ref: str) -> dict[str, Entry]:
    """Every file of a ref that lies in the folder `root`, by path from there. Folders of other repositories are none."""
    listing = _output(root, "ls-tree", "-r", "-z", "--end-of-options", ref)
    return dict(_entries(listing))


def _entries(listing: bytes) -> Iterator[tuple[str, Entry]]:
    for record in listing.decode(errors="surrogateescape").split("\0"):
        about, _, path = record.partition("\t")
        if path:
            mode, kind, sha = about.split()
            if kind == "blob":
                yield path, Entry(mode, sha)


class Blobs:
    """Reads blobs through one process for all of them: to start one for each takes a hundred times as long."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._process: subprocess.Popen[bytes] | None = None
        self._started_in = 0
        self._turn = threading.Lock()

    def __getstate__(self) -> Path:
        """What another process gets: its own start, for two must not talk to one."""
        return self.root

    def __setstate__(self, root: Path) -> None:
        self.__init__(root)

    def read(self, blob: str) -> bytes:
        """The bytes of a blob. Raises ToolFailed where it cannot be had."""
        with self._turn:
            process = self._running()
            assert process.stdin
            assert process.stdout
            try:
                process.stdin.write(f"{blob}\n".encode())
                process.stdin.flush()
                answer: list[bytes] = process.stdout.readline().split()
            except BrokenPipeError:
                answer = []
            if len(answer) == 3 and answer[1] == b"blob":
                return process.stdout.read(int(answer[2]) + 1)[:-1]
        raise ToolFailed(f"git: the file with id {blob} is missing in this clone; look with: git fsck")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._started_in != os.getpid():
            self._process = _reader(self.root)
            self._started_in = os.getpid()
            weakref.finalize(self, _stop_reader, self._process, self._started_in)
        return self._process


def _reader(root: Path) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            _command(root, ("cat-file", "--batch")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment({}),
        )
    except FileNotFoundError:
        raise ToolFailed("git: not found on PATH; install it") from None


def _stop_reader(process: subprocess.Popen[bytes], started_in: int) -> None:
    if started_in != os.getpid():
        return  # a copy of it in a forked process: the first one still reads
    # Not by closing its input: a process that was forked meanwhile holds that open too. It only reads, so it may be killed.
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def prefix(root: Path) -> str:
    """Where the folder lies in its Git repository: empty at the top, else with a slash at the end."""
    return _line(root, "rev-parse", "--show-prefix")


def is_shallow(root: Path) -> bool:
    """Whether the clone lacks a part of the history."""
    return _line(root, "rev-parse", "--is-shallow-repository") == "true"


def has_history(root: Path) -> bool | None:
    """Whether the folder lies in a clone with all of the history; None where it lies in none."""
    ran = _run(root, "rev-parse", "--is-shallow-repository")
    return ran.out.strip() == b"false" if ran.code == 0 else None


def current_branch(root: Path) -> str | None:
    """The branch that is checked out; None where HEAD is detached."""
    ran = _run(root, "symbolic-ref", "--quiet", "--short", "HEAD")
    if ran.code not in (0, 1):
        raise _failed(("symbolic-ref", "HEAD"), ran)
    return ran.out.decode(errors="surrogateescape").strip() or None


def setting(root: Path, name: str) -> str | None:
    """The value of a setting of Git."""
    ran = _run(root, "config", "--get", name)
    if ran.code not in (0, 1):
        raise _failed(("config", "--get", name), ran)
    return ran.out.decode(errors="surrogateescape").removesuffix("\n") if ran.code == 0 else None


def upstream(root: Path, branch: str) -> tuple[str, str] | None:
    """The remote and the branch there that a branch follows."""
    remote = setting(root, f"branch.{branch}.remote")
    merge = setting(root, f"branch.{branch}.merge")
    if not remote or not merge or remote == ".":
        return None
    return remote, merge.removeprefix("refs/heads/")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a clone stands."""

    branch: str | None
    """The branch that is checked out; None where HEAD is detached."""
    tip: str | None
    """Its commit; None where it has none yet."""
    follows: tuple[str, str] | None
    """As `upstream`."""
    remote: str | None
    """A remote that is there for sure; of others ask `remotes`."""
    defaults: Mapping[str, str]
    """By remote: the name of its default branch, of those that the clone knows."""


_STANDING = ("%(HEAD)", "%(refname)", "%(objectname)", "%(upstream:remotename)", "%(upstream:remoteref)", "%(symref)")
"""Of a branch that follows one of which the clone keeps nothing, Git does not say here which that is."""


def standing(root: Path) -> Standing:
    """What `current_branch`, `upstream` and `default_branch` say, by one call where nothing is unusual."""
    listing = _line(root, "for-each-ref", f"--format={'%00'.join(_STANDING)}", "refs/heads", "refs/remotes/*/HEAD")
    branch, tip, remote, merge = None, None, None, None
    defaults: dict[str, str] = {}
    for line in listing.splitlines():
        head, name, commit, followed, there, leads_to = line.split("\0")
        if head == "*":
            branch, tip = name.removeprefix("refs/heads/"), commit
            remote, merge = followed or None, there or None
        elif name.startswith("refs/remotes/"):
            own = name.removesuffix("HEAD")
            if leads_to.startswith(own):
                defaults[own.removeprefix("refs/remotes/").rstrip("/")] = leads_to.removeprefix(own)
    if branch is None:
        branch = current_branch(root)  # it has no commit yet, or there is none
    if remote and merge:
        follows = None if remote == "." else (remote, merge.removeprefix("refs/heads/"))
    else:
        follows = upstream(root, branch) if branch else None
    return Standing(branch, tip, follows, remote if remote != "." else None, defaults)


def remotes(root: Path) -> list[str]:
    """The names of the remotes."""
    return _line(root, "remote").splitlines()


def remote_url(root: Path, remote: str) -> str:
    """The address that a remote's name stands for."""
    return _line(root, "remote", "get-url", "--", remote)


def default_branch(root: Path, remote: str) -> str | None:
    """The name of the remote's default branch, where the clone knows it."""
    ran = _run(root, "symbolic-ref", "--quiet", f"refs/remotes/{remote}/HEAD")
    return ran.out.decode(errors="surrogateescape").strip().removeprefix(f"refs/remotes/{remote}/") or None


def merge_base(root: Path, one: str, other: str) -> str | None:
    """The last commit that both have in their history."""
    ran = _run(root, "merge-base", "--end-of-options", one, other)
    if ran.code not in (0, 1):
        raise _failed(("merge-base", one, other), ran)
    return ran.out.decode().strip() or None


def is_ancestor(root: Path, commit: str, tip: str) -> bool:
    """Whether a commit is among those that lead to another one, or is that itself. Raises ToolFailed with Git's words."""
    arguments = ("merge-base", "--is-ancestor", commit, tip)
    ran = _run(root, *arguments)
    if ran.code not in (0, 1):
        raise _failed(arguments, ran)
    return ran.code == 0


def commits_between(root: Path, base: str, tip: str) -> list[str]:
    """The commits of `tip` that `base` lacks, newest first."""
    return _line(root, "rev-list", "--end-of-options", f"{base}..{tip}").splitlines()


def is_branch_name(root: Path, name: str) -> bool:
    """Whether Git takes this for the name of a branch."""
    return not name.startswith("-") and _run(root, "check-ref-format", f"refs/heads/{name}").code == 0


def branch_name(text: str) -> str:
    """A text of names and versions as the name of a branch. What Git would not take in it is replaced; a mark of the text keeps
    it apart from others that come to the same."""
    fit = re.sub(r"\.(?=\.|lock(?:/|$))", "-", text)
    return text if fit == text else f"{fit}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def changed_paths(root: Path, paths: Sequence[str]) -> dict[str, str]:
    """Those of the paths that differ from HEAD in the index or on disk, each with Git's two letters for how."""
    if not paths:
        return {}
    found = _output(
        root, "status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--ignored=matching", "--", *paths
    ).decode(errors="surrogateescape")
    if not found:
        return {}
    within = prefix(root)
    return {record[3:].removeprefix(within): record[:2] for record in found.split("\0") if record}


# History


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as `history` shows it."""

    sha: str
    author: str
    """As the commit itself has it: a .mailmap, which anybody can change, counts for nothing here."""
    email: str
    committer: str
    committer_email: str
    date: datetime
    """When it was committed, in the committer's time zone."""
    subject: str
    body: str
    """The message without its subject and trailers."""
    trailers: tuple[tuple[str, str], ...] = field(default=())
    """Key and value of each `Key: value` line at the message's end, in order; a key may stand more than once."""

    @property
    def written_by(self) -> str:
        """The author, as `Name <address>`."""
        return f"{self.author} <{self.email}>"

    @property
    def committed_by(self) -> str:
        """The committer, as `Name <address>`."""
        return f"{self.committer} <{self.committer_email}>"

    def trailer(self, key: str) -> str | None:
        """The last value of a trailer; Git does not mind the key's case."""
        found = [value for name, value in self.trailers if name.lower() == key.lower()]
        return found[-1] if found else None


_FIELDS = ("%H", "%an", "%ae", "%cn", "%ce", "%cI", "%s", "%b", "%(trailers:only,unfold)")


def log(
    root: Path,
    ref: str = "HEAD",
    paths: Sequence[str] = (),
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
    own: bool = False,
) -> list[Commit]:
    """The commits of a ref, newest first: those that touch one of the paths, where there are any.

    With `own` only those of the branch's own line: of what a merge brought, the merge. In a shallow clone the oldest commit that
    is there seems to add every file: ask `is_shallow` first.
    """
    arguments = ["log", "-z", f"--format=tformat:{'%x00'.join(_FIELDS)}", "--no-show-signature", "--no-color"]
    if since:
        arguments.append(f"--since={since.isoformat()}")
    if until:
        arguments.append(f"--until={until.isoformat()}")
    if limit is not None:
        arguments.append(f"--max-count={limit}")
    if own:
        arguments.append("--first-parent")
    text = _output(root, *arguments, "--end-of-options", ref, "--", *paths).decode(errors="replace")
    fields = text.removesuffix("\0").split("\0") if text else []
    size = len(_FIELDS)
    return [_commit(fields[start : start + size]) for start in range(0, len(fields), size)]


def _commit(fields: Sequence[str]) -> Commit:
    sha, author, email, committer, committer_email, date, subject, body, trailers = fields
    pairs = [line.partition(":") for line in trailers.splitlines() if ":" in line]
    text = body.strip()
    if pairs:
        # They are the last paragraph; where Git unfolded a line of it, it is not the same text any more.
        last = trailers.strip()
        text = (text.removesuffix(last) if text.endswith(last) else text.rpartition("\n\n")[0]).strip()
    return Commit(
        sha,
        author,
        email,
        committer,
        committer_email,
        datetime.fromisoformat(date),
        subject,
        text,
        tuple((key.strip(), value.strip()) for key, _, value in pairs),
    )


def is_repository(root: Path) -> bool:
    """Whether the folder lies in a clone."""
    return _run(root, "rev-parse", "--git-dir").code == 0


def versions(
    root: Path, path: str, ref: str = "HEAD", *, limit: int | None = None, own: bool = False
) -> list[tuple[Commit, bytes | None]]:
    """The commits that touch a file (with `own`: of the branch's own line), newest first, and the file's bytes in each;
    None where it was removed.

    In a shallow clone the oldest commit that is there seems to add every file: ask `is_shallow` first.
    """
    found = log(root, ref, [path], limit=limit, own=own)
    return list(zip(found, contents_at(root, [commit.sha for commit in found], path), strict=True))


@dataclass(frozen=True, slots=True)
class Landing:
    """The commit of a branch's own line by which others came there: itself, or the merge of them."""

    sha: str
    at: datetime
    subject: str
    body: str


def landings(root: Path, ref: str = "HEAD") -> dict[str, Landing]:
    """By commit of a ref: how it came there. A commit that several merges brought came with the first of them.

    In a shallow clone the oldest commit has no parents: ask `is_shallow` first.
    """
    fields = _output(
        root, "log", "-z", "--topo-order", "--format=tformat:%H%x00%P%x00%cI%x00%s%x00%b", "--end-of-options", ref, "--"
    )
    parts = fields.decode(errors="replace").removesuffix("\0").split("\0")
    rows = [parts[start : start + 5] for start in range(0, len(parts), 5)]
    parents = {row[0]: row[1].split() for row in rows}
    about = {row[0]: row for row in rows}
    own: list[str] = []
    sha = rows[0][0]
    while sha:
        own.append(sha)
        sha = next(iter(parents[sha]), "")
    found: dict[str, Landing] = {}
    for tip in reversed(own):
        _, _, at, subject, body = about[tip]
        landing = Landing(tip, datetime.fromisoformat(at), subject, body.strip())
        waiting = [tip]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found[one] = landing
                waiting += parents[one]
    return found


def contents_at(root: Path, commits: Sequence[str], path: str) -> list[bytes | None]:
    """A file's bytes in each of the commits; None where it is not there."""
    within = prefix(root)
    return [found and found[2] for found in _objects(root, [f"{sha}:{within}{path}" for sha in commits])]


def _objects(root: Path, names: Sequence[str]) -> list[tuple[str, str, bytes] | None]:
    """The id, kind and bytes of what each name stands for, by one call; None where there is no such thing."""
    asked = "".join(f"{name}\n" for name in names)
    answer = _output(root, "cat-file", "--batch", stdin=asked.encode(errors="surrogateescape"))
    result: list[tuple[str, str, bytes] | None] = []
    start = 0
    for _ in names:
        end = answer.index(b"\n", start)
        about = answer[start:end].split()
        start = end + 1
        if about[-1] == b"missing":
            result.append(None)
            continue
        size = int(about[-1])
        result.append((about[0].decode(), about[1].decode(), answer[start : start + size]))
        start += size + 1
    return result


def added(root: Path, path: str, ref: str = "HEAD", *, whole: bool = False) -> tuple[str, bytes] | None:
    """The commit of a branch's own line that added a file, and the file's bytes then; None where no commit did.

    A branch's own line is what its first parents are: what was tried on a branch before it was merged is not what was recorded.
    Where the file was removed and came back, it is another record: the last one. Raises ToolFailed in a shallow clone, whose
    oldest commit seems to add everything; with `whole` it is known that this is none.
    """
    if not whole and is_shallow(root):
        raise ToolFailed("git: this clone lacks a part of the history; get it: git fetch --unshallow")
    words = ("log", "--format=%H", "--first-parent", "-m", "--no-renames", "--diff-filter=A", "--max-count=1")
    commit = _line(root, *words, "--end-of-options", ref, "--", path)
    return (commit, _output(root, "cat-file", "blob", f"{commit}:./{path}")) if commit else None


# Commits


def identity(root: Path) -> str | None:
    """Who commits here, as `Name <address>`; None where Git was not told."""
    ran = _run(root, "-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT")
    return ran.out.decode(errors="replace").rpartition(">")[0] + ">" if ran.code == 0 else None


def require_identity(root: Path) -> None:
    """Raises ToolFailed where Git does not know who commits; a guess from the machine's name is nobody.

    That it knows no author of another name than that is seen when the commit is made.
    """
    _require_known(root, "GIT_COMMITTER_IDENT")


def _require_known(root: Path, who: str) -> None:
    if _run(root, "-c", "user.useConfigOnly=true", "var", who).code:
        raise ToolFailed(
            "git: it is not known who commits; say it once:"
            ' git config --global user.name "Your Name" && git config --global user.email you@example.com'
        )


@dataclass(frozen=True, slots=True)
class NewCommit:
    """A commit that no branch has yet."""

    sha: str
    entries: Mapping[str, Entry | None]
    """What it says of the files it was made for; None: removed."""


def commit_tree(root: Path, parent: str, files: Mapping[str, bytes | None], message: str) -> NewCommit:
    """A commit on top of another with these files replaced, added or (None) removed. No branch, index or file changes.

    Raises ToolFailed, also where nobody told Git who commits, and where the commit is to be signed and cannot be.
    """
    before = dict(_entries(_output(root, "ls-tree", "-z", parent, "--", *files)))
    odd = [path for path, entry in before.items() if entry.mode not in _FILES]
    if odd:
        raise ToolFailed(f"git: {', '.join(odd)} is a symbolic link; replace it by the file it points to")
    with tempfile.TemporaryDirectory(prefix="bento-gitops-") as scratch:
        blobs = iter(_write_blobs(root, Path(scratch), [data for data in files.values() if data is not None]))
        entries = {
            path: None if data is None else Entry(before.get(path, Entry(_FILE, "")).mode, next(blobs))
            for path, data in files.items()
        }
        index = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
        _output(root, "read-tree", parent, variables=index)
        _output(root, "update-index", "-z", "--index-info", stdin=_index_info(root, entries, parent), variables=index)
        tree = _output(root, "write-tree", variables=index).decode().strip()
    arguments = ["-c", "user.useConfigOnly=true", "-c", "i18n.commitEncoding=UTF-8", "commit-tree", tree, "-p", parent]
    ran = _run(root, "config", "--type=bool", "--get", "commit.gpgSign")
    if ran.out.strip() == b"true":
        arguments.append("-S")
    arguments += ["-F", "-"]
    ran = _run(root, *arguments, stdin=message.encode())
    if ran.code:
        _require_known(root, "GIT_AUTHOR_IDENT")
        raise _failed(arguments, ran)
    return NewCommit(ran.out.decode().strip(), entries)


def _write_blobs(root: Path, scratch: Path, contents: Sequence[bytes]) -> list[str]:
    """The ids of new blobs, written in one call."""
    if not contents:
        return []
    names: list[str] = []
    for number, data in enumerate(contents):
        file = scratch / str(number)
        file.write_bytes(data)
        names.append(f"{file}\n")
    # Bytes are stored as they are: what a clone's settings do to line ends is not ours to commit.
    return _output(root, "hash-object", "-w", "--no-filters", "--stdin-paths", stdin="".join(names).encode()).decode().split()


def _index_info(root: Path, entries: Mapping[str, Entry | None], commit: str) -> bytes:
    within = prefix(root)
    gone = Entry("0", "0" * len(commit))  # ids have one length in a repository: 40 digits, or 64 of the newer hash
    marked = ((path, entry or gone) for path, entry in entries.items())
    lines = (f"{entry.mode} {entry.blob}\t{within}{path}\0" for path, entry in marked)
    return "".join(lines).encode(errors="surrogateescape")


def swap_branch(root: Path, branch: str, new: str, old: str, reason: str) -> bool:
    """Moves a branch from one commit to another, in one step; False where it is not at the old one any more.

    Raises ToolFailed where it cannot be moved for another reason.
    """
    ref = f"refs/heads/{branch}"
    arguments = ("update-ref", "-m", reason, ref, new, old)
    ran = _run(root, *arguments)
    if ran.code == 0:
        return True
    if find(root, ref) != old:
        return False
    raise _failed(arguments, ran)


def update_index(root: Path, entries: Mapping[str, Entry | None], commit: str) -> str:
    """Makes the index say of these paths what a commit says, and of all others what it said; Git's words where it cannot."""
    ran = _run(root, "update-index", "-z", "--index-info", stdin=_index_info(root, entries, commit))
    if ran.code:
        return ran.said
    _run(root, "update-index", "-q", "--refresh")  # its exit code says that other files differ, which is no failure
    return ""


# Remotes


def fetch(root: Path, remote: str, branch: str) -> str:
    """The tip of a remote's branch, which is in the clone then.

    Raises ToolFailed with the remote's words.
    """
    tracking = f"refs/remotes/{remote}/{branch}"
    arguments = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-maintenance")
    refspec = f"+refs/heads/{branch}:{tracking}"
    ran = _run(root, *arguments, "--", remote, refspec, network=True)
    for _ in range(5):
        if "cannot lock ref" not in ran.said:
            break
        # Another command of this clone fetches the same branch in this moment; it may have asked before us, so ask again.
        ran = _run(root, *arguments, "--", remote, refspec, network=True)
    if ran.code == 0:
        return resolve(root, tracking)
    if "couldn't find remote ref" in ran.said:
        raise ToolFailed(f"git: {remote} has no branch {branch}; push it first: git push {remote} {branch}")
    raise ToolFailed(f"git fetch {remote} {branch}: {ran.said or f'exit code {ran.code}'}")


def fetch_history(root: Path, remote: str) -> None:
    """Gets the part of the history that a shallow clone lacks.

    Raises ToolFailed with the remote's words.
    """
    if is_shallow(root):
        arguments = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--unshallow", "--", remote)
        ran = _run(root, *arguments, network=True)
        if ran.code:
            raise _failed(arguments, ran)


def remote_tip(root: Path, remote: str, branch: str) -> str | None:
    """Where a branch of the remote stands now, asked over the network; None where there is no such branch.

    Raises ToolFailed with the remote's words.
    """
    arguments = ("ls-remote", "--quiet", "--", remote, f"refs/heads/{branch}")
    ran = _run(root, *arguments, network=True)
    if ran.code:
        raise _failed(arguments, ran)
    return ran.out.decode().split("\t")[0] or None


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a remote said to a push."""

    accepted: bool
    overtaken: bool = False
    """The branch has moved on: fetch, and try on top of what is there now."""
    verdict: bool = True
    """Whether the remote said no; else the answer is missing, and the commit may have arrived."""
    said: str = ""


_RACES = ("failed to update ref", "failed to lock", "cannot lock ref", "incorrect old value", "reference already exists", "stale")
"""What servers say to the second of two pushes that arrive together. A hook's refusal is none of these."""


def push(root: Path, remote: str, sha: str, branch: str, lease: str | None = None) -> Pushed:
    """Makes a remote's branch a commit. Never by force, unless `lease` says the commit that it must be at (empty: not there).

    Raises ToolFailed where the remote does not answer in time.
    """
    arguments = ["push", "--porcelain", "--no-follow-tags", "--recurse-submodules=no"]
    ref = f"refs/heads/{branch}"
    if lease is not None:
        arguments.append(f"--force-with-lease={ref}:{lease}")
    ran = _run(root, *arguments, "--", remote, f"{sha}:{ref}", network=True)
    answers = ran.out.decode(errors="replace").splitlines()
    if ran.code == 0:
        # Where two commit the same in the same second under one name, the commits are one; the second did not make it so.
        twin = any(line.startswith("=\t") for line in answers)
        return Pushed(accepted=not twin, overtaken=twin)
    verdicts = [line.split("\t")[2] for line in answers if line.startswith("!\t")]
    words = _words(ran.said)
    if not verdicts:
        return Pushed(accepted=False, verdict=False, said=words)
    verdict = verdicts[0]
    overtaken = verdict.startswith("[rejected]") or (
        verdict.startswith("[remote rejected]") and any(race in verdict for race in _RACES)
    )
    return Pushed(accepted=False, overtaken=overtaken, said=f"{verdict}\n{words}".strip())


def _words(said: str) -> str:
    """What the server and its hooks said, without Git's own hints on what to do next."""
    lines = [line.rstrip() for line in said.splitlines() if not line.startswith(("hint:", "To "))]
    return "\n".join(lines)


def fast_forward(root: Path, sha: str) -> str:
    """Brings the checked-out branch, its index and files to a commit that comes after it; Git's words where it may not.

    Local changes stay: where one is in the way, nothing happens.
    """
    ran = _run(root, "merge", "--quiet", "--ff-only", "--no-autostash", "--no-verify-signatures", sha)
    return "" if ran.code == 0 else ran.said or f"exit code {ran.code}"
