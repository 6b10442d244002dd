"""What people said in a blind study: win rates with intervals, and how far they agree.

A rater sees two pictures of the same subject, prompt and seed by two methods and says which is the
better one, or that there is none. The page knows pictures by meaningless ids; `key.json` says whose
they are. A win rate counts a win as 1 and "no difference" as a half.

Answers of one rater, and answers on one subject, are alike. The interval draws raters and subjects
again, both with replacement, and weighs an answer by the product of how often its rater and its
subject were drawn (the pigeonhole bootstrap: Owen, Annals of Applied Statistics 1(2), 2007). Its
levels are moved outward for few clusters, as in `benchmark.stats`. With one rater only the subjects
are drawn: such an interval says nothing of other people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.stats import (
    LEVEL,
    RESAMPLES,
    SUBJECTS_FOR_INTERVAL,
    SUBJECTS_FOR_P,
    expanded_tail,
    permutation_p,
)

CHOICES = ("left", "right", "same")
EVEN = 0.5


@dataclass(frozen=True)
class Pair:
    """Two pictures that were compared."""

    id: str
    subject: str
    prompt_id: str
    prompt: str
    seed: int
    train_seed: int
    pictures: Mapping[str, str]
    """Id of a picture -> its method's label. Two, in the order of their ids."""


@dataclass(frozen=True)
class Key:
    """key.json: which picture is whose."""

    study: str
    """Changes with everything that the study shows."""
    question: str
    pairs: Mapping[str, Pair]


@dataclass(frozen=True)
class Agreement:
    """How far raters agree on which picture is the better one."""

    alpha: float | None
    """Krippendorff's alpha, nominal: 1 full agreement, 0 that of chance. None: not computed."""
    raters: int
    pairs: int
    """Pairs that two or more raters answered; the others say nothing here."""
    note: str
    """Why there is no alpha; else empty."""


def win_rates(
    answers: pd.DataFrame, resamples: int = RESAMPLES, seed: int = 0
) -> list[dict[str, Any]]:
    """One record per two methods that were compared.

    `answers` has the columns rater, subject, first, second (the methods' labels) and score, what
    `first` got: 1, 0.5 or 0. Records: first, second, win_rate (of `first`), low, high (None where
    no interval is computed), wins, losses, same, answers, raters, subjects, p (two-sided, of the
    subjects' win rates against a half under random signs; None below `SUBJECTS_FOR_P` subjects),
    verdict (the label of the method that is preferred, when the interval excludes a half and p is
    below 0.05; `not told apart`; None without p) and note.
    """
    turned = _in_order(answers)
    records = []
    for one, two in combinations(sorted({*turned["first"], *turned["second"]}), 2):
        mine = turned[(turned["first"] == one) & (turned["second"] == two)]
        if len(mine):
            records.append(_record(one, two, mine, resamples, seed))
    return records


def agreement(answers: pd.DataFrame) -> Agreement:
    """Krippendorff's alpha over pairs; `answers` has the columns rater, pair and value.

    `value` is 1 for the picture with the lower id, 0 for the other and 0.5 for no difference, three
    kinds without an order. Ids mean nothing: were methods the kinds instead, raters who all prefer
    the same method would agree by chance alone.
    """
    import krippendorff

    counts = answers.groupby("pair")["rater"].nunique()
    shared = counts.index[counts > 1]
    raters = int(answers["rater"].nunique())
    if not len(shared):
        why = "one rater alone" if raters == 1 else "no pair was answered by two raters"
        return Agreement(None, raters, 0, f"agreement not computed: {why}")
    mine = answers[answers["pair"].isin(shared)]
    table = mine.pivot(index="rater", columns="pair", values="value").astype(float)
    values = table.to_numpy()
    if len(np.unique(values[~np.isnan(values)])) < 2:
        note = "agreement not computed: all answers are alike, so chance would do as well"
        return Agreement(None, raters, len(shared), note)
    alpha = krippendorff.alpha(reliability_data=values, level_of_measurement="nominal")
    return Agreement(float(alpha), raters, len(shared), "")


def left_share(answers: pd.DataFrame) -> float | None:
    """Share of "left" among the answers that chose a side; about a half unless raters have a side.

    `answers` has the column choice. None when nobody chose a side.
    """
    sided = answers[answers["choice"] != "same"]
    return float((sided["choice"] == "left").mean()) if len(sided) else None


def _in_order(answers: pd.DataFrame) -> pd.DataFrame:
    """The answers with `first` before `second` in the alphabet, the score turned accordingly."""
    swap = answers["first"] > answers["second"]
    return answers.assign(
        first=answers["first"].where(~swap, answers["second"]),
        second=answers["second"].where(~swap, answers["first"]),
        score=answers["score"].where(~swap, 1 - answers["score"]),
    )


def _record(one: str, two: str, answers: pd.DataFrame, resamples: int, seed: int) -> dict[str, Any]:
    low, high, note = interval(answers, resamples, seed)
    p = verdict = None
    of_subjects = answers.groupby("subject")["score"].mean().to_numpy(float) - EVEN
    if low is not None and high is not None:
        if len(of_subjects) < SUBJECTS_FOR_P:
            why = f"no verdict: {len(of_subjects)} subjects, {SUBJECTS_FOR_P} needed"
            note = f"{note}; {why}" if note else why
        else:
            p = permutation_p(of_subjects)
            sure = p < 1 - LEVEL and (low > EVEN or high < EVEN)
            verdict = (one if low > EVEN else two) if sure else "not told apart"
    score = answers["score"]
    return {
        "first": one,
        "second": two,
        "win_rate": float(score.mean()),
        "low": low,
        "high": high,
        "wins": int((score == 1).sum()),
        "losses": int((score == 0).sum()),
        "same": int((score == EVEN).sum()),
        "answers": len(answers),
        "raters": int(answers["rater"].nunique()),
        "subjects": int(answers["subject"].nunique()),
        "p": p,
        "verdict": verdict,
        "note": note,
    }


def interval(
    answers: pd.DataFrame, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float | None, float | None, str]:
    """95% interval of the mean of `score` over raters and subjects: low, high, note."""
    raters, who = np.unique(answers["rater"].to_numpy(str), return_inverse=True)
    subjects, what = np.unique(answers["subject"].to_numpy(str), return_inverse=True)
    if len(subjects) < SUBJECTS_FOR_INTERVAL:
        plural = "" if len(subjects) == 1 else "s"
        note = f"interval not computed: {len(subjects)} subject{plural}, "
        return None, None, f"{note}{SUBJECTS_FOR_INTERVAL} needed"
    # Sums and numbers of answers per rater and subject: a resample weighs whole blocks.
    shape = (len(raters), len(subjects))
    sums, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, (who, what), answers["score"].to_numpy(float))
    np.add.at(counts, (who, what), 1.0)
    random = np.random.default_rng(seed)
    across = _weights(random, resamples, len(subjects))
    over = _weights(random, resamples, len(raters)) if len(raters) > 1 else None
    totals = weighted(sums, over, across)
    numbers = weighted(counts, over, across)
    drawn = totals[numbers > 0] / numbers[numbers > 0]
    clusters = min(shape) if len(raters) > 1 else len(subjects)
    tail = expanded_tail(clusters)
    low, high = np.quantile(drawn, [tail, 1 - tail])
    note = "" if len(raters) > 1 else "one rater: the interval is over subjects alone"
    return float(low), float(high), note


def _weights(random: np.random.Generator, resamples: int, n: int) -> NDArray[np.float64]:
    """[resamples, n] how often each of n clusters is drawn."""
    return random.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)


def weighted(
    table: NDArray[np.float64], over: NDArray[np.float64] | None, across: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[resamples] sums of the table [raters, subjects] under the drawn weights."""
    rows = np.broadcast_to(table.sum(axis=0), across.shape) if over is None else over @ table
    return np.asarray((rows * across).sum(axis=1))


def table(key: Key, answers: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    """Checked answers, one row each, with all columns that this module's functions want.

    Every answer has rater, pair, left, right and choice, which fit the key.
    """
    rows = []
    for answer in answers:
        pair = key.pairs[answer["pair"]]
        lower, higher = pair.pictures
        chosen = answer[answer["choice"]] if answer["choice"] != "same" else None
        value = EVEN if chosen is None else float(chosen == lower)
        rows.append(
            {
                "rater": answer["rater"],
                "pair": pair.id,
                "subject": pair.subject,
                "choice": answer["choice"],
                "first": pair.pictures[lower],
                "second": pair.pictures[higher],
                "score": value,
                "value": value,
            }
        )
    return pd.DataFrame(rows)
