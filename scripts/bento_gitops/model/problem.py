"""What can be wrong with input, where, and what to do about it: the one form that every error takes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from bento_gitops.model.printable import visible


@dataclass(frozen=True, order=True, slots=True)
class Place:
    """A line of a file; line 0 means the file as a whole."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, order=True, slots=True)
class Problem:
    """One thing wrong: `file:line: pointer: what is wrong (found ...); what to do`."""

    place: Place
    pointer: str
    wrong: str
    found: str = ""
    todo: str = ""

    def __str__(self) -> str:
        text = f"{self.place}: {self.pointer}: {self.wrong}" if self.pointer else f"{self.place}: {self.wrong}"
        if self.found:
            text += f" (found {self.found})"
        # What files and people say may hold anything: it must neither steer a terminal nor pass for another problem.
        return visible(f"{text}; {self.todo}" if self.todo else text)


class InvalidInput(Exception):
    """Input that cannot be used, with every problem at once, in the order of file and line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that the found one was probably meant to be, or an empty string."""
    by_lower = {name.lower().replace("-", "_"): name for name in sorted(known)}
    close = difflib.get_close_matches(word.lower().replace("-", "_"), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Advice for an unknown word: the nearest known one, else all that are known."""
    names = sorted(known)
    close = nearest(word, names)
    if close:
        return f"did you mean '{close}'?"
    return f"use one of: {', '.join(names)}" if names else "remove it"


class Refused(Exception):
    """A gate, or the state that things are in, forbids what was asked; each problem says why and how to mend it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ToolFailed(Exception):
    """A program or server outside failed; the message says which, what it said, and what to do."""
