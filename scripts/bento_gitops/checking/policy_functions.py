"""The functions that Kubernetes adds to CEL and that policies may use: quantities, lists, regular expressions, sets.

CEL C++ calls a Python function by the rough kinds of its arguments and can hand back no type of its own. So a quantity is a map
with one key here: that keeps `<` away from it, as Kubernetes does, and compares it by its number. Kubernetes' type checker knows
what a list holds and refuses some expressions that pass here; `make parity` gives every policy to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, cast

# The package brings its stubs beside its modules, where they are not looked for.
from cel_expr_python import cel  # pyright: ignore[reportMissingTypeStubs]

from bento_gitops.checking.quantities import parse

_T = cel.Type
_QUANTITY = _T.Map(_T.STRING, _T.STRING)
_LIST = _T.List(_T.DYN)
_TEXTS = _T.List(_T.STRING)
_KEY = "kubernetes.Quantity"
_LARGEST = 2**63

MATCHES = "remembered_matches"
"""Stands in for `matches`: CEL C++ compiles a regular expression each time it is used, which takes longer than all the rest."""

Quantity = Mapping[str, str]
Values = Sequence[Any]


def extension() -> cel.CelExtension:
    """All functions, as one extension of CEL."""
    return cel.CelExtension(
        "kubernetes",
        [
            _function("isQuantity", (_T.BOOL, [_T.STRING], _is_quantity), member=False),
            _function("quantity", (_QUANTITY, [_T.STRING], _quantity), member=False),
            _function("sign", (_T.INT, [_QUANTITY], _sign), member=False),
            _function("isInteger", (_T.BOOL, [_QUANTITY], _is_integer)),
            _function("asInteger", (_T.INT, [_QUANTITY], _as_integer)),
            _function("asApproximateFloat", (_T.DOUBLE, [_QUANTITY], _as_float)),
            _function("isGreaterThan", (_T.BOOL, [_QUANTITY, _QUANTITY], _is_greater)),
            _function("isLessThan", (_T.BOOL, [_QUANTITY, _QUANTITY], _is_less)),
            _function("compareTo", (_T.INT, [_QUANTITY, _QUANTITY], _compared)),
            _function("add", (_QUANTITY, [_QUANTITY, _QUANTITY], _added), (_QUANTITY, [_QUANTITY, _T.INT], _added)),
            _function("sub", (_QUANTITY, [_QUANTITY, _QUANTITY], _taken), (_QUANTITY, [_QUANTITY, _T.INT], _taken)),
            _function("isSorted", (_T.BOOL, [_LIST], _is_sorted)),
            _function("sum", (_T.DYN, [_LIST], _sum)),
            _function("min", (_T.DYN, [_LIST], _least)),
            _function("max", (_T.DYN, [_LIST], _largest)),
            _function("indexOf", (_T.INT, [_LIST, _T.DYN], _index)),
            _function("lastIndexOf", (_T.INT, [_LIST, _T.DYN], _last_index)),
            _function("find", (_T.STRING, [_T.STRING, _T.STRING], _find)),
            _function(
                "findAll", (_TEXTS, [_T.STRING, _T.STRING], _find_all), (_TEXTS, [_T.STRING, _T.STRING, _T.INT], _find_all)
            ),
            _function(MATCHES, (_T.BOOL, [_T.STRING, _T.STRING], _matches)),
            _function("sets.contains", (_T.BOOL, [_LIST, _LIST], _contains), member=False),
            _function("sets.equivalent", (_T.BOOL, [_LIST, _LIST], _equivalent), member=False),
            _function("sets.intersects", (_T.BOOL, [_LIST, _LIST], _intersects), member=False),
        ],
    )


_Overload = tuple[cel.Type, "list[cel.Type]", Callable[..., Any]]


def _function(name: str, *overloads: _Overload, member: bool = True) -> cel.FunctionDecl:
    return cel.FunctionDecl(
        name,
        [
            cel.Overload(f"kubernetes_{name}_{number}", result, parameters, member, implementation)
            for number, (result, parameters, implementation) in enumerate(overloads)
        ],
    )


def _quantity(text: str) -> Quantity:
    parsed = parse(text)
    if parsed is None:
        raise ValueError(r"quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
    return _made(parsed[0])


def _made(number: Decimal) -> Quantity:
    # Equal numbers are equal texts, so that == compares quantities: 1 and 1000m are one.
    return {_KEY: format(number.normalize() + 0, "f")}


def _number(quantity: Quantity | int) -> Decimal:
    if isinstance(quantity, int):
        return Decimal(quantity)
    if _KEY not in quantity:
        raise ValueError("no such overload")
    return Decimal(quantity[_KEY])


def _is_quantity(text: str) -> bool:
    return parse(text) is not None


def _whole(quantity: Quantity) -> int | None:
    number = _number(quantity)
    return int(number) if number == number.to_integral_value() and -_LARGEST <= number < _LARGEST else None


def _is_integer(quantity: Quantity) -> bool:
    return _whole(quantity) is not None


def _as_integer(quantity: Quantity) -> int:
    whole = _whole(quantity)
    if whole is None:
        raise ValueError("cannot convert value to integer")
    return whole


def _as_float(quantity: Quantity) -> float:
    return float(_number(quantity))


def _sign(quantity: Quantity) -> int:
    return _compared(quantity, 0)


def _compared(one: Quantity, other: Quantity | int) -> int:
    return (_number(one) > _number(other)) - (_number(one) < _number(other))


def _is_greater(one: Quantity, other: Quantity) -> bool:
    return _compared(one, other) > 0


def _is_less(one: Quantity, other: Quantity) -> bool:
    return _compared(one, other) < 0


def _added(one: Quantity, other: Quantity | int) -> Quantity:
    return _made(_number(one) + _number(other))


def _taken(one: Quantity, other: Quantity | int) -> Quantity:
    return _made(_number(one) - _number(other))


def _kind(value: Any) -> Any:
    # To CEL, unlike Python, a truth is no number.
    return float if isinstance(value, (int, float)) and not isinstance(value, bool) else value.__class__


def _ordered(values: Values, name: str) -> list[Any]:
    if len({_kind(value) for value in values}) > 1 or any(isinstance(value, (list, dict)) for value in values):
        raise ValueError(f"no such overload: {name}(list)")
    return sorted(values)


def _is_sorted(values: Values) -> bool:
    return _ordered(values, "isSorted") == list(values)


def _least(values: Values) -> Any:
    if not values:
        raise ValueError("min called on empty list")
    return _ordered(values, "min")[0]


def _largest(values: Values) -> Any:
    if not values:
        raise ValueError("max called on empty list")
    return _ordered(values, "max")[-1]


def _sum(values: Values) -> int | float:
    if len({_kind(value) for value in values} - {float}) or len({isinstance(value, float) for value in values}) > 1:
        raise ValueError("no such overload: sum(list)")
    total: int | float = sum(values)
    if not isinstance(total, float) and not -_LARGEST <= total < _LARGEST:
        raise ValueError("integer overflow")
    return total


def _same(one: Any, other: Any) -> bool:
    """As `==` in CEL: true is not 1, also deep inside."""
    if isinstance(one, list) and isinstance(other, list):
        ours, theirs = cast("list[Any]", one), cast("list[Any]", other)
        return len(ours) == len(theirs) and all(_same(left, right) for left, right in zip(ours, theirs, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        mine, its = cast("dict[str, Any]", one), cast("dict[str, Any]", other)
        return mine.keys() == its.keys() and all(_same(mine[key], its[key]) for key in mine)
    return _kind(one) is _kind(other) and bool(one == other)


def _has(values: Values, wanted: Any) -> bool:
    return any(_same(value, wanted) for value in values)


def _contains(values: Values, others: Values) -> bool:
    return all(_has(values, value) for value in others)


def _equivalent(values: Values, others: Values) -> bool:
    return _contains(values, others) and _contains(others, values)


def _intersects(values: Values, others: Values) -> bool:
    return any(_has(others, value) for value in values)


def _index(values: Values, wanted: Any) -> int:
    return next((number for number, value in enumerate(values) if _same(value, wanted)), -1)


def _last_index(values: Values, wanted: Any) -> int:
    found = _index(values[::-1], wanted)
    return len(values) - 1 - found if found >= 0 else -1


@cache
def _engine() -> tuple[cel.Env, cel.Expression]:
    environment = cel.NewEnv(variables={"text": _T.STRING, "pattern": _T.STRING})
    return environment, environment.compile("text.matches(pattern)")


@lru_cache(maxsize=1 << 14)
def _matches(text: str, pattern: str) -> bool:
    """By CEL itself, once for the same two: names of environment variables and images are alike all over a fleet."""
    environment, expression = _engine()
    found = expression.eval(environment.Activation({"text": text, "pattern": pattern})).value()
    if not isinstance(found, bool):
        raise ValueError(str(found).removeprefix("INVALID_ARGUMENT: "))
    return found


# What Go's regular expressions and Python's read alike. \s, \b and classes by name differ between the two in corners; look-around
# and references back are not in Go's at all.
_PLAIN_PATTERN = re.compile(
    r"(?:[^\\()?$\[]|\\[.\\/+*?()\[\]{}|^$dwDW-]|\((?:\?:)?|\)|\?|\[\^?(?:[^\\\]\[$]|\\[.\\/\]\[^$dw-])+\]|\$(?=\)|\||\Z))*"
)


@cache
def _pattern(text: str) -> re.Pattern[str]:
    if not _PLAIN_PATTERN.fullmatch(text) or re.search(r"[*+?}]\+", text):
        raise ValueError(f"find and findAll take plain patterns alone here, and this is none: {text}")
    try:
        # Python's $ also stands before a last line's end.
        return re.compile(re.sub(r"(?<!\\)\$(?=\)|\||\Z)", r"\\Z", text), re.ASCII)
    except re.error as error:
        raise ValueError(f"error parsing regexp: {error}") from None


def _find(text: str, pattern: str) -> str:
    found = _pattern(pattern).search(text)
    return found.group() if found else ""


def _find_all(text: str, pattern: str, most: int = -1) -> list[str]:
    found = [match.group() for match in _pattern(pattern).finditer(text)]
    return found if most < 0 else found[:most]
