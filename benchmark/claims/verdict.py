"""What came of a claim."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmark.claims.language import Bound
from benchmark.claims.units import Unit

Word = Literal["SUPPORTED", "REFUTED", "INCONCLUSIVE", "NOT MEASURED"]
Kind = Literal["measured", "exact", "analytic", "predicted"]

_WORDS: Mapping[str, Word] = {
    "inside": "SUPPORTED",
    "outside": "REFUTED",
    "across": "INCONCLUSIVE",
}


@dataclass(frozen=True)
class Finding:
    """A quantity as it was found; without an interval where there are too few subjects."""

    estimate: float
    low: float
    high: float
    kind: Kind
    subjects: int | None
    """None for a count that needs no subjects."""
    evidence: str
    label: str | None = None
    """`toy`, `random weights`, `part`, or several of them: found on what no paper speaks of, or on
    fewer subjects than the split has."""
    run: str | None = None
    reason: str | None = None

    def judged(self, bound: Bound) -> Word:
        """SUPPORTED when the whole interval satisfies the bound, REFUTED when none of it does."""
        if math.isnan(self.low) or math.isnan(self.high):
            return "INCONCLUSIVE"
        return _WORDS[bound.place(self.low, self.high)]


@dataclass(frozen=True)
class Verdict:
    """One claim and one body of evidence."""

    id: str
    verdict: Word
    estimate: float | None
    low: float | None
    high: float | None
    n: int | None
    """Subjects; None for exact counts and predictions."""
    bound: str | None
    source: str
    evidence: str
    """What it rests on, in one line; for NOT MEASURED why it rests on nothing."""
    kind: Kind | None
    label: str | None
    run: str | None
    unit: Unit | None
    sentence: str
    claims: str
    expression: str | None
    note: str | None
    predicted: Mapping[str, Any] = field(default_factory=dict)
    """For NOT MEASURED, where there is one: a predicted value beside the missing measurement."""

    def to_json(self) -> dict[str, Any]:
        """The fields as plain values; what lies below them likewise."""
        return dataclasses.asdict(self)


def finite(value: float) -> float | None:
    """`value`; None where there is none."""
    return value if math.isfinite(value) else None
