"""Units of bounds: what a suffix multiplies by, and which quantities may carry it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

Unit = Literal["count", "bytes", "seconds", "flops", "joules", "ratio", "score"]

_SI = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}

SUFFIXES: Mapping[Unit, Mapping[str, int | Decimal]] = {
    "count": _SI,
    "bytes": {"B": 1} | {f"{prefix}B": factor for prefix, factor in {**_SI, **_BINARY}.items()},
    "seconds": {"ms": Decimal("0.001"), "s": 1, "min": 60, "h": 3600},
    "flops": {"FLOPs": 1} | {f"{prefix}FLOPs": factor for prefix, factor in _SI.items()},
    "joules": {"J": 1, "kJ": 10**3, "MJ": 10**6},
    "ratio": {"%": Decimal("0.01")},
    "score": {},
}
"""What each kind of quantity may be written in; a plain number is always its base unit."""

BARE: tuple[Unit, ...] = ("count", "ratio", "score")
"""Kinds of plain numbers, which are written without a unit."""

ALL_SUFFIXES = frozenset(suffix for table in SUFFIXES.values() for suffix in table)


def in_base_unit(digits: str, suffix: str, unit: Unit) -> float:
    """`6 MB` of bytes -> 6e6, the float next to what is written.

    ValueError when the quantity is not measured in that unit.
    """
    if not suffix:
        return float(digits)
    if suffix not in SUFFIXES[unit]:
        known = ", ".join(SUFFIXES[unit]) or "none: a plain number"
        raise ValueError(f"{suffix!r} is no unit of {unit}; units here: {known}")
    try:
        return float(Decimal(digits) * SUFFIXES[unit][suffix])
    except ArithmeticError:
        raise ValueError(f"{digits} {suffix} is larger than any quantity") from None


def suffix_of(bound: str | None, unit: Unit) -> str:
    """The unit that a bound's last number is written in: `GiB` of `within 2% of 13.94 GiB`.

    Empty for a plain number, and for what is no unit of that quantity.
    """
    found = re.search(r"[0-9] ?([A-Za-z%]+)$", bound or "")
    return found[1] if found and found[1] in SUFFIXES[unit] else ""


def beside(value: float, unit: Unit, bound: str | None) -> str:
    """`shown`, but in the unit that the bound is written in, where it has one."""
    suffix = suffix_of(bound, unit)
    if not suffix:
        return shown(value, unit)
    scaled = value / float(SUFFIXES[unit][suffix])
    whole = scaled.is_integer() and unit in ("count", "bytes")
    gap = "" if unit in ("count", "ratio") else " "
    return f"{scaled:,.0f}{gap}{suffix}" if whole else f"{scaled:.4g}{gap}{suffix}"


def shown(value: float, unit: Unit) -> str:
    """A value for people, in four significant digits and the unit that suits its size."""
    if unit == "bytes":
        return _scaled(value, (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)), "B")
    if unit == "flops":
        return _scaled(value, (("TFLOPs", 1e12), ("GFLOPs", 1e9), ("MFLOPs", 1e6)), "FLOPs")
    if unit == "count":
        return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    return f"{value:.4g}" + {"seconds": " s", "joules": " J"}.get(unit, "")


def _scaled(value: float, steps: tuple[tuple[str, float], ...], base: str) -> str:
    for name, factor in steps:
        if abs(value) >= factor:
            return f"{value / factor:.4g} {name}"
    return f"{value:.4g} {base}"
