"""What the rows and marks of a table of scores mean: only of those that stand in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from benchmark.stats import SUBJECTS_FOR_INTERVAL
from reports.leads import Lead, untied
from reports.page.grids import Grid
from reports.tables import Column, over_fewer, unmarked

YARDSTICK = (
    "Real photos are a yardstick: how alike the subject's held-out photos are to those trained on "
    "(seen to unseen), and to each other (within unseen)."
)
COPY = (
    "copy returns the training photo, but in the run's resolution: even compared with that photo "
    "it may score below 1."
)
ALIGNMENT = "Alignment is a cosine between picture and prompt, and may be negative."


def explained(
    grid: Grid, table: pd.DataFrame, shown: Sequence[Column], found_leads: Mapping[Column, Lead]
) -> list[str]:
    """Sentences below `grid`, which shows the columns `shown` of the summary `table`."""
    rows = [row for block in grid.blocks for row in block.rows]
    scores = [entry for row in rows for entry in row[2:]]
    kinds = set(table["kind"])
    if any(entry.under for entry in scores):
        said = ["Means over subjects; beneath, the 95% bootstrap interval."]
    else:
        said = [f"Means over subjects; an interval needs {SUBJECTS_FOR_INTERVAL} of them."]
    if any(entry.best for entry in scores):
        tied = any(entry.tied for entry in scores)
        level = ", ≈ those that are not told apart from it" if tied else ""
        apart = "; controls and real photos do not compete" if len(kinds) > 1 else ""
        said.append(f"● marks the best method of a column{level}{apart}.")
    judged = [lead for column, lead in found_leads.items() if column in shown]
    told = (over_fewer(table, shown), unmarked(table, shown), untied(table, judged))
    said += [sentence for sentence in told if sentence]
    if "real photos" in kinds:
        said.append(YARDSTICK)
    if "copy" in set(table["method"].dropna()) and any(one.reference == "seen" for one in shown):
        said.append(COPY)
    if any(one.metric == "alignment" for one in shown):
        said.append(ALIGNMENT)
    return said
