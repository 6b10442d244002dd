"""What is known without a run: exact counts, and predictions labelled as such."""

from __future__ import annotations

from typing import Any

from benchmark.backbones.architectures import ARCHITECTURES
from benchmark.claims.language import Arm, Expression
from benchmark.claims.measures import Measure
from benchmark.claims.verdict import Finding

SAME_ARCHITECTURE = {"sd14": "sd15", "sd21": "sd21-base"}
"""Backbones that differ from another in their weights alone, as far as counts go."""


def exact_finding(expression: Expression, backbone: str | None, preset: str) -> Finding | None:
    """An exact count, or the ratio of two; None where the expression asks for something else."""
    measure = expression.subject
    architecture = _architecture(backbone)
    if not isinstance(measure, Measure) or measure.kind != "exact" or architecture is None:
        return None
    counts = [_count(measure, arm, arm.preset or preset, architecture) for arm in expression.arms]
    known = [count for count in counts if count is not None]
    if len(known) < len(counts) or not known[-1]:
        return None
    value = known[0] / known[1] if expression.form == "ratio" else float(known[0])
    named = " and ".join(f"{arm.method} ({arm.preset or preset})" for arm in expression.arms)
    evidence = (
        f"{measure.name} of {named} counted by the methods' own code on the architecture of "
        f"{backbone}; no run needed"
    )
    return Finding(value, value, value, "exact", None, evidence)


def _count(measure: Measure, arm: Arm, preset: str, architecture: str) -> int | None:
    """None where the method does not train this architecture."""
    from benchmark.parameters import trainable_parameters

    if measure.name == "trainable_parameters":
        return trainable_parameters(arm.method, preset, architecture)
    return None


def _architecture(backbone: str | None) -> str | None:
    """The architecture that a named backbone has; None for the toy and for folders."""
    if backbone is None:
        return None
    name = backbone.removeprefix("blank-")
    name = SAME_ARCHITECTURE.get(name, name)
    return name if name in ARCHITECTURES else None


def predicted_finding(expression: Expression, backbone: str | None, preset: str) -> Finding | str:
    """A prediction, labelled so; or why there is none."""
    return "predictions are not available"


def prediction_beside(expression: Expression, backbone: str | None, preset: str) -> dict[str, Any]:
    """What is predicted of a measurement that is missing; empty where nothing is."""
    return {}
