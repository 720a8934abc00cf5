"""A stand-in for GitHub's command line: a program `gh` that keeps pull requests and comments in a file, and what it was asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = "https://github.example.com/team/fleet"

PROGRAM = f'''#!{sys.executable}
import json, re, sys
from pathlib import Path

STATE = Path(__file__).with_name("github.json")
state = json.loads(STATE.read_text())
words = sys.argv[1:]
state["asked"].append(words)
options = {{words[i]: words[i + 1] for i in range(len(words) - 1) if words[i].startswith("--")}}


def pull(number):
    found = [one for one in state["pulls"] if str(one["number"]) == number or one["url"] == number]
    if not found:
        sys.exit(f"no pull request {{number}}")
    return found[0]


match words:
    case ["pr", "list", *_]:
        wanted = (options["--head"], options["--base"])
        found = [one for one in state["pulls"] if (one["head"], one["base"]) == wanted and one["open"]]
        print(json.dumps([{{"url": one["url"], "isCrossRepository": False}} for one in found]))
    case ["pr", "create", *_]:
        number = len(state["pulls"]) + 1
        url = f"{REPOSITORY}/pull/{{number}}"
        state["pulls"].append(
            {{"number": number, "url": url, "head": options["--head"], "base": options["--base"], "open": True,
              "title": options["--title"], "body": sys.stdin.read(), "comments": []}}
        )
        print(url)
    case ["pr", "edit", number, *_]:
        pull(number).update(title=options["--title"], body=sys.stdin.read())
        print(number)
    case ["pr", "view", number, "--json", "comments"]:
        print(json.dumps({{"comments": pull(number)["comments"]}}))
    case ["pr", "comment", number, "--body-file", "-"]:
        one = pull(number)
        id = 100 + sum(len(each["comments"]) for each in state["pulls"])
        url = f"{{one['url']}}#issuecomment-{{id}}"
        one["comments"].append({{"url": url, "body": sys.stdin.read(), "viewerDidAuthor": True}})
        print(url)
    case ["api", "--method", "PATCH", path, "--silent", "--field", "body=@-"]:
        id = re.fullmatch(r"repos/{{owner}}/{{repo}}/issues/comments/([0-9]+)", path)[1]
        found = [one for each in state["pulls"] for one in each["comments"] if one["url"].endswith(f"-{{id}}")]
        found[0]["body"] = sys.stdin.read()
    case ["api", path] if commit := re.fullmatch(r"repos/{{owner}}/{{repo}}/commits/([0-9a-f]{{40}})/pulls", path):
        print(json.dumps(state["commits"].get(commit[1], [])))
    case ["api", path] if found := re.fullmatch(r"repos/{{owner}}/{{repo}}/pulls/([0-9]+)", path):
        print(json.dumps(state["merged"][found[1]]["pull"]))
    case ["api", "--paginate", path]:
        found = re.fullmatch(r"repos/{{owner}}/{{repo}}/pulls/([0-9]+)/reviews[?]per_page=100", path)
        # As gh prints pages: one list after the other.
        print("".join(json.dumps([review]) for review in state["merged"][found[1]]["reviews"]) or "[]")
    case _:
        sys.exit(f"this stand-in cannot do: gh {{' '.join(words)}}")
STATE.write_text(json.dumps(state))
'''


class GitHub:
    """What `gh` in a folder knows and was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._write({"pulls": [], "commits": {}, "merged": {}, "asked": []})
        program = folder / "gh"
        program.write_text(PROGRAM)
        program.chmod(0o755)

    def _read(self) -> dict[str, Any]:
        return json.loads((self.folder / "github.json").read_text())

    def _write(self, state: dict[str, Any]) -> None:
        (self.folder / "github.json").write_text(json.dumps(state))

    @property
    def pulls(self) -> list[dict[str, Any]]:
        return self._read()["pulls"]

    @property
    def asked(self) -> list[list[str]]:
        return self._read()["asked"]

    def open(self, head: str, base: str = "main") -> int:
        """A pull request that somebody opened; its number."""
        state = self._read()
        number = len(state["pulls"]) + 1
        url = f"{REPOSITORY}/pull/{number}"
        state["pulls"].append(
            {"number": number, "url": url, "head": head, "base": base, "open": True, "title": "", "body": "", "comments": []}
        )
        self._write(state)
        return number

    def comment(self, number: int, body: str) -> None:
        """A comment of somebody else's."""
        state = self._read()
        one = state["pulls"][number - 1]
        one["comments"].append({"url": f"{one['url']}#issuecomment-1", "body": body, "viewerDidAuthor": False})
        self._write(state)

    def merged(
        self,
        number: int,
        sha: str,
        base: str = "main",
        *,
        reviews: Sequence[Mapping[str, Any]] = (),
        at: str = "2026-11-10T09:00:00Z",
        head: str = "head",
    ) -> None:
        """A pull request of Paula's, which Max merged, brought this commit to a branch."""
        state = self._read()
        state["commits"].setdefault(sha, []).append(
            {"number": number, "merged_at": at, "merge_commit_sha": sha, "base": {"ref": base}}
        )
        state["merged"][str(number)] = {
            "pull": {
                "html_url": f"{REPOSITORY}/pull/{number}",
                "user": {"login": "paula"},
                "merged_by": {"login": "max"},
                "merged_at": at,
                "head": {"sha": head},
            },
            "reviews": list(reviews),
        }
        self._write(state)
