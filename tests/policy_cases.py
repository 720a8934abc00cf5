"""Folders of policies as tests read them: the policy, what it is judged with, and resources with the messages expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from bento_gitops.checking.objects import Map, Object
from bento_gitops.checking.policies import Policies, Policy, read_policy

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Case:
    """One resource."""

    policy: str
    name: str
    """Like bad/one-pod.yaml."""
    body: Map
    expected: Sequence[str]
    """The messages, in the order of the policy; none: it passes."""


@dataclass(frozen=True)
class Folder:
    """One policy's."""

    path: Path

    @cached_property
    def text(self) -> str:
        return (self.path / "policy.yaml").read_text()

    @cached_property
    def body(self) -> Any:
        return yaml.safe_load(self.text)

    @cached_property
    def policy(self) -> Policy:
        return read_policy(self.text, (self.path / "policy.yaml").as_posix())

    @cached_property
    def parameters(self) -> Mapping[str, str] | None:
        file = self.path / "parameters.yaml"
        return yaml.safe_load(file.read_text()) if file.exists() else None

    @cached_property
    def given(self) -> list[Map]:
        return [yaml.safe_load(file.read_text()) for file in sorted(self.path.glob("given/*.yaml"))]

    @cached_property
    def cases(self) -> list[Case]:
        file = self.path / "expected.yaml"
        expected = yaml.safe_load(file.read_text()) if file.exists() else {}
        return [
            Case(
                self.path.name, f"{kind}/{one.name}", yaml.safe_load(one.read_text()), expected[one.name] if kind == "bad" else ()
            )
            for kind in ("good", "bad")
            for one in sorted(self.path.glob(f"{kind}/*.yaml"))
        ]

    def offline(self, body: Map) -> list[str]:
        """What is said of an object without a cluster."""
        return [denial.message for denial in Policies([self.policy]).judge(Object(body), self.parameters)]


def folders(*roots: Path) -> list[Folder]:
    """Those of the checkout, or of other roots."""
    found = roots or (ROOT / "policies", ROOT / "policies/local")
    return [Folder(file.parent) for root in found for file in sorted(root.glob("*/policy.yaml"))]
