"""The tables of scores: methods, subjects and prompts against metrics, as typed cells."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import pandas as pd

from reports import format as show
from reports.cells import NOTHING, TEXT, Cell, Head, Table, made, text
from reports.choice import chosen
from reports.cost_figures import CostFigure, cost_cells, cost_head, cost_notes
from reports.frames import prompt_scores, subject_scores
from reports.leads import Lead, leads, untied
from reports.naming import PLAIN, Naming
from reports.tables import Column, Score, belongs, headline, marked, over_fewer, unmarked, values

FLOOR = "base is the backbone without personalization, the floor."
CEILING = "Real photos, compared with the held-out ones, are the ceiling."


def main_table(
    results: pd.DataFrame,
    table: pd.DataFrame,
    costs: pd.DataFrame,
    columns: Sequence[str] | None = None,
    naming: Naming = PLAIN,
) -> Table:
    """Methods by scores (and costs, where chosen), with intervals; the best and its ties marked.

    `table` is the summary of `results`; `columns` are names for `reports.choice.chosen`.
    """
    shown = chosen(table, columns)
    scores = [column for column in shown if isinstance(column, Column)]
    found = leads(results, table)
    by_column: dict[Column | CostFigure, Mapping[str, Cell]] = {}
    for column in shown:
        if isinstance(column, Column):
            by_column[column] = score_cells(table, column, found.get(column))
        else:
            by_column[column] = cost_cells(costs, column)
    rows_of = naming.applied(table.drop_duplicates("label").assign(own=lambda t: t["label"]))
    subjects = table.groupby("label")["subjects"].max()
    rows = [
        [
            text(row["label"]),
            Cell(float(subjects[row["own"]]), "count"),
            Cell(math.nan if pd.isna(row["images"]) else float(row["images"]), "count"),
            *(by_column[column].get(row["own"], NOTHING) for column in shown),
        ]
        for row in rows_of.to_dict("records")
    ]
    heads = [
        Head(("method",), TEXT),
        Head(("subjects",)),
        Head(("images",)),
        *(score_head(c) if isinstance(c, Column) else cost_head(costs, c) for c in shown),
    ]
    kinds = list(rows_of["kind"])
    rules = tuple(n + 1 for n, (above, below) in enumerate(pairwise(kinds)) if above != below)
    judged = [found[column] for column in scores if column in found]
    fewer = over_fewer(table, scores)
    notes = [*([fewer] if fewer else []), *_notes(judged, table)]
    if "base" in set(table["method"].dropna()):
        notes.append(FLOOR)
    if "real photos" in kinds:
        notes.append(CEILING)
    if any(column.reference == "seen" for column in scores):
        notes.append("Seen compares with the training photo, unseen with held-out ones.")
    if len(scores) < len(shown):
        notes += cost_notes(costs)
    spans = "with 95% bootstrap intervals" if table["low"].notna().any() else "without intervals"
    caption = f"Means over subjects, {spans}."
    return made("main", caption, heads, rows, rules, tuple(notes))


def score_cells(table: pd.DataFrame, column: Column, lead: Lead | None = None) -> dict[str, Cell]:
    """Label -> one column's entry of a summary; with a lead, its `marked` and ties are ranked."""
    ranks = {}
    if lead is not None:
        ranks = {score.label: "tied" for score in lead.tied}
        ranks |= dict.fromkeys(marked(table, column), "best")
    return {
        label: _cell(score, ranks.get(label, "")) for label, score in values(table, column).items()
    }


def score_head(column: Column) -> Head:
    """`fidelity unseen ↑` and the encoder in brackets."""
    encoder = (f"({show.plain(column.encoder)})",) if column.encoder else ()
    arrow = (column.arrow,) if column.arrow else ()
    return Head((show.plain(column.name), *encoder, *arrow))


def subject_tables(
    results: pd.DataFrame, table: pd.DataFrame, naming: Naming = PLAIN
) -> list[Table]:
    """One table per headline score: subjects by methods, the methods' means in the last row."""
    tables = []
    shown_columns = headline(table)
    every = subject_scores(results, shown_columns)
    for number, column in enumerate(shown_columns, start=1):
        scores = every[belongs(every, column)]
        means = scores.set_index(["subject", "label"])["value"].to_dict()
        shown = _in_order(table, column, naming)
        rows = [
            [text(subject), *(Cell(means.get((subject, own))) for own, _ in shown)]
            for subject in sorted(scores["subject"].unique())
        ]
        cells = score_cells(table, column)
        rows.append([text("mean"), *(cells[own] for own, _ in shown)])
        heads = [Head(("subject",), TEXT), *(Head((name,)) for _, name in shown)]
        caption = f"{score_head(column).title} of every subject, the mean of its images."
        tables.append(made(f"subjects_{number}", caption, heads, rows, (len(rows) - 1,)))
    return tables


def prompt_tables(
    results: pd.DataFrame, table: pd.DataFrame, naming: Naming = PLAIN
) -> list[Table]:
    """One table per headline score: prompts by methods, each the mean over its subjects."""
    tables = []
    shown_columns = headline(table)
    every = prompt_scores(results, shown_columns)
    for number, column in enumerate(shown_columns, start=1):
        scores = every[belongs(every, column)]
        if scores.empty:
            continue
        found = {
            (row["prompt_id"], row["label"]): Cell(row["mean"], low=row["low"], high=row["high"])
            for row in scores.to_dict("records")
        }
        shown = _in_order(table, column, naming)
        subjects = scores.groupby("prompt_id")["subjects"].max()
        rows = [
            [
                text(prompt),
                Cell(float(subjects[prompt]), "count"),
                *(found.get((prompt, own), NOTHING) for own, _ in shown),
            ]
            for prompt in sorted(subjects.index)
        ]
        heads = [Head(("prompt",), TEXT), Head(("subjects",))]
        heads += [Head((name,)) for _, name in shown]
        spans = ", with 95% intervals over subjects" if scores["low"].notna().any() else ""
        caption = f"{score_head(column).title} of every prompt{spans}."
        tables.append(made(f"prompts_{number}", caption, heads, rows))
    return tables


def _in_order(table: pd.DataFrame, column: Column, naming: Naming) -> list[tuple[str, str]]:
    """(label, its name) of the methods and controls with this score, as rows would be."""
    rows = table[belongs(table, column) & (table["kind"] != "real photos")]
    named = naming.applied(rows.assign(own=rows["label"]))
    return [
        (own, show.plain(label)) for own, label in zip(named["own"], named["label"], strict=True)
    ]


def _cell(score: Score, rank: str) -> Cell:
    return Cell(score.mean, low=score.low, high=score.high, rank=rank)


def _notes(found: list[Lead], table: pd.DataFrame) -> list[str]:
    """How the best and its ties were found, and who takes no part."""
    if not found:
        return []
    judged_by = headline(table)
    judged = [lead for lead in found if lead.judged]
    notes = []
    if judged:
        parts = {
            lead.column in judged_by: lead.comparisons
            for lead in sorted(judged, key=lambda lead: lead.column not in judged_by)
        }
        families = {True: "of headline scores", False: "of all other scores"}
        corrected = " and ".join(f"{number} {families[of]}" for of, number in parts.items())
        notes.append(
            "Told apart from the best: paired by subject, 95% interval of the difference without 0 "
            f"and p below 0.05 after Holm's correction over the comparisons, {corrected}."
        )
    why = (unmarked(table, [lead.column for lead in found]), untied(table, found))
    notes += [sentence for sentence in why if sentence]
    if "control" in set(table["kind"]):
        notes.append("Controls and real photos do not compete.")
    return notes
