"""The examples of docs/how-to/tables-and-figures.md do what it says of them."""

import re
from pathlib import Path

import pytest

from reports.choice import FAMILIES, PAPERS_NAMES
from reports.cost_figures import COSTS
from reports.naming import check_naming, load_naming

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"
PAGE = (HOW_TO / "tables-and-figures.md").read_text("utf-8")


def block(language):
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return found


def test_the_naming_file_is_valid(tmp_path):
    (tmp_path / "names.toml").write_text(block("toml"), encoding="utf-8")
    naming = load_naming(tmp_path / "names.toml")
    check_naming(naming, ["dreambooth (matched)"])
    assert next(iter(naming.names)) == "textboost"


def test_every_cost_and_paper_name_is_listed():
    section = PAGE.split("## Columns")[1].split("##")[0]
    listed = set(re.findall(r"`([^`]+)`", section))
    assert set(COSTS) <= listed
    assert {PAPERS_NAMES[name] for name in FAMILIES} <= listed


@pytest.mark.slow
def test_the_python_example_runs(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(block("python").replace("runs/quickstart", str(run.path)), "example", "exec"), {})
    assert "headline scores" in capsys.readouterr().out
    assert (tmp_path / "pareto.svg").read_bytes().startswith(b"<?xml")
