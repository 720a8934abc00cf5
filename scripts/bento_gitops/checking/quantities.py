"""Quantities as Kubernetes reads and writes them: 0.5Gi is read as a number and written as 512Mi."""

from __future__ import annotations

import re
from decimal import ROUND_UP, Decimal

_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {f"{unit}i": 10 * power for power, unit in enumerate("KMGTPE", start=1)}
_DECIMAL_NAMES = {exponent: name for name, exponent in _DECIMAL.items()}
_BINARY_NAMES = {0: ""} | {exponent: name for name, exponent in _BINARY.items()}
_NANO = Decimal("1e-9")


def parse(text: str) -> tuple[Decimal, str] | None:
    """The number that a text stands for, to the billionth and rounded up as Kubernetes does, and its unit; None: it is none."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        return None
    digits, unit = found.groups(default="")
    if unit in _BINARY:
        number = Decimal(digits) * 2 ** _BINARY[unit]
    elif unit in _DECIMAL:
        number = Decimal(digits).scaleb(_DECIMAL[unit])
    else:
        exponent = int(unit[1:])
        if abs(exponent) > 30:
            return None
        number = Decimal(digits).scaleb(exponent)
    return number.quantize(_NANO, ROUND_UP) if number != number.to_integral_value() else number, unit


def canonical(text: str) -> str:
    """The text that an API server makes of a quantity; what is none stays as it is."""
    parsed = parse(text)
    if parsed is None:
        return text
    number, unit = parsed
    if number == 0:
        return "0"
    # Powers of 1024 are for whole numbers of 1024 and more; what they cannot say is said in powers of 1000.
    if unit in _BINARY and abs(number) >= 1024 and number == number.to_integral_value():
        whole, exponent = int(number), 0
        while whole % 1024 == 0 and exponent < max(_BINARY_NAMES):
            whole, exponent = whole // 1024, exponent + 10
        return f"{whole}{_BINARY_NAMES[exponent]}"
    whole, exponent = int(number.scaleb(9)), -9
    while whole % 1000 == 0 and exponent < max(_DECIMAL_NAMES):
        whole, exponent = whole // 1000, exponent + 3
    if unit[:1] in ("e", "E") and unit != "E":
        return f"{whole}e{exponent}" if exponent else str(whole)
    return f"{whole}{_DECIMAL_NAMES[exponent]}"
