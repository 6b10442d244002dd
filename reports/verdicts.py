"""Sentences that follow from the numbers, and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from benchmark.metrics import caveats
from reports import format as show
from reports.tables import Column, belongs, best, columns, headline, rivals, values


@dataclass(frozen=True)
class Check:
    """One thing that must hold if the metrics and the controls are sound."""

    claim: str
    held: bool
    numbers: str


def verdicts(table: pd.DataFrame, differences: pd.DataFrame) -> list[str]:
    """What a summary says in the headline columns, one sentence or two per column."""
    return [
        f"{leader} {against}".strip()
        for column in headline(table)
        if (leader := _leader(table, column))
        for against in [_against_base(differences, column)]
    ]


def cautions(table: pd.DataFrame) -> list[str]:
    """What a reader must know before comparing rows."""
    found = []
    scored = table[table["kind"] != "real photos"]
    subjects = scored.groupby("label", sort=False)["subjects"].max()
    most = subjects.max() if len(subjects) else 0
    for label, n in subjects[subjects < most].items():
        found.append(
            f"{label} was scored on {n} of {most} subjects: its means are over fewer subjects than "
            "those of the rest, so it is neither ranked with them nor marked as best."
        )
    known = caveats()
    warnings = [known[metric] for metric in scored["metric"].unique() if metric in known]
    notes = {*(note for note in scored["note"] if note), *warnings}
    found += sorted(f"{note[0].upper()}{note[1:]}." for note in notes)
    return found


def control_checks(table: pd.DataFrame) -> list[Check]:
    """The ranks that controls must take by what they are, for every pair of encoders in use.

    A check whose methods or scores are not there is left out.
    """
    checks: list[Check] = []
    for column in columns(table):
        if column.metric == "fidelity" and column.reference == "unseen":
            checks += _above(table, column, "oracle", "base")
            for label in table.loc[table["kind"] == "method", "label"].unique():
                checks += _above(table, column, label, "base")
        if column.metric == "fidelity" and column.reference == "seen":
            checks += _highest(table, column, "copy")
        if column.metric == "alignment":
            checks += _above(table, column, "oracle", "copy")
            checks += _above(table, column, "base", "copy")
    return checks


def _leader(table: pd.DataFrame, column: Column) -> str:
    """Who is ahead in a column, and how sure that is."""
    found = values(table, column)
    winners = best(table, column)
    if len(winners) != 1:
        return ""
    top = found[winners[0]]
    competing = rivals(table, column)
    span = show.interval(top.low, top.high)
    uncertainty = f"95% interval {span}, " if span else ""
    word = "highest" if column.better == "higher" else "lowest"
    sentence = (
        f"{_name(column)}: {top.label} is {word} of {len(competing)} methods at "
        f"{show.number(top.mean)} ({uncertainty}{top.subjects} subjects)"
    )
    overlapping = [
        score.label
        for score in competing
        if score != top and score.high >= top.low and score.low <= top.high
    ]
    if overlapping:
        sentence += f"; its interval overlaps that of {_list(overlapping)}"
    beside = [
        f"{score.label} {show.number(score.mean)}"
        for score in found.values()
        if score.kind != "method"
    ]
    return f"{sentence}. Beside it: {', '.join(beside)}." if beside else f"{sentence}."


def _against_base(differences: pd.DataFrame, column: Column) -> str:
    """How many methods differ from the untouched backbone beyond their interval."""
    if differences.empty:
        return ""
    rows = differences[belongs(differences, column)]
    if rows.empty or rows["verdict"].isna().any():
        return ""
    above, below = (int((rows["verdict"] == word).sum()) for word in ("above", "below"))
    beyond = int(((rows["low"] > 0) | (rows["high"] < 0)).sum())
    sentence = (
        f"Paired with base by subject, {above} of {len(rows)} methods lie above it and {below} "
        f"below (95% interval without 0, and p below 0.05 after correction for {len(differences)} "
        "comparisons)"
    )
    if beyond > above + below:
        sentence += f"; by the interval alone it would be {beyond}"
    return f"{sentence}."


def _above(table: pd.DataFrame, column: Column, upper: str, lower: str) -> list[Check]:
    found = values(table, column)
    if upper not in found or lower not in found:
        return []
    high, low = found[upper].mean, found[lower].mean
    numbers = f"{show.number(high)} against {show.number(low)}"
    return [Check(f"{upper} above {lower} in {_name(column)}", high > low, numbers)]


def _highest(table: pd.DataFrame, column: Column, label: str) -> list[Check]:
    found = {
        name: score.mean
        for name, score in values(table, column).items()
        if score.kind != "real photos"
    }
    own = found.pop(label, None)
    if own is None or not found:
        return []
    second = max(found, key=lambda name: found[name])
    numbers = f"{show.number(own)}; next {second} {show.number(found[second])}"
    return [Check(f"{label} highest of all in {_name(column)}", own > found[second], numbers)]


def _name(column: Column) -> str:
    return f"{column.name} ({column.encoder})"


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
