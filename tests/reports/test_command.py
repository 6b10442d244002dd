"""`tbbench report` with several runs, with a base, and with options that do not fit."""

import json
import os
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from benchmark.atomic import checksum, write_json
from benchmark.collect import states
from benchmark.store import Run
from reports.command import show
from reports.compare_runs import compare_with
from reports.study import merge, open_study
from tests.reports.called import tbbench
from tests.reports.made_up import SUBJECTS, cell, make_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """`old` and `new` differ in textboost's steps; `other` is of another split."""
    folder = tmp_path_factory.mktemp("runs")
    methods = ("base", "textboost", "dreambooth")
    make_run(folder / "old", [cell(m, s) for s in SUBJECTS for m in methods])
    make_run(folder / "small", [cell("textboost", "dog_a"), cell("base", "dog_a")])
    faster = {"textboost": {"settings": {"steps": 60, "learning_rate": 5e-4}}}
    make_run(
        folder / "new",
        [cell(m, s, **faster.get(m, {})) for s in SUBJECTS for m in ("base", "textboost")],
    )
    make_run(folder / "other", [cell("textboost", "dog_a", split="n3")])
    return folder


def shift(run, by):
    """Moves every score of the run's cells, as if the pictures were that much better."""
    for folder in (run / "cells").iterdir():
        content = json.loads((folder / "cell.json").read_text())
        scores = pd.read_parquet(folder / "scores.parquet")
        scores.assign(value=scores["value"] + by).to_parquet(folder / "scores.parquet")
        content["outcome"]["scores.parquet"] = checksum(folder / "scores.parquet")
        write_json(folder / "cell.json", content)


def test_several_runs_have_one_page_beside_the_first(runs):
    done = tbbench("report", runs / "old", runs / "new")
    assert done.returncode == 0, done.stderr
    index = runs / "report-old-new" / "index.html"
    assert f"report: {index}\n" in done.stdout
    text = index.read_text(encoding="utf-8")
    for label in ("textboost (toy, run old)", "textboost (toy, run new)", "dreambooth"):
        assert label in text
    table = pd.read_csv(index.parent / "comparison.csv").set_index("label")
    assert table.loc["base", "subjects"] == 6
    assert table.loc["base", "images"] == 24  # the same cells in both runs: once


def test_runs_that_cannot_be_compared_are_refused_in_one_line(runs):
    for arguments in ([runs / "old", runs / "other"], [runs / "other", "--diff", runs / "old"]):
        done = tbbench("report", *arguments)
        assert done.returncode == 2
        assert "cannot be compared: split is 'n1' in" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_diff_prints_and_writes_what_changed(runs, tmp_path):
    later = tmp_path / "later"
    shutil.copytree(runs / "old", later)
    shift(later, 0.05)
    done = tbbench("report", later, "--diff", runs / "old", "--out", tmp_path / "report")
    assert done.returncode == 0, done.stderr
    assert f"Changes since {runs / 'old'}" in done.stdout
    assert "+0.050" in done.stdout
    table = pd.read_csv(tmp_path / "report" / "changes.csv")
    assert len(table) == 3 * 9  # methods, and scores with their encoders and references
    assert table["change"].to_numpy() == pytest.approx(0.05)
    assert table["low"].to_numpy() == pytest.approx(0.05)
    # Exact p of 6 equal signs is 2/64; of 27 comparisons none stays below 0.05.
    assert table["p"].to_numpy() == pytest.approx(2 / 64)
    assert set(table["verdict"]) == {"not told apart"}
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "+0.050 [+0.050 to +0.050]" in page
    assert f"Since {runs / 'old'}, paired by picture." in page
    assert "| textboost | " in (tmp_path / "report" / "changes.md").read_text(encoding="utf-8")
    costs = pd.read_csv(tmp_path / "report" / "cost-changes.csv")
    assert set(costs["ratio"]) == {1.0}


def test_diff_tells_settings_that_changed_and_what_another_machine_measured(runs, monkeypatch):
    run = Run.open(runs / "new")
    monkeypatch.setitem(run.environment, "processor", "faster")
    monkeypatch.setitem(run.environment["packages"], "torch", "0.1")
    study = merge([run])
    changes = compare_with(study, runs / "old")
    console = Console(file=StringIO(), width=200)
    changes.show(console)
    shown = console.file.getvalue()
    assert "textboost (toy): steps was 120, is 60" in shown
    assert "new and " in shown
    assert "their seconds and memory are not compared." in shown
    assert "may have been made with different software (torch 0.1; torch " in shown
    assert set(changes.costs["kind"]) == {"exact"}
    on_page = changes.page_table().set_index(["method", "what"])
    steps = on_page.loc[("textboost (toy)", "setting steps")]
    assert (steps["before"], steps["now"], steps["verdict"]) == ("120", "60", "")
    assert len(compare_with(open_study([runs / "new"]), runs / "old").notes) == 0


def test_texts_of_a_run_are_no_formula_and_no_markup(runs, tmp_path):
    hostile = "=cmd()|[bold]<b>"
    cells = [cell("textboost", "dog_a", settings={"steps": 120, "words": hostile})]
    make_run(tmp_path / "run", cells)
    study = open_study([tmp_path / "run"])
    changes = compare_with(study, runs / "old")
    changes.write(tmp_path)
    table = pd.read_csv(tmp_path / "setting-changes.csv").set_index("setting")
    assert table.loc["words", "now"] == f"'{hostile}"
    text = (tmp_path / "setting-changes.md").read_text(encoding="utf-8")
    assert r"=cmd()\|" in text
    console = Console(file=StringIO(), width=200)
    changes.show(console)
    assert f"words was missing, is {hostile}" in console.file.getvalue()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--watch", "--diff", "x"], "--watch rewrites the page alone; leave out --diff"),
        (["--watch", "--paper", "x"], "--watch rewrites the page alone; leave out --paper"),
        (["new", "--watch"], "--watch follows one run"),
        (["small"], "is named twice"),
        (["--diff", "small"], "is the run itself"),
        (["--diff", "nowhere"], "nowhere holds no run"),
        (["--format", "pdf"], "--format 'pdf': expected one of csv, latex"),
        (["--columns", "fidelity"], "--columns is for the tables of --paper and --format"),
        (["--naming", "x.toml"], "--naming is for the tables of --paper and --format"),
        (["--format", "csv", "--naming", "nowhere.toml"], "nowhere.toml"),
        (["--format", "csv", "--columns", "beauty"], "beauty"),
        (["--ab-pairs", "3"], "--ab-pairs is for a blind study; add --ab-study"),
        (["--ab-study", "--ab-question", "taste"], "--ab-question 'taste': expected one of"),
        (["--ab-study", "--embed"], "--ab-study writes the page of the blind study alone"),
        (["--ab-study", "--ab-methods", ","], "expected names with commas between them"),
        (["--out", "new"], "is a run's folder; give --out another one"),
        (["--paper", "new"], "is a run's folder; give --paper another one"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(runs, options, said, monkeypatch):
    monkeypatch.chdir(runs)
    before = sorted(runs.rglob("*"))
    done = tbbench("report", "small", *options)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(runs.rglob("*")) == before


def test_tables_and_a_paper_folder_are_written_beside_the_page(runs, tmp_path):
    make_run(tmp_path / "run", [cell(m, "dog_a") for m in ("textboost", "dreambooth")])
    (tmp_path / "names.toml").write_text('[methods]\ntextboost = "TextBoost (ours)"\n')
    done = tbbench(
        *("report", tmp_path / "run", "--out", tmp_path / "out", "--paper", tmp_path / "paper"),
        *("--format", "markdown,json", "--columns", "fidelity"),
        *("--naming", tmp_path / "names.toml"),
    )
    assert done.returncode == 0, done.stderr
    for path in (tmp_path / "out" / "table_main.md", tmp_path / "paper" / "table_main.tex"):
        text = path.read_text(encoding="utf-8")
        assert "TextBoost (ours)" in text
        assert "alignment" not in text  # a column that was not asked for
        assert f"written: {path}\n" in done.stdout
    assert not (tmp_path / "out" / "table_main.csv").exists()
    assert (tmp_path / "out" / "index.html").is_file()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_knows_few_characters_stops_no_report(runs, tmp_path, encoding):
    """As with LANG=de_DE.ISO-8859-1: tables hold arrows."""
    command = [sys.executable, "-m", "benchmark.cli", "report", str(runs / "new")]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out")],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "fidelity" in done.stdout.decode(encoding)
    assert b"?" in done.stdout  # in the place of an arrow


def test_the_table_of_a_run_comes_with_what_a_report_warns_of(runs, tmp_path):
    """`tbbench run` and `score` print it, and so does the Python call for machines."""
    run = Path(shutil.copytree(runs / "new", tmp_path / "new"))
    known = json.loads((run / "environment.json").read_text())
    other = known | {"code": "edited"}
    (run / "environment.json").write_text(json.dumps(known | {"other_environments": [other]}))
    opened = Run.open(run)
    console = Console(file=StringIO(), width=200)
    show(opened, states(opened), console, fresh=False)
    assert "different software (code made up; code edited)" in console.file.getvalue()
