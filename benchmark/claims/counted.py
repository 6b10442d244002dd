"""What runs themselves saved or trained, beside a count that needs no run."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.claims.language import Expression
from benchmark.claims.measures import Measure
from benchmark.claims.study import Study
from benchmark.claims.units import shown
from benchmark.claims.verdict import Finding


def other_counts(
    expression: Expression,
    finding: Finding,
    backbone: str | None,
    preset: str,
    studies: Sequence[Study],
) -> str:
    """Where a run's own rows give another value than the count, in words; empty where none does.

    Another precision, other settings and a longer description of the subject all change a count.
    """
    measure = expression.subject
    assert isinstance(measure, Measure)
    told = []
    for study in studies:
        if study.shared("backbone") not in (backbone, f"blank-{backbone}"):
            continue
        values = [_own(measure, arm.method, arm.preset or preset, study) for arm in expression.arms]
        own = [value for value in values if value]
        if len(own) < len(values):
            continue
        value = own[0] / own[1] if expression.form == "ratio" else own[0]
        if value != finding.estimate:
            unit = expression.unit
            told.append(f"run {study.name} has {shown(value, unit)} ({study.training})")
    return "; ".join(told)


def _own(measure: Measure, method: str, preset: str, study: Study) -> float | None:
    """The mean over the run's cells; None where it has no such row."""
    rows = study.costs
    rows = rows[
        (rows["method"] == method)
        & (rows["preset"] == preset)
        & (rows["measure"] == measure.column)
        & (rows["stage"] == measure.stage)
        & (rows["kind"] == measure.kind)
    ]
    return None if rows.empty else float(rows["value"].mean())
