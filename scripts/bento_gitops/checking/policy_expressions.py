"""Expressions of policies: compiled once, with all that is wrong told at its line, and evaluated as an API server would.

Variables are put into the expressions that use them. That is what an API server's lazy variables come to: one that is not used
does not fail, and `false && variables.broken` is false. And an object is turned into CEL's values once, for all policies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAlias

# The package brings its stubs beside its modules, where they are not looked for.
from cel_expr_python import cel  # pyright: ignore[reportMissingTypeStubs]
from cel_expr_python.ext import ext_optional, ext_strings  # pyright: ignore[reportMissingTypeStubs]

from bento_gitops.checking import policy_functions
from bento_gitops.checking.objects import Json, Map

STRINGS = 2
"""The version of CEL's string functions that Kubernetes has, since 1.29."""
LONGEST = 100_000
"""Characters of an expression once its variables are in: they multiply where each uses the one before twice."""

CelType: TypeAlias = cel.Type
BOOL, STRING = cel.Type.BOOL, cel.Type.STRING

_KNOWN = re.compile(r"kind|resource|operation|name|subResource|userInfo\.(?:username|groups)")
"""Of what a request says, that which `validate` has an answer to. Expressions that ask for more are refused."""
NOBODY: Map = {"username": "", "groups": []}
"""Who asks, offline: nobody in particular. A policy that lets somebody pass lets nobody pass here."""

_TOKEN = re.compile(
    r"(?P<skipped>//[^\n]*"
    r"|[bB]?[rR][bB]?(?:'''.*?'''|\"\"\".*?\"\"\"|'[^'\n]*'|\"[^\"\n]*\")"
    r"|[bB]?(?:'''(?:\\.|[^\\])*?'''|\"\"\"(?:\\.|[^\\])*?\"\"\"|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"))"
    r"|(?<![\w.])variables\s*\.\s*(?P<variable>[A-Za-z_]\w*)"
    r"|(?<![\w.])request\b(?:\s*\.\s*(?P<request>\w+(?:\s*\.\s*\w+)?))?"
    r"|(?P<matches>\.\s*matches)(?=\s*\()"
    r"|(?P<word>[A-Za-z_]\w*)",
    re.DOTALL,
)
_FREE = frozenset({"object", "oldObject", "params", "request", "namespaceObject", "authorizer", "variables"})
_BINDING = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter|optMap|optFlatMap)\s*\(\s*([A-Za-z_]\w*)\s*,")
_ERROR = re.compile(r"ERROR: <input>:(?P<line>\d+):(?P<column>\d+): (?P<wrong>[^\n]*)")
_UNDECLARED = re.compile(r"undeclared reference to '(?P<name>[^']*)'.*")


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why an expression does not compile."""

    line: int
    """Of the expression, from 1; 0: of the whole."""
    text: str
    name: str = ""
    """What it asks for that is not there."""


class NotCompiled(Exception):
    """An expression that does not compile: every error of it."""

    def __init__(self, errors: Sequence[Wrong]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(error.text for error in self.errors))


@dataclass(frozen=True, slots=True)
class Failed:
    """What an evaluation came to that had an error, in the API server's words where they are known."""

    text: str


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that compiled."""

    text: str
    """As the policy has it."""
    compiled: cel.Expression
    variables: tuple[str, ...]
    """Those that it uses itself, in its order."""


@dataclass(slots=True)
class Language:
    """What the expressions of one policy may say; a variable may be used by those that come after it."""

    params: bool
    """Whether there are parameters."""
    variables: dict[str, str] = field(default_factory=dict[str, str])
    """The text of each, with the variables that it uses put in."""
    types: dict[str, cel.Type] = field(default_factory=dict[str, cel.Type])

    def declare(self, name: str, text: str) -> Expression:
        """A variable of the policy. Raises NotCompiled."""
        expression = self.expression(text)
        self.variables[name] = self._filled(text)
        self.types[name] = expression.compiled.return_type()
        return expression

    def expression(self, text: str, *types: cel.Type, variables: bool = True) -> Expression:
        """An expression that comes to one of these types, or to anything if none is named. Raises NotCompiled."""
        bound = sorted(_FREE.intersection(_BINDING.findall(text)))
        if bound:
            raise NotCompiled([Wrong(0, f"a macro takes '{name}' for a name of its own") for name in bound])
        if unknown := list(_unknown(text)):
            raise NotCompiled(unknown)
        filled = self._filled(text, variables=variables)
        if len(filled) > LONGEST:
            raise NotCompiled([Wrong(0, f"with its variables it is longer than {LONGEST} characters")])
        try:
            compiled = _environment(self.params).compile(filled)
        except RuntimeError as error:
            raise NotCompiled(self._explained(text, str(error), variables=variables)) from None
        found = compiled.return_type()
        if types and found not in types:
            wanted = " or ".join(_word(one) for one in types)
            raise NotCompiled([Wrong(0, f"must evaluate to {wanted} but got {_word(found)}")])
        return Expression(text, compiled, _used(text) if variables else ())

    def give_up(self, name: str) -> None:
        """Takes a variable that does not compile for one that may be anything, so that those who use it are not wrong for it."""
        self.variables[name] = "dyn(null)"
        self.types[name] = cel.Type.DYN

    def _filled(self, text: str, *, variables: bool = True) -> str:
        def put(found: re.Match[str]) -> str:
            if found["matches"]:
                return f".{policy_functions.MATCHES}"
            name = found["variable"] if variables else None
            return f"({self.variables[name]}\n)" if name in self.variables else found.group()

        return _TOKEN.sub(put, text)

    def _explained(self, text: str, error: str, *, variables: bool) -> list[Wrong]:
        """The errors at the lines of the expression as it is written."""
        known = {f"variables.{name}": kind for name, kind in self.types.items()} if variables else {}
        try:
            _new_environment(self.params, known).compile(text)
        except RuntimeError as own:
            error = str(own)
        else:
            return [Wrong(0, _undecorated(error))]
        return [
            Wrong(int(found["line"]), _undecorated(found["wrong"]), _missing(found["wrong"])) for found in _ERROR.finditer(error)
        ] or [Wrong(0, _undecorated(error))]


def _unknown(text: str) -> Iterator[Wrong]:
    """What an expression asks of a request that nobody knows offline."""
    for found in _TOKEN.finditer(text):
        asked = re.sub(r"\s", "", found["request"] or "")
        first = asked.partition(".")[0]
        if (asked or found.group() == "request") and not (_KNOWN.fullmatch(asked) or _KNOWN.fullmatch(first)):
            line = text.count("\n", 0, found.start()) + 1
            name = f"request.{asked}".strip(".")
            yield Wrong(line, f"{name} is not known offline", name)


def _undecorated(text: str) -> str:
    return text.replace(" (in container '')", "").removesuffix(" [INVALID_ARGUMENT]").removeprefix("INVALID_ARGUMENT: ").strip()


def _missing(text: str) -> str:
    found = _UNDECLARED.fullmatch(text)
    return found["name"] if found else ""


def _word(kind: cel.Type) -> str:
    return kind.name().lower()


def _used(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found["variable"] for found in _TOKEN.finditer(text) if found["variable"]))


_TWO_VARIABLES = "extensions: [{name: two-var-comprehensions}]"
"""Macros over keys and values at once, like transformMap: API servers have them from 1.34 on."""


@cache
def _environment(params: bool) -> cel.Env:
    return _new_environment(params, {})


def _new_environment(params: bool, more: Mapping[str, cel.Type]) -> cel.Env:
    names = {"object": cel.Type.DYN, "oldObject": cel.Type.DYN, "request": cel.Type.DYN, **more}
    if params:
        names["params"] = cel.Type.DYN
    extensions: list[cel.CelExtensionBase] = [
        ext_strings.ExtStrings(STRINGS),
        ext_optional.ExtOptional(),
        policy_functions.extension(),
    ]
    return cel.NewEnv(config=cel.NewEnvConfigFromYaml(_TWO_VARIABLES), variables=names, extensions=extensions)


@dataclass(slots=True)
class Subject:
    """One object with all that expressions ask for, turned into CEL's values when the first asks."""

    known: Mapping[str, Any]
    _activations: dict[bool, cel.Activation] = field(default_factory=dict[bool, "cel.Activation"])

    def evaluate(self, expression: Expression, *, params: bool) -> bool | str | Failed:
        """What the expression comes to. `params` as in its language."""
        activation = self._activations.get(params)
        if activation is None:
            activation = self._activations[params] = _environment(params).Activation(self.known)
        value = expression.compiled.eval(activation)
        kind = value.type()
        if kind == cel.Type.ERROR:
            return Failed(in_its_words(str(value.value())))
        return value.value()


def subject(body: Map, params: Map | None, kind: Mapping[str, str], resource: Mapping[str, str], name: str) -> Subject:
    """An object that is about to be created."""
    return Subject(
        {
            "object": body,
            "oldObject": None,
            "params": params,
            "request": {"kind": kind, "resource": resource, "operation": "CREATE", "name": name, "userInfo": NOBODY},
        }
    )


_WORDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r'Key not found in map : "(.*)"', r"no such key: \1"),
        (r"Index error: index=(-?\d+) size=\d+", r"index out of bounds: \1"),
        (r"divide by zero", "division by zero"),
        (r"modulus by zero", "modulus by zero"),
        (r"No matching overloads found : \(\w+\)\.size\(\)|No matching overloads found : size\(.*", "no such overload: size"),
        (r"No matching overloads found : ([a-z]\w*\(.*\))", r"no such overload: \1"),
        (r"No matching overloads found : .*", "no such overload"),
    )
)


def in_its_words(error: str) -> str:
    """CEL C++'s text of an error as the API server, whose CEL is another, puts it; what is not known stays as it is."""
    text = re.sub(r"^[A-Z_]+: ", "", error)
    for pattern, words in _WORDS:
        if pattern.fullmatch(text):
            return pattern.sub(words, text)
    return text


def json_of(parameters: Mapping[str, str]) -> Map:
    """Parameters as the ConfigMap that they are in a cluster."""
    data: dict[str, Json] = dict(parameters)
    body: Map = {"apiVersion": "v1", "kind": "ConfigMap"}
    if data:
        body["data"] = data
    return body
