"""What a metric gave is what its file says that it gives, before any of it is written."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmark.metrics.evidence import IMAGE_COLUMNS, SCORE_COLUMNS

ONE_SCORE = ["prompt_id", "seed", "image", "metric", "reference"]


class MetricError(ValueError):
    """A metric whose scores are not what it promised; the metric's author can mend that."""


def checked(
    name: str, emits: Mapping[str, str], scores: pd.DataFrame, rows: pd.DataFrame
) -> pd.DataFrame:
    """The scores, their columns in order.

    rows: the pictures that were scored, as `score_images` takes them. MetricError for other columns
    than `SCORE_COLUMNS`, a `metric` that is not in `emits`, a value that is no finite number, a
    picture or prompt that is none of the cell's, and two values for the same thing.
    """
    try:
        _check(emits, scores, rows)
    except MetricError as error:
        raise MetricError(f"metric {name!r} {error}") from None
    return scores[SCORE_COLUMNS]


def _check(emits: Mapping[str, str], scores: object, rows: pd.DataFrame) -> None:
    if not isinstance(scores, pd.DataFrame) or set(scores.columns) != set(SCORE_COLUMNS):
        raise MetricError(f"gave no table of the columns {', '.join(SCORE_COLUMNS)}")
    if foreign := sorted(set(scores["metric"].astype(str)) - emits.keys()):
        raise MetricError(f"gave scores called {foreign[0]!r}, which its EMITS does not name")
    values = pd.to_numeric(scores["value"], errors="coerce").to_numpy("float64", na_value=np.nan)
    if not np.isfinite(values).all():
        odd = scores["value"].tolist()[int(np.flatnonzero(~np.isfinite(values))[0])]
        raise MetricError(f"gave {odd!r} for a value; a score that there is none of has no row")
    of_pictures = scores[scores["image"].notna()]
    known = set(map(tuple, rows[IMAGE_COLUMNS].to_numpy(object)))
    if not set(map(tuple, of_pictures[IMAGE_COLUMNS].to_numpy(object))) <= known:
        raise MetricError("gave scores of pictures that are none of the cell's")
    if not set(scores["prompt_id"].dropna()) <= set(rows["prompt_id"]):
        raise MetricError("gave scores of prompts that are none of the cell's")
    if scores.duplicated(ONE_SCORE).any():
        raise MetricError("gave two values for the same picture, prompt or cell")
