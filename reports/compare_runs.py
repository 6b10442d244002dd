"""`tbbench report RUN --diff BASE`: what changed since another run, as files and in a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from benchmark.atomic import write_text
from benchmark.environment_words import software
from benchmark.errors import UserError
from reports.changes import cost_changes, score_changes, setting_changes
from reports.changes_text import (
    cost_changes_text,
    rich_changes,
    rich_cost_changes,
    score_changes_text,
)
from reports.comparable import check_comparable
from reports.data_files import frame_csv
from reports.study import Part, Study, open_study
from reports.tables import belongs, headline, summary
from reports.text import markdown


@dataclass(frozen=True)
class Changes:
    """What changed, and what could not be compared."""

    base: str
    scores: pd.DataFrame
    costs: pd.DataFrame
    settings: pd.DataFrame
    headline: pd.Series[bool]
    """Which rows of `scores` are of a score that methods are judged by."""
    notes: tuple[str, ...]

    def write(self, folder: Path) -> None:
        """changes, cost-changes and setting-changes in `folder`, as .csv and .md."""
        words = {
            "changes": (self.scores, score_changes_text(self.scores)),
            "cost-changes": (self.costs, cost_changes_text(self.costs)),
            "setting-changes": (self.settings, self.settings.fillna("missing")),
        }
        for name, (numbers, text) in words.items():
            write_text(folder / f"{name}.csv", frame_csv(numbers))
            write_text(folder / f"{name}.md", markdown(text))

    def records(self) -> dict[str, Any]:
        """Everything for machines, a record per row."""
        return {
            "base": self.base,
            "scores": self.scores.to_dict("records"),
            "costs": self.costs.to_dict("records"),
            "settings": self.settings.to_dict("records"),
            "notes": self.notes,
        }

    def page_table(self) -> pd.DataFrame:
        """Scores, costs and settings in one table of words."""
        scores, costs = score_changes_text(self.scores), cost_changes_text(self.costs)
        settings = self.settings.fillna("missing")
        settings = settings.assign(
            method=settings["method"] + " (" + settings["preset"] + ")",
            what="setting " + settings["setting"],
        )
        together = pd.concat(
            [
                scores.rename(columns={"score": "what", "pairs": "compared"}),
                costs.rename(columns={"cost": "what", "cells": "compared"}),
                settings,
            ],
            ignore_index=True,
        )
        order = ["method", "what", "before", "now", "change", "relative", "p (Holm)", "verdict"]
        return together[[*order, "compared", "note"]].fillna("")

    def show(self, console: Console) -> None:
        """The headline's changes, the main costs and every setting that changed."""
        console.print(f"Changes since {self.base}:", style="bold", markup=False, highlight=False)
        console.print(rich_changes(self.scores, self.headline))
        console.print(rich_cost_changes(self.costs))
        for row in self.settings.fillna("missing").to_dict("records"):
            line = f"{row['method']} ({row['preset']}): {row['setting']} was {row['before']}, "
            console.print(f"{line}is {row['now']}", markup=False, highlight=False)
        for note in self.notes:
            console.print(note, markup=False, highlight=False)
        console.print(
            "Mean changes over subjects, paired by picture, with 95% bootstrap intervals; all of "
            "them stand in changes.csv and cost-changes.csv.",
            style="dim",
            highlight=False,
        )


def compare_with(study: Study, base: Path) -> Changes:
    """The changes of every run of the study since the run in the folder `base`.

    UserError when the two cannot be compared, are the same, or share no picture.
    """
    before = open_study([base]).parts[0]
    parts = [part for part in study.parts if part.run.path.resolve() != base.resolve()]
    if not parts:
        raise UserError(f"--diff {base} is the run itself; name another one")
    found = [_changes(part, before, len(study.parts) > 1) for part in parts]
    scores, costs, settings = (
        pd.concat([one[place] for one in found], ignore_index=True) for place in range(3)
    )
    if scores.empty:
        raise UserError(
            f"--diff {base}: no picture of the same method, subject, prompt and seed is in both "
            "runs; there is nothing to compare"
        )
    judged = pd.Series(False, index=scores.index)
    for column in headline(summary(study.results())):
        judged |= belongs(scores, column)
    notes = [
        f"{part.name} and {base} were not measured on one and the same machine "
        f"({_told(part)}; {_told(before)}): their seconds and memory are not compared."
        for part in parts
        if not _same_machine(part, before)
    ]
    for part in parts:
        made_with = software(part.environment, before.environment)
        if len(made_with) > 1:
            notes.append(
                f"{part.name} and {base} may have been made with different software "
                f"({'; '.join(made_with)}): changes may have their cause there."
            )
    return Changes(str(base), scores, costs, settings, judged, tuple(notes))


def _changes(part: Part, before: Part, several: bool) -> tuple[pd.DataFrame, ...]:
    """Changes of scores, costs and settings of one run; with its name where there are several."""
    check_comparable([(str(run.path), run.planned) for run in (before.run, part.run)])
    tables = (
        score_changes(part.tables["results"], before.tables["results"]),
        cost_changes(part.tables["costs"], before.tables["costs"], _same_machine(part, before)),
        setting_changes(_cells(part), _cells(before)),
    )
    return tuple(table.assign(run=part.name) if several else table for table in tables)


def _cells(part: Part) -> list[dict[str, Any]]:
    return [cell.to_json() for cell in part.run.planned]


def _same_machine(part: Part, before: Part) -> bool:
    return part.machines == before.machines and not part.mixed and not before.mixed


def _told(part: Part) -> str:
    return " and ".join(part.machines)
