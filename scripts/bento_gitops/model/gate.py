"""What a gate found: it passed, it failed, or there was nothing to look at; with the evidence and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["passed", "failed", "not looked"]


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate before a promotion or before a weight is raised."""

    name: str
    """A word or two: soak, verified, freeze."""
    outcome: Outcome
    """`not looked` refuses nothing, but is never a success: nobody said what is true."""
    evidence: str
    """What was seen, and where."""
    mend: str = ""
    """What to do where it failed, or so that there is something to look at."""
