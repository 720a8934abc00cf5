"""Admission policies judged without a cluster: what an API server that has them would say to the creation of an object."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from bento_gitops.checking.decoded import decoded
from bento_gitops.checking.objects import Object, labels_of
from bento_gitops.checking.policy_expressions import (
    BOOL,
    STRING,
    CelType,
    Expression,
    Failed,
    Language,
    NotCompiled,
    Subject,
    Wrong,
    json_of,
    subject,
)
from bento_gitops.layers.marked import Marked, MarkedList, MarkedMap, MarkedScalar, parse
from bento_gitops.layers.reading import checked
from bento_gitops.model.policy import HOLDS, MEND, WHY, Holds, LabelSelector, MatchConstraints, PolicyFile, ResourceRule
from bento_gitops.model.problem import InvalidInput, Place, Problem, did_you_mean

NO_PARAMETERS = "no params found for policy binding with `Deny` parameterNotFoundAction"
"""What an API server says where the ConfigMap that a binding names is not there."""
LONGEST_MESSAGE = 5 * 1024
"""Of what a messageExpression may come to; for longer ones, and for lines, an API server takes the message instead."""


@dataclass(frozen=True, slots=True)
class Denial:
    """One thing that a policy denies an object for."""

    policy: str
    message: str
    mend: str


@dataclass(frozen=True, slots=True)
class Validation:
    """What must be true."""

    condition: Expression
    message: str
    message_expression: Expression | None


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy whose expressions compiled; of one that holds in a cluster alone an API server compiles them, and none is here."""

    name: str
    file: str
    holds: Holds
    mend: str
    why: str
    constraints: MatchConstraints
    conditions: tuple[Expression, ...]
    validations: tuple[Validation, ...]
    variables: Mapping[str, Expression]
    has_parameters: bool
    """Whether it asks for a ConfigMap of parameters."""
    strict: bool
    """failurePolicy Fail: an error denies; with Ignore it allows."""

    def looks_at(self, item: Object) -> bool:
        """Whether the API server would ask it about the creation of the object."""
        constraints, resource = self.constraints, resource_of(item.kind)
        return (
            any(_covers(rule, item, resource, constraints.match_policy) for rule in constraints.resource_rules)
            and not any(_covers(rule, item, resource, constraints.match_policy) for rule in constraints.exclude_resource_rules)
            and _selects(constraints.object_selector, labels_of(item.get("metadata", "labels")))
        )


@dataclass(frozen=True, slots=True)
class Policies:
    """Policies that are judged together; those that hold in a cluster alone are passed over."""

    policies: Sequence[Policy]

    @property
    def offline(self) -> Sequence[Policy]:
        return [policy for policy in self.policies if policy.holds != "cluster"]

    def judge(self, item: Object, parameters: Mapping[str, str] | None) -> list[Denial]:
        """What the policies deny the creation of an object for, in their order.

        `parameters` are the data of the ConfigMap that their bindings name; None: there is no such ConfigMap.
        """
        asked = [policy for policy in self.offline if policy.looks_at(item)]
        if not asked:
            return []
        of = _subject(item, parameters)
        return [
            Denial(
                policy.name, message, policy.mend if meant else f"mend {policy.file}, or ask with has() before it reads a field"
            )
            for policy in asked
            for message, meant in _judged(policy, of, known=parameters is not None)
        ]

    def expressions(self, item: Object) -> int:
        """How many validations are evaluated for an object, as far as match conditions let them."""
        return sum(len(policy.validations) for policy in self.offline if policy.looks_at(item))


@dataclass(frozen=True, slots=True)
class Guard:
    """What guards one environment."""

    policies: Policies
    parameters: Mapping[str, str]
    """The data of the ConfigMap that its bindings name."""
    deny: frozenset[str]
    """The policies that refuse there; the others only warn."""


def _subject(item: Object, parameters: Mapping[str, str] | None) -> Subject:
    params = None if parameters is None else json_of(parameters)
    kind = {"group": item.group, "version": item.version, "kind": item.kind}
    resource = {"group": item.group, "version": item.version, "resource": resource_of(item.kind)}
    return subject(decoded(item), params, kind, resource, item.name)


def _judged(policy: Policy, of: Subject, *, known: bool) -> Iterator[tuple[str, bool]]:
    """Messages, and whether the policy means them: an expression that fails is no word about the object."""
    params = policy.has_parameters
    if params and not known:
        yield NO_PARAMETERS, True
        return
    # One condition that does not hold passes the object by, whatever becomes of the others.
    met = [of.evaluate(condition, params=params) for condition in policy.conditions]
    if False in met:
        return
    broken = [(one, found) for one, found in zip(policy.conditions, met, strict=True) if isinstance(found, Failed)]
    if broken:
        if policy.strict:
            texts = list(dict.fromkeys(_resulted(one, found.text) for one, found in broken))
            yield texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]", False
        return
    for validation in policy.validations:
        outcome = of.evaluate(validation.condition, params=params)
        if isinstance(outcome, Failed):
            if policy.strict:
                yield _resulted(validation.condition, _blamed(policy, validation.condition, of, outcome)), False
        elif outcome is not True:
            yield _message(validation, of, params=params), True


def _resulted(expression: Expression, error: str) -> str:
    return f"expression '{expression.text}' resulted in error: {error}"


def _blamed(policy: Policy, expression: Expression, of: Subject, error: Failed) -> str:
    """The error's text behind the names of the variables that it comes from."""
    for name in expression.variables:
        variable = policy.variables[name]
        found = of.evaluate(variable, params=policy.has_parameters)
        if isinstance(found, Failed) and found.text == error.text:
            return f'composited variable "{name}" fails to evaluate: {_blamed(policy, variable, of, error)}'
    return error.text


def _message(validation: Validation, of: Subject, *, params: bool) -> str:
    if validation.message_expression is not None:
        found = of.evaluate(validation.message_expression, params=params)
        if isinstance(found, str):
            text = found.strip()
            if text and len(text.encode()) <= LONGEST_MESSAGE and "\n" not in text:
                return text
    return validation.message.strip() or f"failed expression: {validation.condition.text.strip()}"


def _covers(rule: ResourceRule, item: Object, resource: str, match_policy: str) -> bool:
    """Whether a rule is about the creation of such an object. `Equivalent`: in whichever version it is written.

    An API server would turn the object into the version that the rule names; here it stays as it is.
    """
    return (
        _holds(rule.api_groups, item.group)
        and (match_policy == "Equivalent" or _holds(rule.api_versions, item.version))
        and _holds(rule.operations, "CREATE")
        and any(name in ("*", "*/*", resource) for name in rule.resources)
        and (not rule.resource_names or item.name in rule.resource_names)
        and rule.scope != "Cluster"
    )


def _holds(allowed: Sequence[str], found: str) -> bool:
    return "*" in allowed or found in allowed


def _selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    if not selector.match_labels.items() <= labels.items():
        return False
    for asked in selector.match_expressions:
        present = asked.key in labels
        match asked.operator:
            case "In":
                met = present and labels[asked.key] in asked.values
            case "NotIn":
                met = not present or labels[asked.key] not in asked.values
            case "Exists":
                met = present
            case "DoesNotExist":
                met = not present
        if not met:
            return False
    return True


def resource_of(kind: str) -> str:
    """The plural under which the API server has a kind."""
    word = kind.lower()
    if word in ("endpoints",):
        return word
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "ch", "sh")) else f"{word}s"


def read_policy(text: str | bytes, file: str) -> Policy:
    """A policy.yaml.

    Raises InvalidInput with all that is wrong: its form, annotations, expressions that do not compile, and what nobody but an API
    server knows in a policy that is to hold offline too.
    """
    tree = parse(text, file)
    return _Reader(text if isinstance(text, str) else text.decode(), tree, checked(tree, PolicyFile, camel=True)).policy()


_BLOCK = re.compile(r"\|[+-]?[0-9]?[+-]?\s*(#.*)?$")


class _Reader:
    """Turns a file of the right form into a policy; collects problems instead of stopping at the first."""

    def __init__(self, text: str, tree: MarkedMap, value: PolicyFile) -> None:
        self.lines = text.splitlines()
        self.tree = tree
        self.file = tree.place.file
        self.value = value
        self.problems: list[Problem] = []
        self.annotations = value.metadata.annotations
        self.holds: Holds = self._holds()
        self.language = Language(params=value.spec.param_kind is not None)

    def policy(self) -> Policy:
        value, spec = self.value, self.value.spec
        self._check_name()
        mend, why = (self._annotation(key) for key in (MEND, WHY))
        conditions: list[Expression] = []
        variables: dict[str, Expression] = {}
        validations: list[Validation] = []
        if self.holds != "cluster":
            self._check_constraints()
            # An API server refuses conditions that use variables, so they are read before there are any.
            conditions = self._conditions()
            variables = self._variables()
            validations = self._validations()
            for index, one in enumerate(spec.audit_annotations):
                self._expression(("auditAnnotations", index, "valueExpression"), one.value_expression)
        if self.problems:
            raise InvalidInput(self.problems)
        return Policy(
            name=value.metadata.name,
            file=self.file,
            holds=self.holds,
            mend=mend,
            why=why,
            constraints=spec.match_constraints,
            conditions=tuple(conditions),
            validations=tuple(validations),
            variables=variables,
            has_parameters=spec.param_kind is not None,
            strict=spec.failure_policy == "Fail",
        )

    def _conditions(self) -> list[Expression]:
        read = (
            self._expression(("matchConditions", index, "expression"), one.expression, BOOL, variables=False)
            for index, one in enumerate(self.value.spec.match_conditions)
        )
        return [one for one in read if one]

    def _variables(self) -> dict[str, Expression]:
        read: dict[str, Expression] = {}
        for index, one in enumerate(self.value.spec.variables):
            if one.name in self.language.variables:
                self._problem(f"spec.variables[{index}].name", "stands twice", repr(one.name), "rename one")
            try:
                read[one.name] = self.language.declare(one.name, one.expression)
            except NotCompiled as error:
                self.language.give_up(one.name)
                self._not_compiled(("variables", index, "expression"), error)
        return read

    def _validations(self) -> list[Validation]:
        read: list[Validation] = []
        for index, one in enumerate(self.value.spec.validations):
            condition = self._expression(("validations", index, "expression"), one.expression, BOOL)
            words = None
            if one.message_expression:
                words = self._expression(("validations", index, "messageExpression"), one.message_expression, STRING)
            if condition:
                read.append(Validation(condition, one.message, words))
        return read

    def _holds(self) -> Holds:
        match self._annotation(HOLDS):
            case "cluster":
                return "cluster"
            case "offline":
                return "offline"
            case "both" | "":
                return "both"
            case other:
                todo = did_you_mean(other, ("both", "cluster", "offline"))
                self._problem(f'metadata.annotations."{HOLDS}"', "is no place where a policy holds", repr(other), todo)
                return "both"

    def _annotation(self, key: str) -> str:
        text = self.annotations.get(key, "").strip()
        if not text:
            todo = "both, cluster or offline" if key == HOLDS else "one sentence"
            self._problem(f'metadata.annotations."{key}"', "is missing", "", f"add it: {todo}")
        return text

    def _check_name(self) -> None:
        folder = PurePosixPath(self.file).parent.name
        if self.value.metadata.name != folder:
            found = repr(self.value.metadata.name)
            self._problem("metadata.name", "is not the name of its folder", found, f"write {folder}")

    def _check_constraints(self) -> None:
        """What an offline judge cannot know of a request."""
        constraints, parameters = self.value.spec.match_constraints, self.value.spec.param_kind
        todo = f"take it out, or say {HOLDS}: cluster"
        if parameters and (parameters.api_version, parameters.kind) != ("v1", "ConfigMap"):
            wrong = "offline the parameters are the environment's ConfigMap, and no other object is known"
            self._problem("spec.paramKind", wrong, f"{parameters.api_version} {parameters.kind}", todo)
        selector = constraints.namespace_selector
        if selector.match_labels or selector.match_expressions:
            wrong = "nobody knows a namespace's labels offline; its binding says for which namespaces a policy holds"
            self._problem("spec.matchConstraints.namespaceSelector", wrong, "", todo)
        for index, rule in enumerate(constraints.resource_rules):
            at = f"spec.matchConstraints.resourceRules[{index}]"
            if not {"CREATE", "*"} & set(rule.operations):
                found = ", ".join(rule.operations)
                self._problem(
                    f"{at}.operations", "offline every object is being created", found, f"add CREATE, or say {HOLDS}: cluster"
                )
            if rule.scope == "Cluster":
                todo = "write Namespaced"
                self._problem(f"{at}.scope", "objects of applications are in namespaces", "Cluster", todo)

    def _expression(self, path: tuple[str | int, ...], text: str, *types: CelType, variables: bool = True) -> Expression | None:
        try:
            return self.language.expression(text, *types, variables=variables)
        except NotCompiled as error:
            self._not_compiled(path, error)
            return None

    def _not_compiled(self, path: tuple[str | int, ...], error: NotCompiled) -> None:
        self.problems += [
            Problem(self._place(path, one.line), _pointer(path), one.text, "", self._advice(one)) for one in error.errors
        ]

    def _advice(self, error: Wrong) -> str:
        if not error.name:
            return "mend the expression"
        first = error.name.partition(".")[0]
        if first == "variables":
            return did_you_mean(error.name.partition(".")[2], self.language.variables) or "declare it above"
        if first in ("request", "authorizer", "namespaceObject"):
            return f"an API server alone knows it: leave it out, or say {HOLDS}: cluster"
        if first == "params":
            return "say which kind it is: spec.paramKind"
        return "neither CEL nor what is here of Kubernetes' functions has it; mend the expression"

    def _place(self, path: tuple[str | int, ...], line: int) -> Place:
        """Where a line of an expression stands: known where the file keeps its lines, which `|` does and `>` does not."""
        node = self.tree.items["spec"]
        for part in path:
            below = _below(node, part)
            assert below, "the model found the expression there"
            _, node = below
        start = node.place.line
        kept = isinstance(node, MarkedScalar) and _BLOCK.search(self.lines[start - 1])
        return Place(self.file, start + line if kept and line else start)

    def _problem(self, pointer: str, wrong: str, found: str, todo: str) -> None:
        node: Marked = self.tree
        place = self.tree.place
        for key, number in _PART.findall(pointer):
            below = _below(node, int(number) if number else key.strip('"'))
            if below is None:
                break
            place, node = below
        self.problems.append(Problem(place, pointer, wrong, found, todo))


_PART = re.compile(r'("[^"]+"|[^.\[\]"]+)|\[(\d+)\]')


def _below(node: Marked, part: str | int) -> tuple[Place, Marked] | None:
    if isinstance(node, MarkedMap) and isinstance(part, str) and part in node.items:
        return node.at(part), node.items[part]
    if isinstance(node, MarkedList) and isinstance(part, int) and part < len(node.items):
        return node.items[part].place, node.items[part]
    return None


def _pointer(path: Iterable[str | int]) -> str:
    return "spec" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
