from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmark.cli import app
from benchmark.config import RunConfig, load_config
from benchmark.dry_run import downloads, shares
from benchmark.errors import UserError
from tests.benchmark.conftest import SMALL


def test_what_sd15_takes_is_told_without_weights_and_no_run_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    methods = 'methods=[{name="base"}, {name="textual-inversion"}]'
    done = CliRunner().invoke(app, ["run", "dreambench-sd15", "--dry-run", "--set", methods])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    (row,) = (line.split() for line in lines if line.startswith("textual-inversion"))
    assert row[1:4] == ["30", "3,000", "3,000"]
    assert "in all: 60 cells, 6,000 pictures" in lines
    assert any(line.startswith("time: not predicted") for line in lines)
    assert {path.name for path in tmp_path.iterdir()} <= {"cache"}


@pytest.mark.parametrize("name", ["dreambench-sd15", "dreambench-sd21"])
def test_a_ready_run_names_all_that_it_downloads(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMBENCH_ROOT", str(tmp_path))
    config = load_config(name)
    assert config.methods[0].name == "base"
    found = list(downloads(config))
    assert "tbbench data fetch dreambench" in found[0]
    assert "Stable Diffusion" in found[1]
    assert any("dino-vits16" in line for line in found)


def test_overrides_and_refusals_are_in_the_figures() -> None:
    config = load_config(
        "dreambench-sd15",
        ['methods=[{name="textboost", settings={steps=7}}]', 'training.optimizer="8bit"'],
    )
    (one,) = shares(config)
    assert (one.steps, one.predicted) == (7, None)
    assert "unknown optimizer '8bit'" in one.refusal


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"backbone": "toyy"}, "unknown backbone 'toyy'.*'toy'"),
        ({"scoring": {"metrics": ["fidelty"]}}, "unknown metric 'fidelty'.*'fidelity'"),
    ],
)
def test_a_name_that_no_run_would_take_is_refused(changes: dict[str, Any], said: str) -> None:
    config = RunConfig.model_validate(SMALL | changes)
    with pytest.raises(UserError, match=said):
        shares(config)
