"""The program gh: pull requests on GitHub, by the only code that starts it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Sequence
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
