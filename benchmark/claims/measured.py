"""What one run says of a claim's quantity, with its interval over subjects."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from benchmark.backbones.hub import HUB
from benchmark.claims.conditions import other_training, part_taken, prompts_taken
from benchmark.claims.file import Claim
from benchmark.claims.language import Expression
from benchmark.claims.measures import Measure
from benchmark.claims.metric_names import MetricName
from benchmark.claims.study import Study
from benchmark.claims.verdict import Finding, Kind
from benchmark.environment_record import LOST
from benchmark.environment_words import machines, software
from benchmark.errors import UserError
from benchmark.protocols import as_published, get_protocol, protocol_names
from benchmark.stats import compare, summarise
from benchmark.together import parts as parts_of

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.plan import Cell

SIDES = ("first", "second")
"""The methods of an expression, in its order."""
COUNTED = {"exact", "analytic"}


class NotMeasuredError(Exception):
    """Why a run says nothing of a claim, in a few words."""


def measured_finding(claim: Claim, expression: Expression, study: Study) -> Finding:
    """The quantity in this run. NotMeasuredError when the run is not what the claim speaks of."""
    scored = isinstance(expression.subject, MetricName)
    _check_run(claim, study, scored)
    sides = []
    used: list[Cell] = []
    for arm in expression.arms:
        preset = arm.preset or claim.preset or "paper"
        cells = study.trained(arm.method, preset)
        named = arm.method if preset == "paper" else f"{arm.method} ({preset})"
        if not cells:
            raise NotMeasuredError(f"no cells of {named}")
        _check_cells(cells, claim.on, named)
        _check_shared(cells, expression.subject, study, named)
        used += cells
        sides.append((arm.method, preset, named))
    together = any(len(parts_of(cell.subject)) > 1 for cell in used)
    if claim.protocol or (scored and claim.on in HUB):
        if together:
            raise NotMeasuredError(
                "the run's subjects are learned together, the claim's one by one"
            )
        taken = prompts_taken(used, study)
        if taken is not None and taken[0] < taken[1]:
            raise NotMeasuredError(f"only {taken[0]} of {taken[1]} prompts")
    if isinstance(expression.subject, MetricName):
        rows, what = _scores(expression.subject, study)
    else:
        rows, what = _costs(expression.subject, study)
    parts = []
    for side, (method, preset, named) in zip(SIDES, sides, strict=False):
        mine = rows[(rows["method"] == method) & (rows["preset"] == preset)]
        if mine.empty:
            raise NotMeasuredError(_missing(expression.subject, named, study))
        parts.append(mine.assign(side=side))
    finding = _single(parts[0]) if len(parts) == 1 else _paired(parts, expression.form == "ratio")
    whole = study.whole.subjects if study.whole and (scored or claim.protocol) else 0
    return replace(
        finding,
        label=_label(study, (finding.subjects or 0) < whole, together),
        run=study.name,
        kind=_kind(expression.subject),
        evidence=_evidence(
            study,
            what,
            sum(map(len, parts)),
            [
                _cells_behind(parts, used),
                part_taken(used, study, finding.subjects),
                finding.evidence,
            ],
        ),
    )


def _check_run(claim: Claim, study: Study, scored: bool) -> None:
    backbone = study.shared("backbone")
    wanted = claim.on
    blank = f"blank-{wanted}"
    if wanted and backbone != wanted and (scored or backbone != blank):
        raise NotMeasuredError(f"the run's backbone is {backbone}, the claim's {wanted}")
    if claim.protocol and study.shared("protocol") != claim.protocol:
        raise NotMeasuredError(
            f"the run's protocol is {study.shared('protocol')}, the claim's {claim.protocol}"
        )
    dataset = claim.dataset or ("dreambench" if scored and wanted in HUB else None)
    if dataset and study.shared("dataset") != dataset:
        raise NotMeasuredError(
            f"the run's pictures are of {study.shared('dataset')}, the claim's of {dataset}"
        )
    if claim.split and study.shared("split") != claim.split:
        split = study.shared("split")
        raise NotMeasuredError(f"the run's split is {split}, the claim's {claim.split}")


def _check_cells(cells: list[Cell], backbone: str | None, named: str) -> None:
    """The settings are the preset's, and the size of the pictures the backbone's own."""
    for cell in cells:
        expected = preset_settings(cell.method, cell.preset)
        if expected is None:
            raise NotMeasuredError(f"the settings of {named} are not known")
        changed = [
            f"{key} {cell.settings.get(key)!r} instead of {expected.get(key)!r}"
            for key in sorted({*expected, *cell.settings})
            if cell.settings.get(key) != expected.get(key)
        ]
        if changed:
            raise NotMeasuredError(f"{named} was not trained as its preset says: {changed[0]}")
        if backbone in HUB and cell.resolution != HUB[backbone].resolution:
            raise NotMeasuredError(
                f"{named} was trained at {cell.resolution} px, {backbone} is for "
                f"{HUB[backbone].resolution} px"
            )


def _check_shared(
    cells: list[Cell], subject: Measure | MetricName, study: Study, named: str
) -> None:
    """What the methods of a run share is as published; a count does not depend on it."""
    cost = isinstance(subject, Measure)
    if isinstance(subject, Measure) and subject.kind == "exact":
        return
    sampled = not cost or subject.name.endswith(".prepare")
    published = sampled and study.shared("backbone") != "toy"
    if other := other_training(cells, cost, published):
        raise NotMeasuredError(f"{named} was not trained with the published settings: {other}")


@cache
def preset_settings(method: str, preset: str) -> dict[str, Any] | None:
    """Every field of the settings that a preset stands for; None when there is no such preset."""
    from benchmark.config import MethodEntry
    from benchmark.method_settings import method_settings

    try:
        settings = method_settings(MethodEntry(name=method, preset=preset), None)
    except (UserError, ValueError):
        return None
    plain: dict[str, Any] = json.loads(json.dumps(asdict(settings)))
    return plain


def _scores(name: MetricName, study: Study) -> tuple[pd.DataFrame, str]:
    """The rows that a metric's name means in this run, and what they are."""
    metric = name.metric
    protocol = study.shared("protocol")
    if name.as_shown and protocol in protocol_names():
        for shown in get_protocol(protocol).shown:
            if shown.metric == metric:
                metric = shown.name
    results = as_published(study.results)
    rows = results[results["metric"] == metric]
    if name.reference is not None:
        rows = rows[rows["reference"] == name.reference]
    there = sorted(rows["encoder"].dropna().unique())
    encoders = [encoder for encoder in there if name.computed_by(encoder)]
    if len(encoders) > 1:
        raise NotMeasuredError(
            f"{name.name} by several encoders; name one: {name.name}@{encoders[0]}"
        )
    if not encoders:
        by = f" by {', '.join(there)} alone" if there else ""
        wanted = name.encoder or (f"{name.family}..." if name.family else "any encoder")
        scored = f"; {metric} was scored{by}" if there else ""
        raise NotMeasuredError(f"{name.name} is by {wanted}, and the run has none{scored}")
    reference = f" {name.reference}" if name.reference else ""
    return rows[rows["encoder"] == encoders[0]], f"{metric}{reference} by {encoders[0]}"


def _costs(measure: Measure, study: Study) -> tuple[pd.DataFrame, str]:
    """The rows of one measure; never predicted ones in the place of measured ones."""
    unlike = machines(study.environment)
    if measure.kind == "measured" and len(unlike) > 1:
        raise NotMeasuredError(f"its cells were done on different machines: {'; '.join(unlike)}")
    costs = study.costs
    rows = costs[
        (costs["measure"] == measure.column)
        & (costs["stage"] == measure.stage)
        & (costs["kind"] == measure.kind)
    ]
    return rows.assign(prompt_id=None, seed=None), f"{measure.column} of stage {measure.stage}"


def _missing(subject: Measure | MetricName, named: str, study: Study) -> str:
    if isinstance(subject, MetricName) or "cuda" not in subject.column:
        return f"{subject.name} of {named} was not measured"
    if str(study.environment.get("device", "")).startswith("cuda"):
        return f"{subject.name} of {named} was not measured"
    return (
        f"{subject.name} is memory of a GPU, and the run had none "
        "(the process's own memory is peak_host_memory)"
    )


def _single(rows: pd.DataFrame) -> Finding:
    """The mean over subjects."""
    (row,) = summarise(rows, ["backbone"]).to_dict("records")
    found = [float(row[key]) for key in ("mean", "low", "high")]
    return _found(found, int(row["subjects"]), str(row["note"]), _constant(rows))


def _paired(parts: list[pd.DataFrame], ratio: bool) -> Finding:
    """The first method against the second over the subjects both have.

    A difference is the mean of the subjects' differences; a ratio the geometric mean of their
    ratios, its interval that of the mean logarithm.
    """
    import numpy as np
    import pandas as pd

    both = pd.concat(parts, ignore_index=True)
    if ratio:
        if (both["value"] <= 0).any():
            raise NotMeasuredError("a value is 0, and there is no ratio to it")
        both = both.assign(value=np.log(both["value"]))
    table = compare(both, ["backbone"], SIDES[1], column="side")
    if table.empty:
        raise NotMeasuredError("the two methods have no subject in common")
    (row,) = table.to_dict("records")
    found = [float(row[key]) for key in ("difference", "low", "high")]
    if ratio:
        found = [float(np.exp(value)) for value in found]
    constant = all(_constant(part) for part in parts)
    return _found(found, int(row["subjects"]), str(row["note"]), constant)


def _constant(rows: pd.DataFrame) -> bool:
    """Whether this is a count, and the same in every cell: no sample, so no interval."""
    return "kind" in rows and set(rows["kind"]) <= COUNTED and rows["value"].nunique() == 1


def _found(found: list[float], subjects: int, note: str, constant: bool) -> Finding:
    estimate, low, high = found
    if constant:
        low = high = estimate
    reason = note if math.isnan(low) else None
    said = "" if reason else note
    return Finding(estimate, low, high, "measured", subjects, said, reason=reason)


def _kind(subject: Measure | MetricName) -> Kind:
    return subject.kind if isinstance(subject, Measure) else "measured"


def _label(study: Study, part: bool, together: bool) -> str | None:
    """What sets the figure apart from the claim's, joined by commas; None where nothing does."""
    backbone = study.shared("backbone")
    words = {
        "toy": backbone == "toy" or study.shared("dataset") == "toyworld",
        "random weights": backbone.startswith("blank-"),
        "part": part,
        "subjects together": together,
        "mixed software": _software(study) != "",
    }
    return ", ".join(word for word, holds in words.items() if holds) or None


def _cells_behind(parts: list[pd.DataFrame], cells: list[Cell]) -> str:
    """From how many of the planned cells the rows are; empty for all of them."""
    there = sum(len(part[["subject", "train_seed"]].drop_duplicates()) for part in parts)
    return f"from {there} of {len(cells)} cells" if there < len(cells) else ""


def _evidence(study: Study, what: str, rows: int, taken: list[str]) -> str:
    parts = [
        ", ".join([f"{what}: {rows} rows", *filter(None, taken)]),
        f"run {study.name}",
        f"backbone {study.shared('backbone')}, {study.shared('resolution')} px",
        f"{study.shared('dataset')} {study.shared('split')}",
        f"protocol {study.shared('protocol')}",
        study.training,
        study.machine,
        _software(study),
    ]
    return "; ".join(part for part in parts if part)


def _software(study: Study) -> str:
    """Which unlike software the run's cells may have been made with; empty for one alone."""
    if study.environment.get(LOST):
        return "made with software that is not known, for environment.json was lost or altered"
    found = software(study.environment)
    return f"made with different software ({' | '.join(found)})" if len(found) > 1 else ""
