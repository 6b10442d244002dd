"""What ten thousand cells need, in operations: what a run that is finished does again per cell."""

from collections import Counter
from io import StringIO
from pathlib import Path

from rich.console import Console

from benchmark.collect import stored_frames
from benchmark.executors.local import run_jobs
from benchmark.plan import Cell
from benchmark.runner import run_benchmark
from benchmark.store import Run
from reports.study import open_study
from tests.perf.scale import Quiet, opened_files, scale_config, sleep_jobs, sleeping, write_finished

CELLS = 60


def test_a_finished_run_reads_each_cell_a_few_times_and_scores_never(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path / "cache"))
    folder, config = tmp_path / "scale", scale_config(CELLS)
    write_finished(folder, config)
    run_benchmark(config, folder, Console(file=StringIO()))
    with opened_files() as names:
        outcome = run_benchmark(config, folder, Console(file=StringIO()))
        open_study([folder])
    assert not outcome.changed
    counts = Counter(names)
    # To see whether it is done and, for the table, whether anything changed since.
    assert counts["cell.json"] <= 4 * CELLS
    # Their checksums alone: no table is built again.
    assert counts["scores.parquet"] <= 2 * CELLS
    assert counts["cost.json"] <= 2 * CELLS
    assert counts["results.parquet"] <= 4
    assert counts["plan.json"] <= 8


def test_stored_tables_are_taken_only_while_nothing_has_changed(tmp_path: Path) -> None:
    folder, config = tmp_path / "scale", scale_config(20)
    cells = write_finished(folder, config)
    run_benchmark(config, folder, Console(file=StringIO()))
    run = Run.open(folder)
    states = {cell.key: run.folder(cell.key).state() for cell in cells}
    assert stored_frames(run, states) is not None
    one = cells[0].key
    # A cell whose scores are not as they were written is not done, whatever the tables hold.
    assert stored_frames(run, states | {one: states[one] | {"status": "pending"}}) is None
    assert stored_frames(run, {one: states[one]}) is None
    record = run.folder(one).path / "cell.json"
    record.write_text(record.read_text() + " ")
    assert stored_frames(run, states) is None
    results = folder / "results.parquet"
    results.write_bytes(results.read_bytes()[:-1])
    assert set(open_study([folder]).results().train_seed) == {0, 1}


def test_a_plan_shares_what_its_cells_have_in_common() -> None:
    """Ten thousand cells hold one table of prompts, not ten thousand."""
    from benchmark.plan import plan

    cells: list[Cell] = plan(scale_config(CELLS))
    assert len(cells) == CELLS
    for name in ("prompts", "seen", "unseen", "settings", "seeds", "compute", "prior", "metrics"):
        assert len({id(getattr(cell, name)) for cell in cells}) <= 10, name


def test_sleeping_workers_are_all_waited_for() -> None:
    """What `python -m tests.perf.scale` times does what it says."""
    watcher = Quiet()
    run_jobs(sleep_jobs(5, 0.05), ["cpu"] * 3, watcher, work=sleeping, preload=())
    assert watcher.codes == [0] * 5
