"""Score tables, as pure functions of tidy results. None reads a run directory.

A row of a table is one method with one preset; a column is one metric with one encoder and one
reference, so that neither presets nor encoders are ever mixed. Methods that need no training and
know nothing (`base`, `copy`) or everything (`oracle`) are controls: they stand apart and win
nothing. So do real photos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from benchmark.metrics import directions
from benchmark.protocols import (
    as_published,
    get_protocol,
    protocol_names,
    shown_directions,
)
from benchmark.stats import SUBJECTS_FOR_P, compare, summarise
from reports.format import ARROWS

IDENTITY = ["method", "preset", "backbone", "dataset", "split", "protocol"]
CONTROLS = ("base", "copy", "oracle")
KINDS = ("method", "control", "real photos")
COLUMN = ["metric", "encoder", "reference"]

# Yardsticks that are rows of a metric's column, rather than columns of their own.
YARDSTICKS = {
    "fidelity-ceiling": ("real photos (seen to unseen)", "fidelity"),
    "fidelity-ceiling-within": ("real photos (within unseen)", "fidelity"),
}
METRIC_ORDER = (
    *("fidelity", "alignment", "vqascore", "diversity", "lpips-diversity", "vendi"),
    *("kid-x1000", "fid", "clip-mmd", "precision", "recall"),
    *("copied", "copying-gap", "augmentation-leak"),
    *("pres", "language-drift-text", "language-drift-images"),
)
REFERENCE_ORDER = ("unseen", "seen")


@dataclass(frozen=True)
class Column:
    """One column of scores."""

    metric: str
    reference: str | None
    encoder: str | None
    better: str | None
    """`higher`, `lower`, or None where neither is."""

    @property
    def name(self) -> str:
        """Metric and reference: `fidelity unseen`."""
        return f"{self.metric} {self.reference}" if self.reference else self.metric

    @property
    def arrow(self) -> str:
        """Which way is better, as an arrow; empty where neither is."""
        return ARROWS.get(self.better or "", "")

    @property
    def title(self) -> str:
        """`fidelity unseen (efficientnet-lite0) ↑`"""
        encoder = f"({self.encoder})" if self.encoder else ""
        return " ".join(part for part in (self.name, encoder, self.arrow) if part)


@dataclass(frozen=True)
class Score:
    """One method's entry in one column; its interval is NaN where none was computed."""

    label: str
    method: str
    """Empty for real photos."""
    kind: str
    mean: float
    low: float
    high: float
    subjects: int
    scored_on: str = ""
    """Names of the subjects, sorted, one a line."""


def labels(frame: pd.DataFrame) -> pd.Series[str]:
    """Name of each row's method; with its preset, backbone, ... where the method has several."""
    named = frame["method"].astype("str")
    there = [column for column in IDENTITY if column in frame]
    # Few identities stand behind many rows, and mostly each method has one.
    found = frame[there].drop_duplicates().groupby("method", dropna=False)
    for column in there[1:]:
        if not (found[column].nunique() > 1).any():
            continue
        several = frame.groupby("method", dropna=False)[column].transform("nunique") > 1
        named = named.where(~several, named + " (" + frame[column].astype("str") + ")")
    return named


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """Tidy summary: one row per method and column, with mean, interval and numbers of subjects.

    Columns: label, kind (see `KINDS`), `IDENTITY`, `COLUMN`, better, mean, low, high, subjects,
    scored_on (their names), scores, note, images (pictures that were scored, over all of the
    method's subjects).
    """
    results = as_published(results)
    is_yardstick = results["metric"].isin(list(YARDSTICKS))
    scored = results[~is_yardstick]
    scored = scored.assign(label=labels(scored))
    table = summarise(scored, ["label", *IDENTITY, *COLUMN])
    table["scored_on"] = _scored_on(scored, table)
    table["kind"] = table["method"].isin(CONTROLS).map({True: "control", False: "method"})
    pictures = scored[scored["seed"].notna()].drop_duplicates(
        ["label", "subject", "train_seed", "prompt_id", "seed"]
    )
    table["images"] = table["label"].map(pictures["label"].value_counts()).fillna(0).astype(int)
    together = [part for part in (table, _yardsticks(results[is_yardstick])) if len(part)]
    if not together:
        return table
    whole = pd.concat(together, ignore_index=True)
    better = directions()
    better |= {name: better[metric] for name, metric in shown_directions().items()}
    return _ordered(whole.assign(better=whole["metric"].map(better)))


def columns(table: pd.DataFrame) -> list[Column]:
    """The columns that a summary has values for, the headline first."""
    found = table[[*COLUMN, "better"]].drop_duplicates().astype(object).to_dict("records")
    made = [
        Column(
            metric=row["metric"],
            reference=None if pd.isna(row["reference"]) else row["reference"],
            encoder=None if pd.isna(row["encoder"]) else row["encoder"],
            better=None if pd.isna(row["better"]) else row["better"],
        )
        for row in found
    ]
    return sorted(made, key=_column_place)


def belongs(frame: pd.DataFrame, column: Column) -> pd.Series[bool]:
    """Which rows of a tidy frame belong to one column."""
    chosen = frame["metric"] == column.metric
    for name, wanted in (("reference", column.reference), ("encoder", column.encoder)):
        chosen &= frame[name].isna() if wanted is None else frame[name] == wanted
    return chosen


def values(table: pd.DataFrame, column: Column) -> dict[str, Score]:
    """The scores of a summary in one column, by label, in the order of the summary."""
    return {
        row["label"]: Score(
            label=row["label"],
            method="" if pd.isna(row["method"]) else row["method"],
            kind=row["kind"],
            mean=row["mean"],
            low=row["low"],
            high=row["high"],
            subjects=row["subjects"],
            scored_on="" if pd.isna(row["scored_on"]) else row["scored_on"],
        )
        for row in table[belongs(table, column)].to_dict("records")
    }


def wide(table: pd.DataFrame) -> pd.DataFrame:
    """A summary as it is read: a row per method, per column its mean, low and high, and its number
    of subjects where that is not the row's."""
    rows = table.drop_duplicates("label").set_index("label")
    made = rows[["kind", *IDENTITY]].copy()
    made["subjects"] = _row_subjects(table)
    made["images"] = rows["images"].astype("Int64")
    for column in columns(table):
        found = table[belongs(table, column)].set_index("label")
        made[column.title] = found["mean"]
        made[f"{column.title} low"] = found["low"]
        made[f"{column.title} high"] = found["high"]
        if (found["subjects"] < made["subjects"].loc[found.index]).any():
            made[f"{column.title} subjects"] = found["subjects"].astype("Int64")
    return made.reset_index()


def comparison(results: pd.DataFrame) -> pd.DataFrame:
    """The comparison table of tidy results: `wide` of `summary`."""
    return wide(summary(results))


def best(table: pd.DataFrame, column: Column) -> list[str]:
    """Labels of the best `rivals` of a column; none where there is nothing to win."""
    competing = rivals(table, column)
    if len(competing) < 2 or column.better not in ARROWS:
        return []
    means = [score.mean for score in competing]
    top = max(means) if column.better == "higher" else min(means)
    return [score.label for score in competing if score.mean == top]


def marked(table: pd.DataFrame, column: Column) -> list[str]:
    """Labels of the `best` that every table marks: none below `SUBJECTS_FOR_P` subjects."""
    enough = any(score.subjects >= SUBJECTS_FOR_P for score in rivals(table, column))
    return best(table, column) if enough else []


def unmarked(table: pd.DataFrame, shown: Sequence[Column]) -> str:
    """Why columns with a best do not mark it, in a sentence; empty where all of them do."""
    won = [column for column in shown if best(table, column)]
    few = [column for column in won if not marked(table, column)]
    if not few:
        return ""
    if len(few) < len(won):
        return f"No best method is marked in a column of fewer than {SUBJECTS_FOR_P} subjects."
    return f"No best method is marked: that needs {SUBJECTS_FOR_P} subjects."


def over_fewer(table: pd.DataFrame, shown: Sequence[Column]) -> str:
    """Which columns have means over fewer subjects than their rows are said to have, in a sentence;
    empty for none. Some metrics cannot be had of every subject."""
    of = _row_subjects(table)
    told: dict[tuple[int, int], list[str]] = {}
    for column in shown:
        lacking = [
            (score.subjects, int(of[score.label]))
            for score in values(table, column).values()
            if score.subjects < of[score.label]
        ]
        if lacking:
            name = f"{column.name} ({column.encoder})" if column.encoder else column.name
            told.setdefault(min(lacking), []).append(name)
    if not told:
        return ""
    parts = [f"{few} of {all_}: {', '.join(names)}" for (few, all_), names in told.items()]
    return f"Over fewer subjects than the row: {'; '.join(parts)}."


def rivals(table: pd.DataFrame, column: Column) -> list[Score]:
    """The methods that compete in a column: no controls, and all scored on the same subjects.

    Means over other subjects say nothing of which method is better. Of several sets of subjects
    the largest counts, then the one that more methods share, then that of the first method.
    """
    by_subjects: dict[str, list[Score]] = {}
    for score in values(table, column).values():
        if score.kind == "method":
            by_subjects.setdefault(score.scored_on, []).append(score)
    sets = by_subjects.values()
    return max(sets, key=lambda scores: (scores[0].subjects, len(scores)), default=[])


def headline(table: pd.DataFrame) -> list[Column]:
    """The columns a method is judged by: fidelity to held-out photos, and alignment.

    Where every photo trains there are no held-out ones; then fidelity to the training photos, as
    in a protocol that compares with those.
    """
    found = columns(table)
    fidelity = [column for column in found if column.metric == "fidelity"]
    named = set(table["protocol"].dropna()) & set(protocol_names())
    wanted = {get_protocol(str(name)).headline for name in named} or {"unseen"}
    judged = [column for column in fidelity if column.reference in wanted]
    return (judged or fidelity) + [column for column in found if column.metric == "alignment"]


def differences(
    results: pd.DataFrame,
    table: pd.DataFrame,
    baseline: str = "base",
    chosen: Sequence[Column] | None = None,
) -> pd.DataFrame:
    """Scores of each method minus those of the baseline, paired by subject.

    `table` is the summary of `results`. `chosen` are the columns to compare in; None: those of the
    headline. Columns: those of `benchmark.stats.compare`, with `label` for the method. Empty when
    the baseline, a method or a label, is not there, or there with several presets.
    """
    labelled = results.assign(label=labels(results))
    called = (labelled["method"] == baseline) | (labelled["label"] == baseline)
    base = labelled.loc[called, "label"].unique()
    wanted = pd.Series(False, index=labelled.index)
    for column in headline(table) if chosen is None else chosen:
        wanted |= belongs(labelled, column)
    taking_part = ~labelled["method"].isin(CONTROLS) | labelled["label"].isin(base)
    chosen_rows = labelled[wanted & taking_part]
    if len(base) != 1:
        chosen_rows = chosen_rows.iloc[:0]
    return compare(chosen_rows, COLUMN, str(base[0]) if len(base) == 1 else "", column="label")


def _row_subjects(table: pd.DataFrame) -> pd.Series[int]:
    """How many subjects a row of a table is said to have: the most of its columns."""
    return table.groupby("label", sort=False)["subjects"].max()


def _scored_on(scored: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    """Names of the subjects behind every row of `table`, sorted, one a line."""
    by = ["label", *COLUMN]
    each = scored.loc[scored["value"].notna(), [*by, "subject"]].drop_duplicates()
    found: dict[tuple[str, ...], list[str]] = {}
    for key, subject in zip(_keys(each, by), each["subject"].astype(str), strict=True):
        found.setdefault(key, []).append(subject)
    return ["\n".join(sorted(found.get(key, []))) for key in _keys(table, by)]


def _keys(frame: pd.DataFrame, by: list[str]) -> list[tuple[str, ...]]:
    """The columns `by` of every row; what is missing is empty."""
    parts = [[str(value) for value in frame[name].astype(object).fillna("")] for name in by]
    return list(zip(*parts, strict=True))


def _yardsticks(results: pd.DataFrame) -> pd.DataFrame:
    """Summary rows of real photos. Every method's cells repeat them: each subject counts once."""
    own = ["dataset", "split"]
    once = (
        results.groupby([*own, "subject", *COLUMN], dropna=False)["value"].mean().reset_index()
    ).assign(train_seed=0, prompt_id=None, seed=None)
    table = summarise(once, [*own, *COLUMN])
    table["label"] = table["metric"].map({name: row[0] for name, row in YARDSTICKS.items()})
    for column in own:
        if table[column].nunique() > 1:
            table["label"] += " (" + table[column].astype("str") + ")"
    table["metric"] = table["metric"].map({name: row[1] for name, row in YARDSTICKS.items()})
    table["kind"] = "real photos"
    return table


def _column_place(column: Column) -> tuple[object, ...]:
    return (
        _place(column.metric, METRIC_ORDER),
        _place(column.reference, REFERENCE_ORDER),
        column.encoder or "",
    )


def _place(name: str | None, order: tuple[str, ...]) -> tuple[int, str]:
    """Known names in their order, then all others by name."""
    return (order.index(name), "") if name in order else (len(order), name or "")


def _first(table: pd.DataFrame) -> Column:
    """The column that methods are sorted by."""
    return (headline(table) or columns(table))[0]


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Methods from the best in the headline down, then controls, then real photos."""
    first = {label: score.mean for label, score in values(table, _first(table)).items()}
    place = pd.DataFrame(
        {
            "kind": table["kind"].map(KINDS.index),
            "score": -table["label"].map(first).where(table["kind"] == "method"),
            "label": table["label"],
        }
    )
    order = place.sort_values(["kind", "score", "label"], na_position="last", kind="stable").index
    return table.loc[order].reset_index(drop=True)
