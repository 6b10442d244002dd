"""Copying: is it the training photo that comes back?

`copied` is the share of generated pictures whose nearest photo, of all photos of the subject and
those of other subjects that are at hand, is a training photo, nearer than every other by more than
`MARGIN` in cosine: 0 to 1, 0 is best. `copied-real` is the same share of the held-out photos, each
against the rest: what the margin takes for a copy among pictures that are none. `copying-gap` is
how much nearer the pictures are to the training photos than to the held-out ones, and
`copying-gap-real` the same of the held-out photos themselves: a gap above it is overfit.

The margin is this project's choice, not a paper's. With `efficientnet-lite0` on DreamBench it takes
10% of real held-out photos for copies, and finds at least 93% of training photos that were turned
grey, mirrored, turned by 8 degrees, cropped to three quarters of their side or shrunk to 96 pixels.
Other subjects' photos keep a failed picture, like none of the subject's photos, from counting: 2.4%
of them would without, 0.02% do with. A method that always draws the subject in the training photo's
pose counts as copying even when every pixel is new.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.metrics.evidence import Evidence, Rows, scores

KIND = "image"
NEEDS = ("others",)
EMITS = {
    "copied": "lower",
    "copied-real": "reference",
    "copying-gap": "lower",
    "copying-gap-real": "reference",
}
MARGIN = 0.05
CAVEAT = (
    "copied counts copies that stand out by a margin: where an encoder hardly tells a subject's "
    "photos apart it misses many (on the toy world it finds 5 of 8 exact copies with "
    "efficientnet-lite0, 1 of 8 with toy-clip); compare methods, do not read it as a share"
)


def score(evidence: Evidence) -> pd.DataFrame:
    """One row of each for the cell; none without held-out photos."""
    seen, unseen, generated = evidence.seen, evidence.unseen, evidence.generated
    if not len(seen) or not len(unseen) or not len(generated):
        return scores([])
    besides = np.concatenate([unseen, evidence.others]) if len(evidence.others) else unseen
    copied = float((_ahead(generated, seen, besides) > MARGIN).mean())
    gap = float((generated @ seen.T).mean() - (generated @ unseen.T).mean())
    records: list[dict[str, object]] = [
        {"metric": "copied", "reference": "seen", "value": copied},
        {"metric": "copying-gap", "value": gap},
    ]
    if len(unseen) > 1:
        rest = [np.delete(besides, place, axis=0) for place in range(len(unseen))]
        ahead = [_ahead(one[None], seen, left) for one, left in zip(unseen, rest, strict=True)]
        real = float((np.concatenate(ahead) > MARGIN).mean())
        records.append({"metric": "copied-real", "reference": "seen", "value": real})
        among = (unseen @ unseen.T)[~np.eye(len(unseen), dtype=bool)].mean()
        gap = float((unseen @ seen.T).mean() - among)
        records.append({"metric": "copying-gap-real", "value": gap})
    return scores(records)


def _ahead(pictures: Rows, seen: Rows, besides: Rows) -> Rows:
    """[n], how much nearer each picture is to a training photo than to any other photo."""
    ahead: Rows = (pictures @ seen.T).max(axis=1) - (pictures @ besides.T).max(axis=1)
    return ahead
