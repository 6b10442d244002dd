"""`tbbench perf`: exit codes, what is written, and one line for each mistake."""

import json
import sys
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

import benchmark.perf.session
from benchmark.cli import app, main
from benchmark.perf.rounds import Measured
from benchmark.perf.trees import copy_running
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
    itself = tbbench("compare", out, out)
    assert itself.exit_code != 0
    assert "are one measurement" in str(itself.exception)


def stopped(there, folder):
    """What a run prints that is stopped in a folder with these files."""
    for name in there:
        (folder / name).touch()
    clone = benchmark.perf.session.running_tree()
    found = tbbench("run", "--case", "plan", "--against", clone, "--out", "p.json")
    assert found.exit_code == 130
    return found.output


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ([], "stopped, and nothing was written\n"),
        (["p.json"], "written; p.json is of an earlier time\n"),
        (["p-base.json", "p.json"], "written; p-base.json and p.json are of an earlier time\n"),
    ],
)
def test_a_run_that_is_stopped_says_what_is_not_its_own(there, told, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(benchmark.perf.session, "measure", stop)
    assert stopped(there, tmp_path).endswith(told)


@pytest.mark.parametrize(
    ("files", "there", "told"),
    [
        (1, [], "only p-base.json was written\n"),
        (1, ["p.json"], "only p-base.json was written; p.json is of an earlier time\n"),
        (2, ["p.json"], "p-base.json and p.json were written\n"),
    ],
)
def test_a_run_that_is_stopped_between_its_files_says_which_it_wrote(
    files, there, told, tmp_path, monkeypatch
):
    """Stopped right after the file is there, before the call that writes it returns."""
    left = iter(range(files))

    def save_and_stop(*words, save=benchmark.perf.session.save):
        save(*words)
        if next(left) == files - 1:
            raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(benchmark.perf.session, "measure", measured_as({}))
    monkeypatch.setattr(benchmark.perf.session, "save", save_and_stop)
    assert stopped(there, tmp_path).endswith(f"stopped, and {told}")


def test_a_case_that_the_bases_process_dies_of_fails_the_gate(tmp_path, monkeypatch):
    """In every output: the case is not judged, and the gate does not call that a pass."""
    died = "its process ended (exit code -9)"

    def measure(trees, names, log, undecided):
        found = measured_as({})(trees, names, log, undecided)
        return found | {"score": Measured([], [{}, {}], {0: died})}

    monkeypatch.setattr(benchmark.perf.session, "measure", measure)
    out, base = tmp_path / "perf.json", tmp_path / "perf-base.json"
    clone = benchmark.perf.session.running_tree()
    ran = tbbench("run", "--case", "plan", "--case", "score", "--against", clone, "--out", out)
    assert ran.exit_code == 0, ran.output  # the new tree is not to blame
    assert f"failed in the base: score: {died}" in ran.output
    markdown, junit = tmp_path / "perf.md", tmp_path / "perf.xml"
    found = tbbench("compare", base, out, "--markdown", markdown, "--junit", junit)
    assert found.exit_code == 1
    for text in (found.output, markdown.read_text()):
        assert f"not judged: base: {died}" in text
        assert "1 of 2 cases judged" in text
        assert "Lost, and so not known to be any good: score" in text
        assert "No regression" not in text
    suite = ElementTree.parse(junit).getroot().find("testsuite")
    counts = [suite.get(name) for name in ("failures", "errors", "skipped")]
    assert counts == ["0", "1", "0"]
    assert died in suite.find("testcase/error").get("message")


def test_a_case_that_the_base_has_no_more_is_missing_unless_it_was_not_asked_for(
    tmp_path, monkeypatch
):
    """A clone whose own suite has one case more than this one's."""
    monkeypatch.setattr(benchmark.perf.session, "measure", measured_as({}))
    clone = tmp_path / "clone"
    copy_running(clone)
    suite = clone / "benchmark" / "perf" / "suite.py"
    suite.write_text(suite.read_text() + '\nCASES["plan/old"] = CASES["plan"]\n')
    out, base = tmp_path / "perf.json", tmp_path / "perf-base.json"
    for pattern, code in (("plan*", 1), ("plan", 0)):
        assert tbbench("run", "--case", pattern, "--against", clone, "--out", out).exit_code == 0
        found = tbbench("compare", base, out)
        assert found.exit_code == code
        assert ("plan/old" in found.output) == bool(code)
    assert "No regression." in found.output


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
        (["compare", "missing.json", "missing.json"], "`tbbench perf run --out missing.json`"),
        (["compare", "m-base.json", "m.json"], "`tbbench perf run --against BASE --out m.json`"),
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
