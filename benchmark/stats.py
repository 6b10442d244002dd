"""Means, intervals and tests in which the subject is the unit.

Images of one subject are not independent samples of a method, so no statistic here pools them.
Scores are first averaged within a subject (over generation seeds, then prompts, then training
seeds), so that every subject weighs the same however many photos or images it has; methods are
compared by differences within subjects.

Intervals are 95% bootstrap intervals over subjects, with the generation seeds of each prompt drawn
again inside each drawn subject. The plain percentile interval is too narrow for few subjects: in
simulated studies it covered the truth in 87% of the cases with 6 subjects and in 93% with 30. Ours
is the expanded percentile interval (Hesterberg, The American Statistician 69(4), 2015), whose
levels are moved outward by sqrt(n / (n - 1)) and Student's t for n - 1 degrees of freedom: 95% of
the cases with both. Intervals are given from `SUBJECTS_FOR_INTERVAL` subjects up, p-values from
`SUBJECTS_FOR_P` up; below that the value stands alone, with a note.

A method lies `above` or `below` another when both say so: the interval of the paired difference
excludes 0, and p is below 0.05 after Holm's correction over the whole table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

RESAMPLES = 10_000
LEVEL = 0.95
SUBJECTS_FOR_INTERVAL = 5
SUBJECTS_FOR_P = 6
SUBJECTS_FOR_EXACT_P = 12

# Draws of the generation seeds per subject, from which the resampled subjects take theirs. It
# bounds the work for a full DreamBench grid; 1,000 draws settle the spread within a subject.
SEED_DRAWS = 1_000

Values = NDArray[np.floating[Any]]
Numbers = NDArray[np.integer[Any]]


def summarise(
    frame: pd.DataFrame, by: Sequence[str], resamples: int = RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """Mean over subjects and its interval, for every combination of the columns `by`.

    `frame` holds tidy results: the columns `by`, subject, train_seed, prompt_id, seed and value.
    Returns the columns `by` and mean, low, high (missing below `SUBJECTS_FOR_INTERVAL` subjects),
    subjects, scores (how many values went in) and note. The interval of a group depends on its own
    values and `seed` alone, not on what else is in the frame.
    """
    records: list[dict[str, object]] = []
    scored = _scored(frame)
    for keys, rows in _groups(frame, by):
        scores = scored.nested(rows)
        means = scores.means()
        low, high = _interval(scores.draws(seed), resamples, seed)
        records.append(
            {
                **dict(zip(by, keys, strict=True)),
                "mean": float(means.mean()),
                "low": low,
                "high": high,
                "subjects": len(means),
                "scores": len(rows),
                "note": _interval_note(len(means)),
            }
        )
    columns = [*by, "mean", "low", "high", "subjects", "scores", "note"]
    return pd.DataFrame.from_records(records, columns=columns)


def compare(
    frame: pd.DataFrame,
    by: Sequence[str],
    baseline: str,
    column: str = "method",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Differences from a baseline, paired by subject, for every combination of `by`.

    `baseline` is one value of `column`; every other value is compared with it over what both have:
    see `in_common`. What only one of them has of a subject is left out, and `note` says how many
    values that are. Returns the columns `by`, `column`, and difference, low, high, above (share of
    subjects with a higher value than the baseline's, ties counting half), p (two-sided sign-flip
    permutation), p_holm (corrected over the whole table), verdict (`above`, `below` or
    `not told apart`; missing where p is), subjects and note. Both p are missing below
    `SUBJECTS_FOR_P` subjects, the interval below `SUBJECTS_FOR_INTERVAL`.
    """
    records: list[dict[str, object]] = []
    scored = _scored(frame)
    code, found = pd.factorize(frame[column])
    names = list(found)
    for keys, rows in _groups(frame, by):
        sides = {
            names[int(side)]: rows[code[rows] == side]
            for side in pd.unique(code[rows])
            if side >= 0
        }
        if baseline not in sides:
            continue
        base = sides.pop(baseline)
        whole = scored.nested(base)
        whole_draws = whole.draws(seed)
        for name, side in sides.items():
            mine, theirs = scored.in_common([side, base])
            if not len(mine):
                continue
            own, other, other_draws = scored.nested(mine), whole, whole_draws
            if len(theirs) < len(base):
                other = scored.nested(theirs)
                other_draws = other.draws(seed)
            differences = own.means() - other.means()
            # Both sides made their pictures from the same noise: the same draws of seeds pair them.
            low, high = _interval(own.draws(seed) - other_draws, resamples, seed)
            above = (differences > 0).mean() + 0.5 * (differences == 0).mean()
            n = len(differences)
            enough = n >= SUBJECTS_FOR_P
            note = _interval_note(n)
            if not enough and not note:
                note = f"p-value refused: {n} subjects, {SUBJECTS_FOR_P} needed"
            left = scored.left_out(side, mine) + scored.left_out(base, theirs)
            if left:
                said = f"{left} values that only one of both has are left out"
                note = f"{note}; {said}" if note else said
            records.append(
                {
                    **dict(zip(by, keys, strict=True)),
                    column: name,
                    "difference": float(differences.mean()),
                    "low": low,
                    "high": high,
                    "above": float(above),
                    "p": permutation_p(differences, resamples, seed) if enough else np.nan,
                    "subjects": n,
                    "note": note,
                }
            )
    columns = [*by, column, "difference", "low", "high", "above", "p", "subjects", "note"]
    table = pd.DataFrame.from_records(records, columns=columns)
    after_p = columns.index("p") + 1
    table.insert(after_p, "p_holm", holm(table["p"].to_numpy(np.float64)))
    table.insert(after_p + 1, "verdict", _verdicts(table))
    return table


def _verdicts(table: pd.DataFrame) -> pd.Series[str]:
    sure = table["p_holm"] < 1 - LEVEL
    verdict = pd.Series("not told apart", index=table.index, dtype="str")
    verdict[sure & (table["low"] > 0)] = "above"
    verdict[sure & (table["high"] < 0)] = "below"
    return verdict.where(table["p_holm"].notna())


def subject_means(frame: pd.DataFrame) -> dict[str, float]:
    """Mean score of each subject: over seeds, then prompts, then training seeds."""
    scores = _scored(frame).nested(np.arange(len(frame)))
    return dict(zip(scores.subjects, scores.means().tolist(), strict=True))


def in_common(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The rows of tidy results whose picture every value of `column` has, so that no difference
    between them comes of unlike pictures.

    A picture is a subject, prompt and generation seed, and a training seed where the values of
    `column` have any in common; where they have none, their trainings are taken as they are.
    """
    scored = _scored(frame)
    code, _ = pd.factorize(frame[column])
    sides = [np.flatnonzero(code == side) for side in pd.unique(code) if side >= 0]
    return frame.iloc[np.sort(np.concatenate(scored.in_common(sides)))] if sides else frame


def permutation_p(differences: Values, resamples: int = RESAMPLES, seed: int = 0) -> float:
    """Two-sided p of paired differences under random signs.

    Exact over all 2^n signs up to `SUBJECTS_FOR_EXACT_P` pairs; beyond, from `resamples` draws,
    with the observed signs counted as one of them so that p is never 0.
    """
    n = len(differences)
    exact = n <= SUBJECTS_FOR_EXACT_P
    sums = np.abs(_signs(n, None if exact else resamples, seed) @ differences)
    # Sums that are equal on paper may differ in their last bits.
    observed = abs(float(differences.sum())) * (1 - 1e-12) - 1e-15
    reached = int((sums >= observed).sum())
    return reached / 2**n if exact else (reached + 1) / (resamples + 1)


def holm(p: Values) -> Values:
    """Holm's step-down correction of the p-values that are not missing."""
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    corrected = np.full(len(p), np.nan)
    steps = p[order] * (len(order) - np.arange(len(order)))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected


@dataclass(frozen=True)
class _Nested:
    """Scores of one group, sorted: subjects hold training seeds, these prompts, these seeds.

    A block is the scores of one (subject, training seed, prompt), one per generation seed.
    """

    values: Values
    subjects: list[str]
    starts: Numbers
    """Index of each block's first value."""
    counts: Numbers
    """Number of each block's values."""
    owner: Numbers
    """Index of each block's subject."""
    share: Values
    """What each block weighs in its subject's mean; the shares of a subject add up to 1."""

    def means(self) -> Values:
        """Mean per subject."""
        blocks = np.add.reduceat(self.values, self.starts) / self.counts
        return np.bincount(self.owner, weights=blocks * self.share).astype(np.float64)

    def draws(self, seed: int) -> Values:
        """[subjects, SEED_DRAWS] means, the seeds of every block drawn with replacement."""
        drawn = np.empty((len(self.subjects), SEED_DRAWS))
        edges = np.searchsorted(self.owner, np.arange(len(self.subjects) + 1))
        for subject, (first, last) in enumerate(pairwise(edges)):
            counts, share = self.counts[first:last], self.share[first:last]
            begin = self.starts[first]
            values = self.values[begin : begin + counts.sum()]
            weights = _draw_weights(tuple(counts.tolist()), tuple(share.tolist()), seed)
            drawn[subject] = weights @ values
        return drawn


@lru_cache(maxsize=64)
def _draw_weights(counts: tuple[int, ...], share: tuple[float, ...], seed: int) -> Values:
    """[SEED_DRAWS, values] of what each value of a subject weighs in each draw of its seeds.

    Subjects of the same layout share them: which draw a resampled subject gets is drawn again.
    """
    lengths, weight = np.array(counts), np.array(share) / np.array(counts)
    starts = np.cumsum(lengths) - lengths
    total = int(lengths.sum())
    # Blocks may differ in length: draw for the longest, weigh the surplus by 0.
    taken = (np.arange(lengths.max()) < lengths[:, None]) * weight[:, None]
    uniform = np.random.default_rng(seed).random((SEED_DRAWS, *taken.shape))
    chosen = starts[:, None] + (uniform * lengths[:, None]).astype(np.int64)
    place = np.arange(SEED_DRAWS)[:, None, None] * total + chosen
    every = np.broadcast_to(taken, place.shape).ravel()
    flat = np.bincount(place.ravel(), weights=every, minlength=SEED_DRAWS * total)
    return flat.reshape(SEED_DRAWS, total).astype(np.float64)


@dataclass(frozen=True)
class _Scored:
    """Tidy results as numbers: each level of the nesting by the place of its value, in order."""

    values: Values
    levels: Sequence[Numbers]
    """Subject, training seed, prompt and generation seed of every row; missing ones come last."""
    subjects: list[str]
    """Name of every subject, by its number."""

    def in_common(self, sides: Sequence[Numbers]) -> list[Numbers]:
        """Of every side's rows those whose picture all sides have: see `in_common`."""
        subject, run, prompt, seed = self.levels
        runs = [set(np.unique(run[rows]).tolist()) for rows in sides]
        levels = [subject, prompt, seed, *([run] if set.intersection(*runs) else [])]
        sizes = [int(level.max(initial=0)) + 1 for level in levels]
        picture = np.ravel_multi_index(levels, sizes)
        shared = picture[sides[0]]
        for rows in sides[1:]:
            shared = np.intersect1d(shared, picture[rows])
        return [rows[np.isin(picture[rows], shared)] for rows in sides]

    def left_out(self, rows: Numbers, kept: Numbers) -> int:
        """How many of the rows are not kept, of the subjects that are."""
        subject = self.levels[0]
        return int(np.isin(subject[rows], subject[kept]).sum()) - len(kept)

    def nested(self, rows: Numbers) -> _Nested:
        """The scores of one group, which are these rows."""
        ordered = rows[np.lexsort([level[rows] for level in reversed(self.levels)])]
        # 0, 1, 2, ... in order, the same for rows that agree down to this level.
        begins, numbered = np.zeros(len(rows), dtype=np.bool_), []
        for level in self.levels[:3]:
            begins = begins | (np.diff(level[ordered], prepend=-1) != 0)
            numbered.append(np.cumsum(begins) - 1)
        subject, run, block = numbered
        starts = np.flatnonzero(np.diff(block, prepend=-1))
        run_starts = np.flatnonzero(np.diff(run, prepend=-1))
        blocks_per_run = np.bincount(run[starts])
        runs_per_subject = np.bincount(subject[run_starts])
        own = self.levels[0][ordered]
        return _Nested(
            values=self.values[ordered],
            subjects=[self.subjects[number] for number in own[np.diff(own, prepend=-1) != 0]],
            starts=starts,
            counts=np.diff(starts, append=len(ordered)),
            owner=subject[starts],
            share=1 / (blocks_per_run[run[starts]] * runs_per_subject[subject[starts]]),
        )


def _scored(frame: pd.DataFrame) -> _Scored:
    """The rows of a frame, which are numbered once however many groups are made of them."""
    levels, subjects = [], []
    for name in ("subject", "train_seed", "prompt_id", "seed"):
        codes, found = pd.factorize(frame[name], sort=True)
        levels.append(np.where(codes < 0, len(found), codes).astype(np.int64))
        if name == "subject":
            subjects = [*(str(subject) for subject in found), "nan"]
    return _Scored(frame["value"].to_numpy(np.float64), levels, subjects)


def _groups(frame: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[tuple[object, ...], Numbers]]:
    """(values of `by`, their rows) of every combination, in the order of the frame."""
    grouped = frame.groupby(list(by), dropna=False, sort=False)
    number = grouped.ngroup().to_numpy(np.int64)
    places = np.argsort(number, kind="stable")
    edges = [0, *np.cumsum(np.bincount(number))]
    for keys, (first, last) in zip(grouped.size().index, pairwise(edges), strict=True):
        yield keys if len(by) > 1 else (keys,), places[first:last]


def _interval(draws: Values, resamples: int, seed: int) -> tuple[float, float]:
    """Percentile interval of the mean over subjects, from draws [subjects, SEED_DRAWS]."""
    n, inner = draws.shape
    if n < SUBJECTS_FOR_INTERVAL:
        return np.nan, np.nan
    means = draws.ravel()[_resampled(n, inner, resamples, seed)].mean(axis=1)
    tail = expanded_tail(n)
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


@lru_cache(maxsize=8)
def _resampled(n: int, inner: int, resamples: int, seed: int) -> Numbers:
    """[resamples, n] places in flat draws [n, inner]: subjects drawn, and one draw of each.

    The same for all groups of as many subjects.
    """
    random = np.random.default_rng(seed)
    chosen = random.integers(0, n, (resamples, n))
    places: Numbers = chosen * inner + random.integers(0, inner, (resamples, n))
    return places


@lru_cache(maxsize=8)
def _signs(n: int, resamples: int | None, seed: int) -> Values:
    """[`resamples`, n] of 1 and -1; None for all 2^n."""
    if resamples is None:
        flips = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    else:
        flips = np.random.default_rng(seed).integers(0, 2, (resamples, n))
    return (1.0 - 2.0 * flips).astype(np.float64)


@cache
def expanded_tail(n: int) -> float:
    """Share of resamples beyond each end of the interval over n subjects; 0.025 for very many."""
    # Of Student's t and of the normal distribution; scipy.stats takes long to import.
    from scipy.special import ndtr, stdtrit

    student = stdtrit(n - 1, (1 - LEVEL) / 2)
    return float(ndtr(np.sqrt(n / (n - 1)) * student))


def _interval_note(subjects: int) -> str:
    if subjects >= SUBJECTS_FOR_INTERVAL:
        return ""
    plural = "" if subjects == 1 else "s"
    return f"interval not computed: {subjects} subject{plural}, {SUBJECTS_FOR_INTERVAL} needed"
