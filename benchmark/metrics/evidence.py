"""What every metric looks at: embeddings of one cell's images, photos and prompts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.metrics.probed import Two

if TYPE_CHECKING:
    from benchmark.metrics.encoders import Encoder, Picture

IMAGE_COLUMNS = ["prompt_id", "prompt", "seed", "image"]
SCORE_COLUMNS = [*IMAGE_COLUMNS, "metric", "reference", "value"]

# Whole numbers that may be missing: a score of a whole set belongs to no seed.
SCORE_TYPES = {"seed": "Int64", "value": "float64"} | {
    name: "str" for name in SCORE_COLUMNS if name not in ("seed", "value")
}

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Evidence:
    """Embeddings of one cell by one encoder. Every row has length 1, so a dot is a cosine."""

    rows: pd.DataFrame
    """One line per generated image, in the order of `generated`: prompt_id, prompt, seed, image."""
    generated: Rows
    """[n, d]"""
    seen: Rows
    """[k, d], the training photos."""
    unseen: Rows
    """[m, d], the held-out photos; m is 0 when every photo trains."""
    texts: Rows | None
    """[n, d], each image's prompt; None for an encoder without text."""
    others: Rows = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """[o, d], photos of other subjects; o is 0 where no metric wants them."""
    augmented: Mapping[str, Rows] = field(default_factory=dict)
    """Name of a change -> [c, d], training photos changed so; only where a metric wants them."""
    probes: Mapping[str, Two[Rows]] = field(default_factory=dict)
    """`class` or `drift` -> [p, d], pictures that leave the subject out; the same."""


@dataclass(frozen=True)
class Pictures:
    """The pictures of one cell that metrics look at; see `Evidence` for what each is."""

    generated: Sequence[Picture]
    seen: Sequence[Picture]
    unseen: Sequence[Picture]
    others: Sequence[Picture]
    augmented: Mapping[str, Sequence[Picture]]
    probes: Mapping[str, Two[Sequence[Picture]]]

    def all(self) -> list[Picture]:
        """Every picture, as often as it is used."""
        found = [*self.generated, *self.seen, *self.unseen, *self.others]
        found += [picture for pictures in self.augmented.values() for picture in pictures]
        for two in self.probes.values():
            found += [*two.trained, *two.untouched]
        return found


def collect(
    encoder: Encoder,
    rows: pd.DataFrame,
    pictures: Pictures,
    prompts_text: Sequence[str] | None,
    batch_size: int,
    digests: Mapping[int, bytes],
) -> Evidence:
    """Embed a cell.

    What the model made is always all of it, so it is embedded in batches; photos and prompts are
    shared with other cells, and are embedded one by one. `digests` holds each picture's
    `encoders.picture_digests` entry by the picture's `id`.
    """

    def embed(pictures: Sequence[Picture], at_once: int = 1) -> Rows:
        return encoder.images(pictures, at_once, [digests[id(one)] for one in pictures])

    return Evidence(
        rows=rows[IMAGE_COLUMNS].reset_index(drop=True),
        generated=embed(pictures.generated, batch_size),
        seen=embed(pictures.seen),
        unseen=embed(pictures.unseen),
        texts=None if prompts_text is None else encoder.texts(prompts_text),
        others=embed(pictures.others),
        augmented={name: embed(changed) for name, changed in pictures.augmented.items()},
        probes={
            kind: Two(embed(two.trained, batch_size), embed(two.untouched, batch_size))
            for kind, two in pictures.probes.items()
        },
    )


def described(evidence: Evidence) -> list[dict[str, object]]:
    """What is known of each generated image, for a metric to add its score to."""
    return [
        dict(zip(IMAGE_COLUMNS, row, strict=True))
        for row in evidence.rows[IMAGE_COLUMNS].itertuples(index=False, name=None)
    ]


def distances(some: Rows, others: Rows) -> Rows:
    """[n], 1 - cosine of each row with its counterpart; rows of length 1. 0 for equal rows."""
    # Half the squared distance is the same, and exactly 0 where 1 - cosine is rounding.
    apart: Rows = ((some - others) ** 2).sum(axis=1) / 2
    return apart


def scores(records: Iterable[Mapping[str, object]]) -> pd.DataFrame:
    """Score frame from records; a column that a record leaves out is missing, never 0."""
    frame = pd.DataFrame.from_records(list(records)).reindex(columns=SCORE_COLUMNS)
    return frame.astype(SCORE_TYPES)
