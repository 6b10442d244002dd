"""How numbers look, in one place. Missing stays missing: never 0, never a blank."""

from __future__ import annotations

import math
import unicodedata

MISSING = "\N{EN DASH}"
NOT_MEASURED = "not measured"
ARROWS = {"higher": "↑", "lower": "↓"}
LONGEST_NAME = 80
"""Characters of a name, a prompt or another text that a table or a sentence shows at most."""


def number(value: float) -> str:
    """A score with three decimals: `0.612`."""
    return MISSING if math.isnan(value) else f"{value:z.3f}"


def signed(value: float) -> str:
    """A difference: `+0.120`, `-0.031`."""
    return MISSING if math.isnan(value) else f"{value:+z.3f}"


def interval(low: float, high: float) -> str:
    """`0.551 to 0.660`; nothing at all where no interval was computed."""
    return "" if math.isnan(low) or math.isnan(high) else f"{low:z.3f} to {high:z.3f}"


def short_interval(low: float, high: float, decimals: int) -> str:
    """The same for narrow places, `0.55-0.66` with an en dash; from 10 up a decimal less."""
    if math.isnan(low) or math.isnan(high):
        return ""
    decimals -= max(abs(low), abs(high)) >= 10
    # z: a rounding error below 0 is no "-0.000".
    return f"{low:z.{decimals}f}\N{EN DASH}{high:z.{decimals}f}"


def with_interval(value: float, low: float, high: float) -> str:
    """`0.612 [0.551 to 0.660]`, or the value alone."""
    span = interval(low, high)
    return f"{number(value)} [{span}]" if span else number(value)


def probability(p: float) -> str:
    """A p-value: `0.031`, `<0.001`."""
    if math.isnan(p):
        return MISSING
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def share(value: float) -> str:
    """A share of subjects: `83%`."""
    return MISSING if math.isnan(value) else f"{value:.0%}"


def seconds(value: float) -> str:
    """A duration: `83 ms`, `4.21 s`, `12 min 5 s`, `2 h 3 min`."""
    if math.isnan(value):
        return MISSING
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    if value < 99.95:
        return f"{value:.3g} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(value: float) -> str:
    """Bytes in powers of 1000: `512 B`, `33.1 kB`, `1.86 GB`."""
    return MISSING if math.isnan(value) else _scaled(value, (" B", " kB", " MB", " GB", " TB"))


def count(value: float) -> str:
    """A number of things: `256`, `33.1k`, `866M`."""
    return MISSING if math.isnan(value) else _scaled(value, ("", "k", "M", "B", "T"))


def flops(value: float) -> str:
    """Floating-point operations: `11.6 GFLOPs`."""
    units = (" FLOPs", " kFLOPs", " MFLOPs", " GFLOPs", " TFLOPs", " PFLOPs")
    return MISSING if math.isnan(value) else _scaled(value, units)


def of_unit(value: float, unit: str) -> str:
    """A value in its unit's form: `score`, `difference`, `p`, `share`, `s`, `B`, `FLOPs`; else a
    count."""
    shown = {
        "score": number,
        "difference": signed,
        "p": probability,
        "share": share,
        "s": seconds,
        "B": size,
        "FLOPs": flops,
        "estimate": estimate,
    }
    return shown.get(unit, count)(value)


def estimate(value: float) -> str:
    """A figure of any size with four digits, a whole number in full: `0.1234`, `678,912`."""
    if math.isnan(value):
        return MISSING
    return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.4g}"


def brackets(low: float, high: float, unit: str = "score") -> str:
    """An interval as papers print it: `[0.551, 0.660]`; nothing where none was computed."""
    if math.isnan(low) or math.isnan(high):
        return ""
    write = estimate if unit == "estimate" else number
    return f"[{write(low)}, {write(high)}]"


def plain(text: object, limit: int | None = LONGEST_NAME) -> str:
    """Text of users or data as one line of at most `limit` characters.

    Line breaks and control characters become blanks, and characters that turn the direction of
    what follows are taken out: they would disorder the rest of a row.
    """
    kept = "".join(
        " " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c
        for c in str(text)
        if unicodedata.bidirectional(c) not in _TURNS
    )
    line = " ".join(kept.split())
    return line if limit is None or len(line) <= limit else f"{line[: limit - 1]}…"


# Embeddings, overrides and isolates of text direction (Unicode annex 9), and their ends.
_TURNS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def _scaled(value: float, units: tuple[str, ...]) -> str:
    for unit in units[:-1]:
        if value < 999.5:
            return f"{value:.3g}{unit}"
        value /= 1000
    return f"{value:.3g}{units[-1]}"
