"""The tables of a folder that two runs work in."""

import threading
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from benchmark import collect as module
from benchmark.atomic import write_json
from benchmark.collect import collect
from benchmark.config import RunConfig
from benchmark.metrics.evidence import scores
from benchmark.plan import Cell, plan
from benchmark.runner import describe_run
from benchmark.store import Run

Small = Callable[..., RunConfig]


def finish(run: Run, cell: Cell) -> None:
    folder = run.folder(cell.key)
    folder.begin(cell)
    rows = [{"metric": "vendi", "value": 1.0}]
    scores(rows).assign(encoder="e").to_parquet(folder.path / "scores.parquet", index=False)
    cost = {"stage": "score", "measure": "wall_seconds", "value": 1.0, "unit": "s"}
    write_json(folder.path / "cost.json", [cost | {"kind": "measured"}])
    folder.finish(cell)


@pytest.mark.parametrize("late", ["results", "cells"])
def test_older_tables_of_another_run_never_pass_for_those_of_all_cells(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    """One run has looked at the cells and is slow to write; another ends its cell meanwhile."""
    config = small()
    describe_run(config, tmp_path, plan(config), {})
    run = Run.open(tmp_path)
    first, second = run.planned
    finish(run, first)
    others_turn, slow_may_write = threading.Event(), threading.Event()
    write = module._write

    def write_table(path: Path, frame: pd.DataFrame) -> None:
        is_slow = threading.current_thread().name == "slow"
        if is_slow and path.stem == late:
            others_turn.set()
            slow_may_write.wait(60)
        write(path, frame)
        if not is_slow and path.stem == "cells":
            # All tables of the quick one lie there, its stamp does not.
            slow_may_write.set()
            slow.join(60)

    monkeypatch.setattr(module, "_write", write_table)
    slow = threading.Thread(target=collect, args=[run], name="slow")
    slow.start()
    assert others_turn.wait(60)
    finish(run, second)
    quick = threading.Thread(target=collect, args=[run], name="quick")
    quick.start()
    quick.join(2)  # it waits for the slow one, or writes beside it
    slow_may_write.set()
    slow.join(60)
    quick.join(60)
    collect(run)
    assert list(run.cells().status) == ["done", "done"]
    assert len(run.results()) == len(run.costs()) == 2
