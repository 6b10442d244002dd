"""Claims and results -> verdicts, as pure functions of data frames.

A claim is judged apart in every run that measures all of it, so that no two machines are mixed. A
run measures it when backbone, protocol, data, presets and settings are those the claim speaks of;
else the claim is NOT MEASURED and the reason is given. Exact counts need no run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from benchmark.claims.counted import other_counts
from benchmark.claims.estimates import exact_finding, predicted_finding, prediction_beside
from benchmark.claims.file import Claim, ClaimsFile
from benchmark.claims.language import Expression
from benchmark.claims.measured import NotMeasuredError, measured_finding
from benchmark.claims.study import Study
from benchmark.claims.verdict import Finding, Verdict, finite
from benchmark.errors import UserError
from benchmark.subjects import unknown

PAPER = "paper"

Named = tuple[str, Claim]
"""The name of a claims file, and one of its claims."""


def judge_all(
    files: Sequence[ClaimsFile],
    studies: Sequence[Study],
    through: Callable[[Sequence[Named]], Iterable[Named]] = iter,
) -> list[Verdict]:
    """The verdicts on all claims of all files, in their order. `through` gives the claims one by
    one, and may show how far it is."""
    named = [(file.name, claim) for file in files for claim in file.claims]
    for name, claim in named:
        check_presets(claim, name)
    return [verdict for name, claim in through(named) for verdict in judge(claim, studies, name)]


def judge(claim: Claim, studies: Sequence[Study], claims: str) -> list[Verdict]:
    """One verdict for an exact count, else one for every run that measures the claim, or one."""
    expression = claim.parsed
    if expression is None:
        return [_without(claim, claims, claim.unjudged or "")]
    if expression.form in ("predicted", "predicted_ratio"):
        found = predicted_finding(expression, claim.on, claim.preset or PAPER)
        if isinstance(found, str):
            return [_without(claim, claims, found)]
        return [_with(claim, claims, found)]
    exact = exact_finding(expression, claim.on, claim.preset or PAPER)
    if exact is not None:
        other = other_counts(expression, exact, claim.on, claim.preset or PAPER, studies)
        evidence = "; ".join(part for part in (exact.evidence, other) if part)
        return [_with(claim, claims, replace(exact, evidence=evidence))]
    findings: list[Finding] = []
    reasons = []
    for study in studies:
        try:
            findings.append(measured_finding(claim, expression, study))
        except NotMeasuredError as error:
            reasons.append(f"{study.name}: {error}")
    if findings:
        return [_with(claim, claims, finding) for finding in findings]
    reason = "; ".join(reasons) or "no run was given"
    return [_without(claim, claims, reason, expression)]


def check_presets(claim: Claim, claims: str) -> None:
    """UserError when the claim names a preset that its method does not have."""
    from methods import get_method

    for arm in claim.parsed.arms if claim.parsed else ():
        preset = arm.preset or claim.preset or PAPER
        if preset == PAPER:
            continue  # every method has it, and asking would import the method
        known = list(get_method(arm.method).presets)
        if preset not in known:
            where = f" of method {arm.method!r}"
            raise UserError(
                f"{claims}: claim {claim.id!r}: {unknown('preset', preset, known, where)}"
            )


def _with(claim: Claim, claims: str, finding: Finding) -> Verdict:
    assert claim.parsed is not None
    return Verdict(
        id=claim.id,
        verdict=finding.judged(claim.parsed.bound),
        estimate=finite(finding.estimate),
        low=finite(finding.low),
        high=finite(finding.high),
        n=finding.subjects,
        bound=claim.parsed.bound.text,
        source=claim.source,
        evidence="; ".join(part for part in (finding.reason, finding.evidence) if part),
        kind=finding.kind,
        label=finding.label,
        run=finding.run,
        unit=claim.parsed.unit,
        sentence=claim.sentence,
        claims=claims,
        expression=claim.expression,
        note=claim.note,
    )


def _without(
    claim: Claim, claims: str, reason: str, expression: Expression | None = None
) -> Verdict:
    beside = prediction_beside(expression, claim.on, claim.preset or PAPER) if expression else {}
    return Verdict(
        id=claim.id,
        verdict="NOT MEASURED",
        estimate=None,
        low=None,
        high=None,
        n=None,
        bound=claim.parsed.bound.text if claim.parsed else None,
        source=claim.source,
        evidence=reason,
        kind=None,
        label=None,
        run=None,
        unit=claim.parsed.unit if claim.parsed else None,
        sentence=claim.sentence,
        claims=claims,
        expression=claim.expression,
        note=claim.note,
        predicted=beside,
    )
