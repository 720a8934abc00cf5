"""A command as small as one can be: it adds one to an application's weight, and derives a second file from the first."""

from __future__ import annotations

from collections.abc import Callable

from bento_gitops.repository.changes import Proposal, change
from bento_gitops.repository.files import OverlayTree, Tree

Decide = Callable[[Tree], Proposal | None]


def release(application: str) -> str:
    return f"environments/prod/{application}/release.yaml"


def values(application: str) -> str:
    return f"environments/prod/{application}/values.yaml"


def weight(tree: Tree, application: str = "app-0") -> int:
    return int(tree.read(release(application)).decode().split()[1])


def derived(tree: Tree, application: str) -> bytes:
    """What the second file must say, given the first."""
    return f"derived: {weight(tree, application)}\n".encode()


def adding(application: str = "app-0", by: str = "olivia", *, between: Callable[[], object] = lambda: None) -> Decide:
    """The decision; `between` happens after the tree was read and before anything is written."""

    def decide(tree: Tree) -> Proposal:
        start = tree.read(release(application))
        new = weight(tree, application) + 1
        authoritative = change(
            tree, release(application), start.replace(f"weight: {new - 1}".encode(), f"weight: {new}".encode())
        )
        after = OverlayTree(tree, {authoritative.path: authoritative.after})
        second = change(tree, values(application), derived(after, application))
        message = f"Shift {application} to {new}\n\nBecause it counts.\n\nTarget: prod/{application}\nBy: {by}\n"
        between()
        return Proposal((authoritative, second), message, {release(application): start})

    return decide
