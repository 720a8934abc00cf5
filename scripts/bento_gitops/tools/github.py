"""The program gh: pull requests on GitHub, by the only code that starts it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bento_gitops.model.problem import ToolFailed

LIMIT = 120.0
"""Seconds for a call."""
LONGEST_BODY = 65_000
"""Characters; GitHub itself refuses more than 65,536."""


def _run(root: Path, *arguments: str, stdin: str = "") -> str:
    """What gh prints. Raises ToolFailed with its words."""
    # It must neither ask nor tell of new versions.
    quiet = {"GH_PROMPT_DISABLED": "1", "GH_NO_UPDATE_NOTIFIER": "1", "NO_COLOR": "1", "GH_PAGER": "cat"}
    command = ["gh", *arguments]
    shown = " ".join(arguments[:2])
    try:
        ran = subprocess.run(
            command,
            cwd=root,
            input=stdin.encode(),
            capture_output=True,
            timeout=LIMIT,
            env={**os.environ, **quiet},
            check=False,
        )
    except FileNotFoundError:
        raise ToolFailed("gh: not found on PATH; install GitHub's command line (https://cli.github.com)") from None
    except subprocess.TimeoutExpired:
        raise ToolFailed(f"gh {shown}: no end after {LIMIT:.0f} s; look whether GitHub answers") from None
    except OSError as error:
        raise ToolFailed(f"gh: does not run: {error.strerror}; mend what PATH finds") from None
    if ran.returncode:
        said = ran.stderr.decode(errors="replace").strip()
        raise ToolFailed(f"gh {shown}: {said or f'exit code {ran.returncode}'}")
    return ran.stdout.decode(errors="replace")


def open_pull_request(root: Path, head: str, base: str) -> str | None:
    """The address of the open pull request from one branch of this repository into another; None where there is none.

    Raises ToolFailed with gh's words.
    """
    fields = "url,isCrossRepository"
    answer = _run(root, "pr", "list", "--head", head, "--base", base, "--state", "open", "--json", fields)
    try:
        found: list[dict[str, Any]] = json.loads(answer)
        # A fork's branch may have the same name.
        urls = [str(one["url"]) for one in found if not one["isCrossRepository"]]
    except (ValueError, KeyError, TypeError):
        raise ToolFailed(f"gh pr list: its answer is no list of pull requests: {answer[:200]}") from None
    return urls[0] if urls else None


def create_pull_request(root: Path, head: str, base: str, title: str, body: str) -> str:
    """Opens a pull request; its address. Raises ToolFailed with gh's words."""
    said = _run(root, "pr", "create", "--head", head, "--base", base, "--title", title, "--body-file", "-", stdin=body)
    return _address(said)


def edit_pull_request(root: Path, url: str, title: str, body: str) -> str:
    """Gives a pull request another title and body; its address. Raises ToolFailed with gh's words."""
    _run(root, "pr", "edit", url, "--title", title, "--body-file", "-", stdin=body)
    return url


def merged_pull_request(root: Path, sha: str, base: str) -> int | None:
    """The number of the pull request that brought a commit to a branch of this repository; None where none did.

    Raises ToolFailed with gh's words.
    """
    # gh puts the repository's name in the place of the words in braces.
    answer = _run(root, "api", f"repos/{{owner}}/{{repo}}/commits/{sha}/pulls")
    try:
        found: list[dict[str, Any]] = json.loads(answer)
        numbers = [int(one["number"]) for one in found if one["merged_at"] and one["base"]["ref"] == base]
    except (ValueError, KeyError, TypeError):
        raise ToolFailed(f"gh api: its answer is no list of pull requests: {answer[:200]}") from None
    return numbers[0] if numbers else None


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval of somebody who may write, in force when the pull request was merged."""

    by: str
    at: str
    last: bool
    """Of the commit that was merged; else more commits came after it."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A pull request that was merged, and who let it in."""

    number: int
    url: str
    author: str
    merged_by: str
    approvals: tuple[Approval, ...]


def who_let_in(root: Path, sha: str, base: str) -> Merged | None:
    """The pull request that brought a commit to a branch, who approved it and who merged it; None where none did.

    Raises ToolFailed with gh's words.
    """
    found = _json(root, f"repos/{{owner}}/{{repo}}/commits/{sha}/pulls")
    try:
        merged = [one for one in found if one["merged_at"] and (one["merge_commit_sha"] == sha or one["base"]["ref"] == base)]
        # A commit may be in several: the one that made it is meant, before one that had it on its branch.
        merged.sort(key=lambda one: one["merge_commit_sha"] != sha)
        if not merged:
            return None
        number = int(merged[0]["number"])
        pull = _json(root, f"repos/{{owner}}/{{repo}}/pulls/{number}")
        reviews = _json(root, f"repos/{{owner}}/{{repo}}/pulls/{number}/reviews?per_page=100", "--paginate")
        return Merged(
            number,
            str(pull["html_url"]),
            _login(pull["user"]),
            _login(pull["merged_by"]),
            tuple(_approvals(reviews, str(pull["head"]["sha"]), str(pull["merged_at"]))),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ToolFailed(f"gh api: its answer about the pull request of {sha[:12]} lacks {error}") from None


_MAY_WRITE = ("OWNER", "MEMBER", "COLLABORATOR")
"""Anybody at all may approve a pull request of a public repository; branch protection counts none of the others either."""


def _approvals(reviews: list[dict[str, Any]], head: str, merged: str) -> Iterator[Approval]:
    """Each person's last word before the merge counts; a comment is none.

    An approval that was dismissed does not count, even if that came later: GitHub does not say when it was.
    """
    said = [one for one in reviews if one["state"] in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED")]
    in_time = sorted((one for one in said if one["submitted_at"] <= merged), key=lambda one: one["submitted_at"])
    last = {_login(review["user"]): review for review in in_time}
    for who, review in last.items():
        if review["state"] == "APPROVED" and review["author_association"] in _MAY_WRITE:
            yield Approval(who, str(review["submitted_at"]), review["commit_id"] == head)


def _login(user: dict[str, Any] | None) -> str:
    """Accounts go; what they did stays."""
    return str(user["login"]) if user else "somebody whose account is gone"


def _json(root: Path, path: str, *options: str) -> Any:
    """What GitHub's interface answers; lists that came in pages are one."""
    answer = _run(root, "api", *options, path).strip()
    decoder = json.JSONDecoder()
    found: list[Any] = []
    while answer:
        try:
            value, end = decoder.raw_decode(answer)
        except ValueError:
            raise ToolFailed(f"gh api: its answer is not JSON: {answer[:200]}") from None
        found.append(value)
        answer = answer[end:].lstrip()
    if not options:
        return found[0] if len(found) == 1 else None
    return [one for page in found for one in page]


def own_comment(root: Path, number: int, start: str) -> str | None:
    """The address of the comment on a pull request that we wrote and that begins so; None where there is none.

    Raises ToolFailed with gh's words.
    """
    answer = _run(root, "pr", "view", str(number), "--json", "comments")
    try:
        found: dict[str, list[dict[str, Any]]] = json.loads(answer)
        # Anybody can write a comment that begins so; only our own is ours to write anew.
        urls = [str(one["url"]) for one in found["comments"] if one["viewerDidAuthor"] and str(one["body"]).startswith(start)]
    except (ValueError, KeyError, TypeError):
        raise ToolFailed(f"gh pr view: its answer has no comments: {answer[:200]}") from None
    return urls[0] if urls else None


def create_comment(root: Path, number: int, body: str) -> str:
    """Writes a comment on a pull request; its address. Raises ToolFailed with gh's words."""
    said = _run(root, "pr", "comment", str(number), "--body-file", "-", stdin=body)
    return _address(said, "gh pr comment: it names no comment")


def edit_comment(root: Path, url: str, body: str) -> str:
    """Gives a comment on a pull request another body; its address. Raises ToolFailed with gh's words."""
    _, mark, number = url.rpartition("#issuecomment-")
    if not mark or not number.isdecimal():
        raise ToolFailed(f"gh pr view: this is no address of a comment: {url[:200]}")
    path = f"repos/{{owner}}/{{repo}}/issues/comments/{number}"
    _run(root, "api", "--method", "PATCH", path, "--silent", "--field", "body=@-", stdin=body)
    return url


def _address(said: str, trouble: str = "gh pr create: it names no pull request") -> str:
    lines: Sequence[str] = said.split()
    urls = [line for line in lines if line.startswith("https://")]
    if not urls:
        raise ToolFailed(f"{trouble}: {said.strip()[:200] or 'it said nothing'}")
    return urls[-1]


def compare_page(remote_url: str, head: str, base: str) -> str | None:
    """Where a person opens the pull request by hand; None for a remote that is no web server's."""
    found = re.fullmatch(
        r"(?:https?://(?:[^@/]*@)?|ssh://git@|git@)(?P<host>[\w.-]+)(?::\d+)?[:/](?P<path>[\w./-]+?)(?:\.git)?/?", remote_url
    )
    return f"https://{found['host']}/{found['path']}/compare/{base}...{head}?expand=1" if found else None
