"""Files: written as pytest-benchmark does, read back, refused when they are something else."""

import sys

import pytest
from pytest_benchmark.cli import main

from benchmark.errors import UserError
from benchmark.perf.rounds import Measured
from benchmark.perf.stored import read, save
from tests.benchmark.perf.files import MACHINE, entry, times, write

COMMIT = {"id": "c0ffee", "time": None, "dirty": False}


def measured():
    blocks = [((0.10, 0.12), (0.20, 0.21)), ((0.11, 0.13), (0.22, 0.23))]
    return {
        "train/textboost/toy": Measured(blocks, [{"flops": 7}, {"flops": 8}]),
        "score": Measured([], [{}, {}], {1: "ValueError: no"}),
    }


def test_each_side_comes_back_as_it_was_measured(tmp_path):
    for side, path in enumerate([tmp_path / "base.json", tmp_path / "new.json"]):
        save(path, measured(), side, COMMIT, "together", ["score", "old"], ["s*"])
    base, new = read(tmp_path / "base.json"), read(tmp_path / "new.json")
    case = new.cases["train/textboost/toy"]
    assert case.blocks == ((0.20, 0.21), (0.22, 0.23))
    assert base.cases["train/textboost/toy"].blocks == ((0.10, 0.12), (0.11, 0.13))
    assert case.median == pytest.approx(0.215)
    assert (case.counters, case.clock) == ({"flops": 8}, "process_time")
    assert (new.commit, new.round) == ("c0ffee", "together") == (base.commit, base.round)
    # What failed on one tree cannot be compared: neither file has figures of it.
    assert "score" not in base.cases
    assert (base.failed, new.failed) == ({}, {"score": "ValueError: no"})
    assert new.packages["torch"]
    assert (new.suite, new.patterns) == (["score", "old"], ["s*"])


def test_pytest_benchmark_reads_the_file(tmp_path, capsys, monkeypatch):
    path = tmp_path / "new.json"
    save(path, measured(), 1, COMMIT, "r")
    words = ["pytest-benchmark", "compare", str(path), "--columns=median,rounds"]
    monkeypatch.setattr(sys, "argv", words)
    main()
    shown = capsys.readouterr()
    assert "train/textboost/toy" in shown.out, shown.err
    assert " 4" in shown.out


def test_times_without_blocks_are_of_one_process(tmp_path):
    plain = entry("c", times(blocks=1))
    del plain["extra_info"]["blocks"]
    found = read(write(tmp_path / "plain.json", [plain])).cases["c"]
    assert [len(block) for block in found.blocks] == [8]
    del plain["stats"]["data"]
    assert read(write(tmp_path / "plain.json", [plain])).cases["c"].blocks == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read .*perf run --out"),
        ("no json", "is not JSON"),
        ("[1]", "not what pytest-benchmark writes"),
        ('{"benchmarks": []}', "not what pytest-benchmark writes .KeyError: 'machine_info'"),
    ],
)
def test_another_file_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "perf.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=message) as refused:
        read(path)
    assert "perf.json" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_blocks_that_do_not_add_up_are_refused(tmp_path):
    wrong = entry("c", times())
    wrong["extra_info"]["blocks"] = [8, 8]
    path = write(tmp_path / "perf.json", [wrong])
    with pytest.raises(UserError, match="blocks of c do not add up"):
        read(path)


def wrong_entry(**changes):
    """An entry with other fields in extra_info or stats."""
    made = entry("c", times())
    for part in ("extra_info", "stats"):
        made[part] |= {key: value for key, value in changes.items() if key in made[part]}
    return {"benchmarks": [made]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (wrong_entry(median=float("nan")), "a time of c is NaN"),
        (wrong_entry(median=0.0), "a time of c is 0.0"),
        (wrong_entry(median="0.1"), 'a time of c is "0.1"'),
        (wrong_entry(data=[0.1] * 47 + [float("nan")]), "a time of c is NaN"),
        (wrong_entry(data=[0.1] * 47 + [float("inf")]), "a time of c is Infinity"),
        (wrong_entry(data=[0.1] * 47 + [-0.1]), "a time of c is -0.1"),
        (wrong_entry(data=[0.1] * 47 + [None]), "a time of c is null"),
        (wrong_entry(flops=float("inf")), "flops of c is Infinity"),
        (wrong_entry(flops="5"), 'flops of c is "5"'),
        (wrong_entry(flops=-1), "flops of c is -1"),
        ({"failed": ["c"]}, "failed is"),
        ({"failed": {"c": None}}, "failed: c is null"),
        ({"round": 5}, "round is 5"),
        ({"suite": "c"}, "suite is"),
        ({"patterns": None}, "patterns is null"),
        ({"machine_info": {**MACHINE, "packages": None}}, "packages is null"),
    ],
)
def test_figures_that_are_none_are_refused_in_one_line(tmp_path, changes, message):
    given = {"benchmarks": [entry("c", times())]} | changes
    path = write(tmp_path / "perf.json", given.pop("benchmarks"), **given)
    with pytest.raises(UserError, match=message) as refused:
        read(path)
    assert "perf.json" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_without_pytest_benchmark_the_fix_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pytest_benchmark.plugin", None)
    with pytest.raises(UserError, match=r"pip install 'textboost-bench\[perf\]'"):
        save(tmp_path / "perf.json", measured(), 0, COMMIT, "r")
    assert list(tmp_path.iterdir()) == []
