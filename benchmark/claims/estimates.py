"""What is known without a run: exact counts, and predictions labelled as such."""

from __future__ import annotations

from typing import Any

from benchmark.backbones import NAMED
from benchmark.claims.language import Arm, Expression
from benchmark.claims.measures import PREDICTABLE, Measure
from benchmark.claims.units import beside
from benchmark.claims.verdict import Finding, Kind
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
    """A prediction, or the ratio of two, labelled so; or why there is none."""
    if backbone not in NAMED:
        return f"nothing is predicted of backbone {backbone!r}"
    try:
        return _predicted(expression, backbone, preset)
    except UserError as error:
        return str(error)


def prediction_beside(expression: Expression, backbone: str | None, preset: str) -> dict[str, Any]:
    """What is predicted of a measurement that is missing; empty where nothing is.

    Holds value, shown, kind and about.
    """
    subject = expression.subject
    if not isinstance(subject, Measure) or subject.name not in PREDICTABLE:
        return {}
    found = predicted_finding(expression, backbone, preset)
    if isinstance(found, str):
        return {}
    return {
        "value": found.estimate,
        "shown": beside(found.estimate, expression.unit, expression.bound.text),
        "kind": found.kind,
        "about": found.evidence,
    }


def _predicted(expression: Expression, backbone: str, preset: str) -> Finding:
    from benchmark.estimate import Question, predict
    from benchmark.estimate.question import MEMORY_NOTE

    options: dict[str, Any] = dict(expression.options)
    if "checkpointing" in options:
        options["checkpointing"] = options["checkpointing"] == "on"
    memory = expression.subject.name == "peak_memory"
    figures, described = [], []
    for arm in expression.arms:
        question = Question(arm.method, arm.preset or preset, backbone, **options)
        answer = predict(question)
        figures.append(float(answer.peak_bytes if memory else answer.flops_per_step))
        pictures = f"{answer.batch} pictures a step"
        if answer.class_pictures:
            pictures += f", {answer.class_pictures} of them of the class"
        described.append(f"{arm.method} ({question.preset}) {pictures}")
    value = figures[0] / figures[1] if len(figures) > 1 else figures[0]
    what = MEMORY_NOTE if memory else "follows from shapes, and does not predict time"
    evidence = (
        f"{'predicted' if memory else 'analytic'}, not measured: {'; '.join(described)}; "
        f"{backbone}, {answer.resolution} px, {answer.precision}, VAE {answer.vae_precision}, "
        f"attention {answer.attention}, AdamW {answer.optimizer}"
        f"{', gradient checkpointing' if answer.checkpointing else ''}; {what}"
    )
    label = "toy" if backbone == "toy" else None
    kind: Kind = "predicted" if memory else "analytic"
    return Finding(value, value, value, kind, None, evidence, label)
