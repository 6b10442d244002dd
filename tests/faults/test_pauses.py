"""A run that is stopped and goes on: what stood still has no time, and nothing else is missing."""

import os
import signal
import time
from pathlib import Path

import pytest

from benchmark.store import Run
from reports.format import NOT_MEASURED
from tests.faults.bench import harmed_config, run_of, start, write

pytestmark = [pytest.mark.slow, pytest.mark.long]
ONE = {"subjects": ("spotted_dog",), "train_seeds": [0], "training": {"steps": 20}}


def test_a_stage_that_stood_still_has_no_time(tiny_backbone: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "paused", harmed_config(tiny_backbone, **ONE))
    run = run_of(folder)
    with start(folder) as process:
        while process.poll() is None:
            if list(run.glob("cells/*/log.txt")):
                os.killpg(process.pid, signal.SIGSTOP)
                time.sleep(0.2)
                os.killpg(process.pid, signal.SIGCONT)
            time.sleep(0.3)
        said, _ = process.communicate()
    assert process.returncode == 0, said
    made = Run.open(run)
    assert set(made.cells().status) == {"done"}
    costs = made.costs()
    stages = {name: set(rows.measure) for name, rows in costs.groupby(["method", "stage"])}
    still = {name for name, measures in stages.items() if "pauses" in measures}
    assert ("textual-inversion", "train") in still
    for name, measures in stages.items():
        assert ("wall_seconds" in measures) != (name in still), name
        assert "peak_rss_bytes" in measures
    times = costs[costs.unit.isin(["s", "images/s"]) & (costs.measure != "sampling_seconds")]
    assert not still & set(zip(times.method, times.stage, strict=True))
    table = (run / "report" / "costs.md").read_text()
    assert NOT_MEASURED in table
