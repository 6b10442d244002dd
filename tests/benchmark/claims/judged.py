"""Constructed results that claims are judged by."""

import pandas as pd

from benchmark.claims.file import Claim
from benchmark.claims.judge import judge
from benchmark.claims.measured import preset_settings
from benchmark.claims.study import Study
from benchmark.collect import COST_COLUMNS, RESULT_COLUMNS
from tests.reports.made_up import cell

EIGHT = [f"subject_{number}" for number in range(8)]
SCORE = {"metric": "alignment", "encoder": "clip-vit-b-32", "reference": None}
COST = {"stage": "train", "measure": "wall_seconds", "unit": "s", "kind": "measured"}
PLACE = {"preset": "paper", "backbone": "sd15", "dataset": "dreambench", "split": "n1"}


def made(method, subject, **changes):
    place = {**PLACE, "resolution": 512, "sampler": "dpm++", "prior": {}, **changes}
    return cell(method, subject, **{"settings": preset_settings(method, place["preset"]), **place})


def study(scores=(), costs=(), subjects=EIGHT, name="run", environment=None, **changes):
    """A run with all methods named in `scores` or `costs`: (method, value per subject, columns)."""
    methods = dict.fromkeys(method for method, *_ in (*scores, *costs))
    cells = [made(method, subject, **changes) for method in methods for subject in subjects]
    protocol = cells[0].protocol
    place = {**PLACE, "train_seed": 0} | {k: v for k, v in changes.items() if k in PLACE}
    results = [
        {**place, **SCORE, **columns, "method": method, "subject": subject, "value": value}
        | {"prompt_id": "p", "prompt": "a dog", "seed": seed, "protocol": protocol}
        for method, values, columns in scores
        for subject, value in zip(subjects, values, strict=False)
        for seed in (0, 1)
    ]
    spent = [
        {**place, **COST, **columns, "method": method, "subject": subject, "value": value}
        for method, values, columns in costs
        for subject, value in zip(subjects, values, strict=False)
    ]
    return Study(
        name,
        tuple(cells),
        pd.DataFrame(results, columns=list(RESULT_COLUMNS)),
        pd.DataFrame(spent, columns=list(COST_COLUMNS)),
        environment or {"device": "cpu", "processor": "a processor", "gpus": []},
    )


def claim(expression, **keys):
    return Claim(id="c", sentence="s", source="a paper", expression=expression, **keys)


def one(expression, *studies, **keys):
    (verdict,) = judge(claim(expression, **keys), studies, "mine")
    return verdict


def two(first, second, **columns):
    return [("textboost", first, columns), ("dreambooth", second, columns)]
