"""`--json`: standard output is JSON alone, messages go elsewhere, exit codes are the same."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from benchmark.cli import app
from benchmark.cli_page import commands
from benchmark.commands.as_json import plain
from benchmark.first_config import first_config
from tests.benchmark.any_pictures.conftest import TOY, textboost_folder
from tests.benchmark.perf.files import entry, times, write
from tests.reports.called import tbbench
from tests.reports.made_up import cell, make_run

WITHOUT = {
    *("bundle", "cache", "data", "data fetch", "export", "export-model", "init", "merge"),
    *("perf", "perf run", "perf trend", "schema"),
}
"""Commands that print no table: where they have written what, or JSON as it is."""


CLAIM = """
[[claim]]
id = "mine"
sentence = "A sentence."
source = "this test"
preset = "toy"
expression = "difference(alignment, textboost, dreambooth) > 0"
"""


@dataclass(frozen=True)
class Case:
    """A command in a folder with `mine.toml`, runs, pictures and figures, and what it answers."""

    line: str
    code: int
    holds: Callable[[Any], bool]


CASES = {
    "methods": Case("methods", 0, lambda c: preset(c, "textual-inversion", "paper") == 768),
    "metrics": Case("metrics", 0, lambda c: named(c, "kid")["emits"] == {"kid-x1000": "lower"}),
    "protocols": Case("protocols", 0, lambda c: named(c, "strict")["headline"] == "unseen"),
    "backbones": Case("backbones", 0, lambda c: named(c, "sdxl")["resolution"] == 1024),
    "plan": Case("plan mine.toml --shards 2", 0, lambda c: len(c["cells"]) == 10),
    "run": Case(
        "run mine.toml --dry-run",
        0,
        lambda c: (
            (c["cells"], c["seconds"]) == (10, None)
            and c["methods"][0]["step"]["peak_bytes"] == c["peak_bytes"] > 0
        ),
    ),
    "doctor": Case("doctor", 0, lambda c: c[0]["what"] == "python"),
    "cache info": Case("cache info", 0, lambda c: c["embeddings"] == 0),
    "cache prune": Case("cache prune", 0, lambda c: c["embeddings"] == 0),
    "data check": Case(
        "data check dreambench", 1, lambda c: "photos are not in" in c["problems"][0]
    ),
    "check": Case("check run", 1, lambda c: not c["whole"] and len(c["cells"]) == 2),
    "report": Case(
        "report run --diff base --out page",
        0,
        lambda c: scored(c) >= {"base", "textboost"} and len(c["changes"]["scores"]) > 0,
    ),
    "estimate": Case(
        "estimate --methods textual-inversion --backbone toy",
        0,
        lambda c: c[0]["trainable_parameters"] > 0,
    ),
    "verify": Case("verify claims.toml run", 0, lambda c: [one["id"] for one in c] == ["mine"]),
    "perf compare": Case(
        "perf compare before.json after.json", 1, lambda c: "regression" in c[0]["extra"]
    ),
    "score": Case(
        f"score pictures --metrics fidelity --out scored {' '.join(TOY)}",
        0,
        lambda c: "pictures" in scored(c) and c["scores"][0]["subjects"] == 2,
    ),
}


def named(content: Any, name: str) -> Any:
    (found,) = (one for one in content if one["name"] == name)
    return found


def preset(content: Any, method: str, name: str) -> Any:
    return named(named(content["methods"], method)["presets"], name)["parameters"]


def scored(content: Any) -> set[str]:
    assert Path(content["page"]).is_file()
    return {row["label"] for row in content["scores"]}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("json")
    (folder / "mine.toml").write_text(first_config("mine"))
    (folder / "claims.toml").write_text(CLAIM)
    for name in ("base", "run"):
        make_run(folder / name, [cell(m, "dog_a") for m in ("base", "textboost")])
    textboost_folder(folder / "pictures")
    write(folder / "before.json", [entry("a", times(seed=1))], "r")
    write(folder / "after.json", [entry("a", times(0.3, seed=2))], "r")
    return folder


@pytest.fixture(autouse=True)
def here(workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DREAMBENCH_ROOT", str(tmp_path / "nowhere"))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_output_is_json_alone(name: str) -> None:
    case = CASES[name]
    options = ["--json", "-"] if name == "perf compare" else ["--json"]
    done = tbbench(*case.line.split(), *options)
    assert done.returncode == case.code, done.stderr

    def refuse(number: str) -> None:
        raise AssertionError(f"{number} is no JSON")

    assert case.holds(json.loads(done.stdout, parse_constant=refuse))


def test_every_command_that_prints_a_table_is_tried() -> None:
    there = dict(commands(typer.main.get_command(app), ()))
    assert set(CASES) | WITHOUT | {""} == set(there)
    having = {name for name, c in there.items() if any("--json" in p.opts for p in c.params)}
    assert having == set(CASES)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("run mine.toml", "--json is for what --dry-run says"),
        ("report run --watch", "leave out --json"),
        ("report run --ab-study", "leave out --ab-study, or --json"),
        ("methods --on sd16", "did you mean 'sd15'?"),
        ("report nowhere", "nowhere holds no run"),
    ],
)
def test_a_mistake_is_a_line_elsewhere(line: str, said: str) -> None:
    done = tbbench(*line.split(), "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_what_is_no_number_is_null() -> None:
    content = {1: (math.nan, np.float32("inf"), np.int64(3)), "rows": np.array([[1.5, np.nan]])}
    assert plain(content) == {"1": [None, None, 3], "rows": [[1.5, None]]}
    assert plain({"file": Path("a/b"), "none": None, "yes": True}) == {
        "file": "a/b",
        "none": None,
        "yes": True,
    }
    assert plain(Case("x", 1, len))["line"] == "x"
