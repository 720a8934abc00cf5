"""The policies of a tree: those that come with the charts, and the fork's own."""

from __future__ import annotations

from bento_gitops.checking.policies import Guard, Policies, Policy, read_policy
from bento_gitops.model.layout import POLICIES
from bento_gitops.model.problem import InvalidInput, Place, Problem
from bento_gitops.rendering.guardrails import Guarded, unknown_policies
from bento_gitops.repository.files import Tree
from bento_gitops.repository.fleet import Fleet


def policies_of(tree: Tree) -> Policies:
    """All policies, by name. Raises InvalidInput with all that is wrong with any."""
    found: dict[str, Policy] = {}
    problems: list[Problem] = []
    for folder in POLICIES:
        for path in tree.glob(f"{folder}/*/policy.yaml"):
            try:
                policy = read_policy(tree.read(path), path)
            except InvalidInput as error:
                problems += error.problems
                continue
            first = found.setdefault(policy.name, policy)
            if first is not policy:
                todo = "rename the folder: guardrails.deny names a policy by its folder alone"
                problems.append(Problem(Place(path), "metadata.name", "another policy has this name", first.file, todo))
    if problems:
        raise InvalidInput(problems)
    return Policies([found[name] for name in sorted(found)])


class Guards:
    """What guards each environment of a fleet; read when the first is asked for."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._policies: Policies | None = None
        self._guards: dict[str, Guard] = {}

    def of(self, environment: str) -> Guard:
        """Raises InvalidInput with what is wrong with policies, and with names of policies that are not there."""
        if environment not in self._guards:
            self._guards[environment] = self._read(environment)
        return self._guards[environment]

    def _read(self, environment: str) -> Guard:
        if self._policies is None:
            self._policies = policies_of(self._fleet.tree)
        guarded = Guarded(self._fleet.chain(environment))
        if problems := unknown_policies(guarded, {policy.name for policy in self._policies.policies}):
            raise InvalidInput(problems)
        return Guard(self._policies, guarded.parameters, frozenset(guarded.rules.deny))
