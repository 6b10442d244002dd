"""docs/how-to/results.md: its examples, as they stand there, read a run."""

import re
import shlex
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from typer.testing import CliRunner

from benchmark.cli import app
from tests.reports.made_up import SKILL, SUBJECTS, cell, make_run

PAGE = Path(__file__).resolve().parent.parent / "docs" / "how-to" / "results.md"


def example(language: str, containing: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL)
    (found,) = [block for block in blocks if containing in block]
    return str(found).strip()


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    cells = [cell(method, subject) for subject in SUBJECTS for method in SKILL]
    run = make_run(tmp_path / "runs" / "quickstart", cells)
    monkeypatch.chdir(tmp_path)
    return run.results()


def test_pandas_and_duckdb_read_the_same_means(results: pd.DataFrame) -> None:
    expression = example("python", "read_parquet").partition("import pandas as pd")[2].strip()
    means = eval(expression, {"pd": pd})
    assert means["fidelity"]["toy-clip"]["textboost"] == pytest.approx(
        results.query("metric == 'fidelity' and encoder == 'toy-clip' and method == 'textboost'")[
            "value"
        ].mean()
    )
    table = duckdb.sql(example("sql", "read_parquet")).df()
    one = table.query("metric == 'fidelity' and encoder == 'toy-clip' and method == 'textboost'")
    expected = results.query("method == 'textboost' and metric == 'fidelity'")
    expected = expected[expected["encoder"] == "toy-clip"].groupby("reference")["value"].mean()
    assert dict(zip(one["reference"], one['avg("value")'], strict=True)) == pytest.approx(
        expected.to_dict()
    )
    assert set(table["filename"]) == {"runs/quickstart/results.parquet"}


def test_compare_does_as_the_page_says(results: pd.DataFrame) -> None:
    text = example("python", "import compare")
    found: dict[str, object] = {}
    exec(text.replace("\ncompare(", "\ntable = compare("), found)
    table = found["table"]
    assert isinstance(table, pd.DataFrame)
    assert {"low", "high", "p_holm"} <= set(table.columns)
    assert "textboost" in set(table["label"])


def test_an_export_reads_as_the_page_says(
    results: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not `datasets` alone: this repository's folder of that name could be imported.
    pytest.importorskip(
        "datasets.load", reason="needs Hugging Face's datasets: pip install .[test]"
    )
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    words = shlex.split(example("bash", "tbbench export"))
    assert CliRunner().invoke(app, words[1:], catch_exceptions=False).exit_code == 0
    start, _, last = example("python", "load_dataset").rpartition("\n")
    found: dict[str, object] = {}
    exec(start, found)
    image, prompt, fidelity = eval(last, found)
    assert (tmp_path / "cache").is_dir()
    assert image.size == (64, 64)
    assert prompt in set(results["prompt"])
    assert fidelity in set(results.query("metric == 'fidelity' and encoder == 'toy-clip'")["value"])
