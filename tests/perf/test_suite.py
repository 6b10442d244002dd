"""The gate's cases under pytest-benchmark: `pytest tests/perf/test_suite.py --benchmark-json F`.

All but a few are marked long; the gate itself (`tbbench perf run`) measures them with more care.
"""

import json
import time

import pytest
import torch

from benchmark.perf.case import COUNTERS
from benchmark.perf.stored import read
from benchmark.perf.suite import CASES

BRIEF = ("train/textboost/toy", "train/textual-inversion/blank", "generate/toy", "score")
ROUNDS = 3


def marked(name):
    marks = [pytest.mark.slow] if name in BRIEF else [pytest.mark.slow, pytest.mark.long]
    return pytest.param(name, marks=marks)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.benchmark(timer=time.process_time, disable_gc=True)
@pytest.mark.parametrize("name", [marked(name) for name in CASES])
def test_case(benchmark, name, tmp_path):
    folders = [tmp_path / name for name in ("timed", "counted")]
    for folder in folders:
        folder.mkdir()
    benchmark.group = CASES[name].group
    work = CASES[name].open(folders[0])
    try:
        benchmark.pedantic(work.unit, rounds=ROUNDS, warmup_rounds=1)
    finally:
        work.close()
    counted = CASES[name].open(folders[1])
    counts = counted.counts()
    counted.close()
    benchmark.extra_info |= {"case": name, **counts}
    assert counts.keys() <= COUNTERS.keys()
    assert all(count > 0 for count in counts.values())
    assert any(measure.startswith("peak") for measure in counts)
    # With --benchmark-disable there are no figures, and the unit ran once all the same.
    if not benchmark.disabled:
        assert benchmark.stats.stats.rounds == ROUNDS
        assert benchmark.stats.stats.min > 0


def test_what_pytest_benchmark_writes_can_be_compared(pytester_file):
    found = read(pytester_file)
    case = found.cases["score"]
    assert [len(block) for block in case.blocks] == [ROUNDS]
    assert case.counters == {"flops": 7}
    assert case.clock.endswith("process_time")


@pytest.fixture
def pytester_file(tmp_path):
    """What pytest-benchmark itself writes for a test like those above."""
    import subprocess
    import sys

    (tmp_path / "test_one.py").write_text(
        "import time, pytest\n"
        "@pytest.mark.benchmark(timer=time.process_time, disable_gc=True)\n"
        "def test_case(benchmark):\n"
        "    benchmark.extra_info.update(case='score', flops=7)\n"
        f"    benchmark.pedantic(lambda: sum(range(9999)), rounds={ROUNDS})\n"
    )
    out = tmp_path / "out.json"
    words = [sys.executable, "-m", "pytest", "-q", "test_one.py", f"--benchmark-json={out}"]
    ran = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
    assert json.loads(out.read_text())["benchmarks"][0]["options"]["disable_gc"] is True
    return out
