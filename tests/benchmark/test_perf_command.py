"""`tbbench perf`: exit codes, what is written, and one line for each mistake."""

import json
import sys
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

import benchmark.perf.session
from benchmark.cli import app, main
from benchmark.perf.rounds import Measured
from tests.benchmark.perf.files import entry, times, write


def tbbench(*words):
    return CliRunner().invoke(app, ["perf", *map(str, words)])


@pytest.fixture
def files(tmp_path):
    base = write(
        tmp_path / "base.json", [entry("a", times(seed=1)), entry("b", times(seed=2))], "r"
    )
    new = write(
        tmp_path / "new.json", [entry("a", times(0.1, seed=3)), entry("b", times(seed=4))], "r"
    )
    return base, new


def test_a_regression_is_exit_code_1_and_every_output_names_it(files, tmp_path):
    outputs = {name: tmp_path / "out" / name for name in ("md", "xml", "json", "jsonl")}
    found = tbbench(
        *("compare", *files, "--markdown", outputs["md"], "--junit", outputs["xml"]),
        *("--json", outputs["json"], "--history", outputs["jsonl"]),
    )
    assert found.exit_code == 1
    assert "Regressions: a seconds +" in found.output
    assert "Regressions: a seconds +" in outputs["md"].read_text()
    suite = ElementTree.parse(outputs["xml"]).getroot().find("testsuite")
    assert suite is not None
    assert suite.get("failures") == "1"
    figures = {one["name"]: one["extra"] for one in json.loads(outputs["json"].read_text())}
    assert figures["a seconds"].endswith("regression")
    assert figures["b seconds"].endswith("same")
    lines = [json.loads(line) for line in outputs["jsonl"].read_text().splitlines()]
    assert [(line["case"], line["verdict"]) for line in lines] == [
        ("a", "regression"),
        ("b", "same"),
    ]


def test_no_regression_is_exit_code_0(files):
    base, new = files
    found = tbbench("compare", new, base, "--all")
    assert found.exit_code == 0
    assert "No regression." in found.output
    assert "checkpoint_bytes" in found.output


def test_the_trend_is_drawn_from_the_history(files, tmp_path):
    history, out = tmp_path / "history.jsonl", tmp_path / "trend.svg"
    tbbench("compare", *files, "--history", history)
    found = tbbench("trend", history, "--out", out)
    assert found.exit_code == 0
    assert out.read_text().startswith("<?xml")


def measured_as(errors):
    def measure(trees, names, log, undecided):
        log(f"{len(trees)} trees")
        for tree in trees:
            assert (tree / "benchmark" / "perf" / "suite.py").is_file()
        block = tuple((0.1, 0.1) for _ in trees)
        return {
            name: Measured([block] * 6, [{"flops": 5} for _ in trees], dict(errors))
            for name in names
        }

    return measure


def test_a_run_against_a_base_writes_two_files_that_can_be_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark.perf.session, "measure", measured_as({}))
    out, history = tmp_path / "perf.json", tmp_path / "history.jsonl"
    clone = benchmark.perf.session.running_tree()
    words = ("--case", "pl*", "--case", "score", "--against", clone, "--out", out)
    found = tbbench("run", *words, "--history", history)
    assert found.exit_code == 0, found.output
    assert "2 trees" in found.output
    assert f"tbbench perf compare {tmp_path / 'perf-base.json'} {out}" in found.output
    compared = tbbench("compare", tmp_path / "perf-base.json", out)
    assert compared.exit_code == 0, compared.output
    assert "plan" in compared.output
    assert "score" in compared.output
    assert "note:" not in compared.output
    assert len(history.read_text().splitlines()) == 2


def test_a_case_that_fails_is_exit_code_1(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark.perf.session, "measure", measured_as({0: "ValueError: [no]"}))
    found = tbbench("run", "--case", "plan", "--out", tmp_path / "perf.json")
    assert found.exit_code == 1
    assert "failed: plan: ValueError: [no]" in found.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "--case", "nothing"], "'nothing' matches no case"),
        (["run", "--against", "no-such-commit", "--case", "plan"], "neither a folder nor a commit"),
        (["run", "--out", ".", "--case", "plan"], "--out . is a folder"),
        (["compare", "missing.json", "missing.json"], "missing.json cannot be read"),
        (["trend", "missing.jsonl"], "missing.jsonl cannot be read"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["tbbench", "perf", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert list(tmp_path.iterdir()) == []
