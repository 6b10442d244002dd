import pandas as pd
import pytest
from typer.testing import CliRunner

from benchmark.cli import app
from benchmark.errors import UserError
from tests.reports.made_up import cell, make_run


def call(*arguments):
    return CliRunner().invoke(app, ["export", *map(str, arguments)], catch_exceptions=False)


def test_it_says_what_is_in_it_and_what_is_not(tmp_path):
    cells = [cell(m, "dog_a", dataset="dreambench") for m in ("copy", "textboost", "dreambooth")]
    make_run(tmp_path / "run", cells, failed=[("dreambooth", "dog_a")])
    done = call(tmp_path / "run", "--out", tmp_path / "out")
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0].startswith(f"{tmp_path / 'out'}: 4 pictures of 1 subject by 1 method, ")
    assert lines[1:] == [
        "2 of 3 cells are done; 1 failed and 0 pending ones are not in it",
        "The control copy's pictures, 4, are left out: they are training photos. Its scores are in "
        "tables/.",
    ]
    assert len(pd.read_parquet(tmp_path / "out" / "metadata.parquet")) == 4


def test_a_licence_is_asked_for_and_written(tmp_path):
    make_run(tmp_path / "run", [cell("textboost", "dog_a")], backbone="sd15")
    asked = call(tmp_path / "run", "--out", tmp_path / "out")
    assert asked.output.splitlines()[1:] == ["the card states no licence; name one with --license"]
    given = call(tmp_path / "run", "--out", tmp_path / "out", "--license", "openrail")
    assert len(given.output.splitlines()) == 1
    assert "license: openrail\n" in (tmp_path / "out" / "README.md").read_text("utf-8")
    with pytest.raises(UserError, match="--license 'My own'"):
        call(tmp_path / "run", "--out", tmp_path / "other", "--license", "My own")
    assert not (tmp_path / "other").exists()


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no run"):
        call(tmp_path, "--out", tmp_path / "out")
