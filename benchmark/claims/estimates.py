"""What is known without a run: exact counts, and predictions labelled as such."""

from __future__ import annotations

from typing import Any

from benchmark.backbones import NAMED
from benchmark.claims.language import Arm, Expression
from benchmark.claims.measures import Measure
from benchmark.claims.verdict import Finding
from benchmark.errors import UserError


def exact_finding(expression: Expression, backbone: str | None, preset: str) -> Finding | None:
    """An exact count, or the ratio of two; None where the expression asks for something else.

    Checkpoints are counted in fp32, as a run saves them unless it is told otherwise.
    """
    measure = expression.subject
    if not isinstance(measure, Measure) or measure.kind != "exact" or backbone not in NAMED:
        return None
    counts = [_count(measure, arm, arm.preset or preset, backbone) for arm in expression.arms]
    known = [count for count in counts if count]
    if len(known) < len(counts):
        return None
    value = known[0] / known[1] if expression.form == "ratio" else float(known[0])
    named = " and ".join(f"{arm.method} ({arm.preset or preset})" for arm in expression.arms)
    stored = " in fp32" if measure.name == "checkpoint_bytes" else ""
    evidence = (
        f"{measure.name} of {named}{stored}, counted by the methods' own code on the networks of "
        f"{backbone}, for a subject described in two words; no run needed"
    )
    label = "toy" if backbone == "toy" else None
    return Finding(value, value, value, "exact", None, evidence, label)


def _count(measure: Measure, arm: Arm, preset: str, backbone: str) -> int | None:
    """None where the method does not train this backbone."""
    from benchmark.estimate import exact_counts

    try:
        counts = exact_counts(arm.method, backbone, preset)
    except UserError:
        return None
    if measure.name == "trainable_parameters":
        return counts.trainable_parameters
    return counts.checkpoint_bytes


def predicted_finding(expression: Expression, backbone: str | None, preset: str) -> Finding | str:
    """A prediction, labelled so; or why there is none."""
    return "predictions are not available"


def prediction_beside(expression: Expression, backbone: str | None, preset: str) -> dict[str, Any]:
    """What is predicted of a measurement that is missing; empty where nothing is."""
    return {}
