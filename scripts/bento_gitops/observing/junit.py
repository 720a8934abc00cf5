"""Outcomes of checks in the XML that CI systems show as tests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

from bento_gitops.observing.verification import Checked

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What an answer may hold and an XML document may not."""


def junit(name: str, outcomes: Sequence[Checked]) -> str:
    """One test suite; what nobody looked at is skipped, which is neither a success nor a failure."""
    failed = sum(one.outcome == "failed" for one in outcomes)
    skipped = sum(one.outcome == "not looked" for one in outcomes)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuite name={_quoted(name)} tests="{len(outcomes)}" failures="{failed}" skipped="{skipped}" errors="0">',
    ]
    for one in outcomes:
        group, _, check = one.name.partition("/")
        took = f' time="{one.seconds:.3f}"' if one.seconds is not None else ""
        head = f"  <testcase classname={_quoted(group)} name={_quoted(check)}{took}"
        if one.outcome == "passed":
            lines.append(f"{head}/>")
        else:
            what = "failure" if one.outcome == "failed" else "skipped"
            lines.append(f"{head}><{what} message={_quoted(one.found)}/></testcase>")
    return "\n".join([*lines, "</testsuite>"]) + "\n"


def _quoted(text: str) -> str:
    return quoteattr(_NOT_XML.sub("\ufffd", text))
