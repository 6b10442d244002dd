"""Tables as Markdown and for the terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Hashable
from itertools import groupby
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from benchmark.stats import SUBJECTS_FOR_INTERVAL
from reports import format as show
from reports.markup import escaped
from reports.tables import (
    Column,
    Score,
    columns,
    marked,
    over_fewer,
    summary,
    unmarked,
    values,
    wide,
)

WIDTH = 9
"""Characters of a score column in the terminal: an interval, and the longest word of a title."""
ACROSS = 5
"""Score columns side by side; more of an encoder's go into a table below."""

SCORE = re.compile(r"(\*\*)?[-+]?[0-9.]+( \[[-+]?[0-9.]+ to [-+]?[0-9.]+\])?(\*\*)?")
"""A score and its interval, in bold or not, as `comparison_text` writes them."""


def markdown(frame: pd.DataFrame) -> str:
    """A frame of texts as a Markdown table, its first column left and the others right aligned."""
    rows = [[str(name) for name in frame.columns]]
    rows += [["" if pd.isna(cell) else str(cell) for cell in row] for row in frame.to_numpy()]
    lines = ["| " + " | ".join(_as_text(cell) for cell in row) + " |" for row in rows]
    ruler = "| " + " | ".join([":---", *["---:"] * (len(frame.columns) - 1)]) + " |"
    return "\n".join([lines[0], ruler, *lines[1:]]) + "\n"


def _as_text(cell: str) -> str:
    """A cell in which only the bold of a best score is markup."""
    return cell if SCORE.fullmatch(cell) else escaped(cell, limit=None)


def comparison_text(table: pd.DataFrame) -> pd.DataFrame:
    """A summary in words, `0.612 [0.551 to 0.660]`, the `marked` methods in bold Markdown."""
    rows = wide(table)
    text = pd.DataFrame({"method": rows["label"], "subjects": rows["subjects"].astype("str")})
    text["images"] = [show.MISSING if pd.isna(n) else str(n) for n in rows["images"]]
    for column in columns(table):
        found, winners = values(table, column), marked(table, column)
        text[column.title] = [
            _markdown_cell(found[label], label in winners) if label in found else show.MISSING
            for label in rows["label"]
        ]
    return text


def differences_text(differences: pd.DataFrame) -> pd.DataFrame:
    """Paired differences in words."""
    rows = differences.to_dict("records")
    return pd.DataFrame(
        {
            "method": [row["label"] for row in rows],
            "score": [_score_name(row) for row in rows],
            "difference": [
                f"{show.signed(row['difference'])}"
                + (f" [{span}]" if (span := show.interval(row["low"], row["high"])) else "")
                for row in rows
            ],
            "subjects above": [show.share(row["above"]) for row in rows],
            "p": [show.probability(row["p"]) for row in rows],
            "p (Holm)": [show.probability(row["p_holm"]) for row in rows],
            "verdict": [
                show.MISSING if pd.isna(row["verdict"]) else row["verdict"] for row in rows
            ],
            "subjects": [str(row["subjects"]) for row in rows],
            "note": [row["note"] for row in rows],
        }
    )


def rich_comparison(results: pd.DataFrame) -> Group:
    """The comparison for the terminal: one table per encoder, narrow enough for 80 columns.

    Under each mean stands its 95% interval; the `marked` methods are bold.
    """
    if results.empty:
        return Group(Text("No scores yet."))
    table = summary(results)
    found = sorted(columns(table), key=lambda column: column.encoder or "")
    tables = [
        _rich_table(table, encoder or "no encoder", group[start : start + ACROSS])
        for encoder, columns_of in groupby(found, key=lambda column: column.encoder)
        for group in [list(columns_of)]
        for start in range(0, len(group), ACROSS)
    ]
    subjects = table.loc[table["kind"] != "real photos", "subjects"]
    least, most = subjects.min(), subjects.max()
    counted = f"{least} to {most} subjects" if least < most else f"{most} subjects"
    counted = "1 subject" if most == 1 else counted
    intervals = (
        "95% bootstrap intervals"
        if most >= SUBJECTS_FOR_INTERVAL
        else f"too few for intervals, which need {SUBJECTS_FOR_INTERVAL}"
    )
    said = [f"Means over {counted}, {intervals}."]
    said += [told for told in (over_fewer(table, found), unmarked(table, found)) if told]
    return Group(*tables, *(Text(sentence, style="dim") for sentence in said))


def _rich_table(table: pd.DataFrame, title: str, shown: list[Column]) -> Table:
    made = Table(
        title=Text(title, style="bold"), title_justify="left", box=SIMPLE_HEAD, pad_edge=False
    )
    # Names of methods, metrics and encoders are no markup.
    made.add_column("method", overflow="fold")
    for column in shown:
        # Broken at hyphens too: rich would cut a long name where the column ends.
        lines = textwrap.wrap(f"{column.name} {column.arrow}", WIDTH)
        made.add_column(Text("\n".join(lines)), justify="right", width=WIDTH)
    winners = {column: marked(table, column) for column in shown}
    by_column = {column: values(table, column) for column in shown}
    rows = table.drop_duplicates("label")
    last_kind = None
    for label, kind in zip(rows["label"], rows["kind"], strict=True):
        if not any(label in found for found in by_column.values()):
            continue
        if last_kind is not None and kind != last_kind:
            made.add_section()
        last_kind = kind
        cells = []
        for column, found in by_column.items():
            cell = Text(show.MISSING, style="dim")
            if label in found:
                score = found[label]
                style = "bold green" if label in winners[column] else ""
                cell = Text(show.number(score.mean), style=style)
                if span := show.short_interval(score.low, score.high, 2):
                    cell.append(f"\n{span}", style="dim not bold")
            cells.append(cell)
        made.add_row(Text(label), *cells)
    return made


def _markdown_cell(score: Score, bold: bool) -> str:
    text = show.with_interval(score.mean, score.low, score.high)
    return f"**{text}**" if bold else text


def _score_name(row: dict[Hashable, Any]) -> str:
    reference = "" if pd.isna(row["reference"]) else f" {row['reference']}"
    return f"{row['metric']}{reference} ({row['encoder']})"
