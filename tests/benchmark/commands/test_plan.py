import json

import pytest
from typer.testing import CliRunner

from benchmark.cli import app
from benchmark.config import toml_text
from benchmark.errors import UserError
from benchmark.plan import plan


@pytest.fixture
def study(small, tmp_path, monkeypatch):
    """mine.toml: 4 cells of 2 methods and 2 subjects, in the current folder."""
    monkeypatch.chdir(tmp_path)
    config = small(subjects=["spotted_dog", "rain_boot"])
    (tmp_path / "mine.toml").write_text(toml_text(config))
    return config


def tbbench(*arguments):
    return CliRunner().invoke(app, ["plan", "mine.toml", *arguments])


def test_the_cells_are_counted_by_method_subject_and_shard(study, tmp_path):
    told = tbbench("--shards", "3")
    assert told.exit_code == 0, told.output
    rows = [line.split() for line in told.output.splitlines()]
    assert "Small: 4 cells, 0 done" in told.output
    for row in (["base", "2", "0", "0"], ["rain_boot", "2", "0", "0"], ["1", "2", "0", "0"]):
        assert row in rows
    assert ["3", "1", "0", "0"] in rows
    assert not (tmp_path / "runs").exists()


def test_every_cell_is_listed_for_machines(study):
    told = tbbench("--shards", "2", "--json")
    content = json.loads(told.output)
    assert [cell["key"] for cell in content["cells"]] == [cell.key for cell in plan(study)]
    assert sorted(cell["shard"] for cell in content["cells"]) == [1, 1, 2, 2]
    assert {cell["status"] for cell in content["cells"]} == {"pending"}


def test_the_script_is_printed_or_written(study, tmp_path):
    printed = tbbench("--shards", "2", "--set", "training.steps=3", "--sbatch", "-")
    assert printed.output.startswith("#!/bin/bash\n")
    assert "run mine.toml --set training.steps=3 --out runs/small" in printed.output
    written = tbbench("--shards", "2", "--set", "training.steps=3", "--sbatch", "job.sh")
    assert "job.sh: 2 tasks; start it with: sbatch job.sh" in written.output
    assert (tmp_path / "job.sh").read_text() == printed.output


def test_only_one_thing_is_written(study):
    told = tbbench("--json", "--sbatch", "-")
    assert isinstance(told.exception, UserError)
    assert "choose one" in str(told.exception)
