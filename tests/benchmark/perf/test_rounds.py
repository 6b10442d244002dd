"""How two trees are measured in turn: real processes that speak the worker's language."""

import json

import pytest

from benchmark.perf import rounds
from benchmark.perf.rounds import BLOCKS, MOST_BLOCKS, UNITS, measure

WORKER = """
import json, os, sys, time
log = open(os.environ["TBBENCH_TEST_LOG"], "a")
here = os.path.basename(os.getcwd())
for line in sys.stdin:
    order, _, case = line.strip().partition(" ")
    surroundings = os.environ["OMP_NUM_THREADS"], os.environ["PYTHONHASHSEED"]
    log.write(json.dumps([here, os.getpid(), order, case, *surroundings]) + "\\n")
    log.flush()
    answer = {BEHAVIOUR}
    print(json.dumps(answer), flush=True)
"""


def plain(seconds):
    """The answers of a worker whose units take so long."""
    answers = {"open": {}, "close": {}, "unit": {"seconds": seconds}}
    return f'({answers} | {{"count": {{"counts": {{"flops": len(case)}}}}}})[order]'


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setenv("TBBENCH_TEST_LOG", str(tmp_path / "log"))

    def make(name, behaviour):
        folder = tmp_path / name / "benchmark" / "perf"
        folder.mkdir(parents=True)
        for package in (folder, folder.parent):
            (package / "__init__.py").write_text("")
        (folder / "worker.py").write_text(WORKER.replace("{BEHAVIOUR}", behaviour))
        return tmp_path / name

    return make


@pytest.fixture
def log(tmp_path):
    return lambda: [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]


def test_every_block_has_fresh_processes_and_takes_the_trees_in_turn(tree, log):
    trees = [
        tree("base", plain(1)),
        tree("code", plain(2)),
    ]
    found = measure(trees, ["one", "three"], lambda line: None)
    assert found["one"].blocks == [((1,) * UNITS, (2,) * UNITS)] * BLOCKS
    assert found["three"].counts == [{"flops": 5}, {"flops": 5}]
    assert not found["one"].errors
    lines = log()
    # One process per tree for counting and one per tree and block.
    assert len({pid for _, pid, *_ in lines}) == 2 * (1 + BLOCKS)
    units = [line for line in lines if line[2] == "unit"]
    assert len(units) == 2 * 2 * BLOCKS * UNITS
    sides = [line[0] for line in units]
    for block in range(2 * BLOCKS):  # of each case
        mine = sides[block * 2 * UNITS : (block + 1) * 2 * UNITS]
        first = "code" if block // 2 % 2 else "base"
        assert mine == [first, "base" if first == "code" else "code"] * UNITS
    # One thread; both trees of a block have the same hash seed, other blocks another one.
    assert {line[4] for line in lines} == {"1"}
    assert len({line[5] for line in units}) == BLOCKS


def test_either_tree_starts_first_in_turn(tmp_path, monkeypatch):
    started = []

    class Recorder:
        def __init__(self, tree, scratch, hash_seed):
            self.tree = tree
            started.append(tree.name)

        def end(self):
            started.append("end")

    monkeypatch.setattr(rounds, "Worker", Recorder)
    trees = [tmp_path / "base", tmp_path / "code"]
    for number in range(2):
        with rounds.workers(trees, number) as made:
            assert [worker.tree for worker in made] == trees
    assert started == ["base", "code", "end", "end", "code", "base", "end", "end"]


def test_only_what_is_undecided_is_measured_on(tree):
    trees = [
        tree("base", plain(1)),
        tree("code", plain(1)),
    ]
    asked = []

    def undecided(measured):
        asked.append(len(measured["two"].blocks))
        return ["two"] if len(asked) <= 3 else []

    found = measure(trees, ["one", "two"], lambda line: None, undecided)
    assert asked == [BLOCKS, BLOCKS + 1, BLOCKS + 2, BLOCKS + 3]
    assert len(found["one"].blocks) == BLOCKS
    assert len(found["two"].blocks) == BLOCKS + 3 < MOST_BLOCKS


def test_a_case_that_fails_on_one_tree_is_left_out_and_the_rest_goes_on(tree):
    fails = '{"error": "ValueError: no"} if case == "bad" else ' + plain(1)
    trees = [tree("base", plain(1)), tree("code", fails)]
    found = measure(trees, ["bad", "good"], lambda line: None)
    assert found["bad"].errors == {1: "ValueError: no"}
    assert found["bad"].blocks == []
    assert len(found["good"].blocks) == BLOCKS


def test_a_process_that_dies_is_an_error_of_its_tree(tree):
    dies = "sys.exit(3)"
    trees = [tree("base", plain(1)), tree("code", dies)]
    found = measure(trees, ["one"], lambda line: None)
    assert found["one"].errors == {1: "its process ended (exit code 3)"}


@pytest.mark.parametrize("order", ["count", "open", "unit", "close"])
def test_a_process_that_dies_takes_no_other_case_with_it(tree, order):
    """Only the base dies, of one order of one case; the cases after it are counted and timed."""
    # `unit` and `close` do not name their case.
    remember = f'globals().__setitem__("last", case or globals().get("last")) or {plain(1)}'
    dies = f'sys.exit(9) if order == "{order}" and (case or last) == "bad" else {remember}'
    trees = [tree("base", dies), tree("code", plain(2))]
    found = measure(trees, ["first", "bad", "next", "last"], lambda line: None)
    assert found["bad"].errors == {0: "its process ended (exit code 9)"}
    for name in ("first", "next", "last"):
        assert not found[name].errors
        assert found[name].blocks == [((1,) * UNITS, (2,) * UNITS)] * BLOCKS
        assert found[name].counts == [{"flops": len(name)}] * 2


def test_one_tree_alone_is_measured_as_well(tree):
    found = measure([tree("code", plain(3))], ["one"], lambda line: None)
    assert found["one"].blocks == [((3,) * UNITS,)] * BLOCKS
    assert rounds.BLOCKS * rounds.UNITS >= 48
