"""What tests of the repository share: a remote, a clone of it, and a command that counts."""

from __future__ import annotations

import pytest
from git_repositories import Origin, Repository, git_settings, origin

__all__ = ["git_settings", "origin"]


@pytest.fixture
def clone(origin: Origin) -> Repository:
    """A clone of the remote, with `main` checked out."""
    return origin.clone("clone")
