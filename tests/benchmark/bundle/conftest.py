"""A made-up run with claims about it, and the bundle of both."""

import json
from pathlib import Path

import pytest

from benchmark.bundle.pack import pack
from benchmark.claims.file import parse_claims
from benchmark.claims.measured import preset_settings
from benchmark.config import Prior, Training
from benchmark.plan import Cell
from benchmark.store import Run
from tests.reports.made_up import cell, make_run

METHODS = ("textboost", "dreambooth")
SUBJECTS = ("dog_a", "dog_b", "cat_c", "teapot_d", "clock_e")
CLAIMS = """
[[claim]]
id = "better"
sentence = "TextBoost follows prompts better."
source = "this test"
preset = "toy"
expression = "difference(alignment@toy-clip, textboost, dreambooth) > 0.01"

[[claim]]
id = "quicker"
sentence = "TextBoost is quicker."
source = "this test"
preset = "toy"
expression = "ratio(seconds, textboost, dreambooth) < 1"
"""


def planned(method: str, subject: str) -> Cell:
    return cell(
        method,
        subject,
        compute=Training().model_dump(exclude={"steps", "resolution"}),
        prior=Prior().model_dump(),
        settings=preset_settings(method, "toy"),
    )


def keep_training_costs(run: Run) -> None:
    """checkpoint.json of every cell that is done, as training writes it."""
    for one in run.planned:
        folder = run.folder(one.key).path
        if not (folder / "cost.json").is_file():
            continue
        costs = json.loads((folder / "cost.json").read_text())
        trained = [c for c in costs if c["stage"] in ("load", "prepare", "train", "save")]
        content = {"files": {"model.safetensors": "0" * 64}, "costs": trained}
        (folder / "checkpoint.json").write_text(json.dumps(content))


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Run:
    """5 subjects, 2 methods, which keep the costs of their training twice."""
    cells = [planned(method, subject) for subject in SUBJECTS for method in METHODS]
    made = make_run(tmp_path_factory.mktemp("runs") / "made-up", cells)
    keep_training_costs(made)
    return made


@pytest.fixture(scope="session")
def whole(run, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("bundle") / "evidence.zip"
    pack(run, out, [parse_claims(CLAIMS, "somewhere/mine.toml")])
    return out
