import errno
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.atomic import write_json
from benchmark.config import RunConfig
from benchmark.executors import TIMED_OUT, Job
from benchmark.fates import Fate, Fates, remark
from benchmark.metrics.evidence import scores
from benchmark.pictures import flags_of
from benchmark.plan import Cell, plan
from benchmark.store import CellFolder, cell_folder

Small = Callable[..., RunConfig]
MARK = "-- 2026-01-02 03:04:05 process {}\n"


@pytest.fixture
def cell(small: Small) -> Cell:
    return plan(small(methods=[{"name": "base"}]))[0]


@pytest.fixture
def folder(cell: Cell, tmp_path: Path) -> CellFolder:
    return cell_folder(tmp_path / "run", cell.key)


@pytest.fixture
def job(cell: Cell, folder: CellFolder) -> Job:
    run = str(folder.path.parents[1])
    return Job(cell.key, cell.label, run, cell.to_json(), 1, 1, 1, timeout=9.0)


def write_log(folder: CellFolder, text: str) -> None:
    folder.path.mkdir(parents=True, exist_ok=True)
    with folder.log.open("a") as file:
        file.write(text)


def test_a_death_is_written_down_with_the_last_stage_and_the_end_of_the_log(
    cell: Cell, folder: CellFolder, job: Job
) -> None:
    fates = Fates()
    write_log(folder, MARK.format(1) + "of an earlier attempt\n")
    fates.started(job)
    folder.begin(cell)
    write_log(folder, MARK.format(2) + "Fatal Python error\n")
    fates.progressed(job, "train")
    fate = fates.ended(job, -signal.SIGSEGV)
    state = folder.state()
    assert fate == Fate("train: SIGSEGV: the worker was killed by SIGSEGV; see log.txt")
    assert (state["kind_of_failure"], state["stage"], state["attempts"]) == ("SIGSEGV", "train", 1)
    assert state["log_tail"] == MARK.format(2) + "Fatal Python error"
    assert fates.failures == [(job, fate.failure)]


def test_what_the_worker_wrote_down_stays(cell: Cell, folder: CellFolder, job: Job) -> None:
    fates = Fates()
    fates.started(job)
    folder.begin(cell)
    folder.fail(cell, "ValueError", "no", "load", "the end")
    assert fates.ended(job, -signal.SIGKILL) == Fate("load: ValueError: no")
    assert folder.state()["log_tail"] == "the end"


def test_an_attempt_that_never_began_does_not_pass_for_the_one_before(
    cell: Cell, folder: CellFolder, job: Job
) -> None:
    folder.begin(cell)
    folder.fail(cell, "ValueError", "of the first attempt", "train", "old")
    fates = Fates()
    fates.started(job)
    fate = fates.ended(job, TIMED_OUT)
    state = folder.state()
    assert fate.failure is not None
    assert fate.failure.startswith("start: Timeout: the cell was not done after 9 s")
    assert (state["kind_of_failure"], state["attempts"], state["log_tail"]) == ("Timeout", 2, "")


def test_a_failure_of_another_run_is_taken_over(cell: Cell, folder: CellFolder, job: Job) -> None:
    """The worker found it and came to its end without another try."""
    folder.begin(cell)
    folder.fail(cell, "ValueError", "no", "train")
    fates = Fates()
    fates.started(job)
    assert fates.ended(job, 0) == Fate("train: ValueError: no")
    assert folder.state()["attempts"] == 1


def test_a_cell_that_another_run_works_on_by_now_is_left_to_it(
    cell: Cell, folder: CellFolder, job: Job
) -> None:
    folder.begin(cell)
    folder.fail(cell, "SIGKILL", "of the first attempt", "train")
    before = folder.state()
    fates = Fates()
    fates.started(job)
    code = (
        "import sys; from pathlib import Path; from benchmark.store import CellFolder\n"
        "with CellFolder(Path(sys.argv[1])).lock():\n    print('mine', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "mine\n"
        assert fates.ended(job, -signal.SIGKILL).failure is not None
        assert folder.state() == before
        other.communicate("\n")


def test_a_done_cell_tells_its_flags(cell: Cell, folder: CellFolder, job: Job) -> None:
    fates = Fates()
    fates.started(job)
    folder.begin(cell)
    frame = scores([{"metric": "vendi", "value": 1.0}]).assign(encoder="e")
    frame.to_parquet(folder.path / "scores.parquet", index=False)
    write_json(folder.path / "cost.json", [])
    folder.finish(cell, flags_of(["a-0.png", "b-1.png"]))
    # A worker may still die after its cell is done.
    assert fates.ended(job, 1) == Fate(remark="2 pictures are of one single colour")
    assert fates.failures == []
    assert remark(flags_of(["a-0.png"])) == "1 picture is of one single colour"
    assert remark({}) == ""


def test_a_full_disk_does_not_end_the_run(
    folder: CellFolder, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    fates = Fates()
    fates.started(job)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(CellFolder, "fail", refuse)
    fate = fates.ended(job, 1)
    assert fate.failure is not None
    assert fate.failure.startswith("start: DiskFull: the worker ended with exit code 1")
    assert fate.failure.endswith("the disk is full, so this is not recorded")
    assert folder.state()["status"] == "pending"


def test_after_so_many_failures_it_may_not_go_on(job: Job) -> None:
    patient, strict = Fates(), Fates(max_failures=1)
    for fates in (patient, strict):
        fates.started(job)
        assert fates.keep_going()
        fates.ended(job, 3)
    assert patient.keep_going()
    assert not strict.keep_going()
