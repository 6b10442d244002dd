import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path

import psutil
import pytest

from benchmark.errors import UserError
from benchmark.executors import TIMED_OUT, Job, local
from benchmark.executors.local import choose_devices, run_jobs
from benchmark.executors.worker import reporter
from benchmark.failures import death
from tests.benchmark.executors.work import act

ROOT = Path(__file__).resolve().parents[3]


class Record:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.codes: dict[str, int] = {}
        self.steps: list[tuple[str, str, int, int]] = []
        self.waits = 0
        self.most = 0

    def started(self, job: Job) -> None:
        self.begun.append(job.key)
        self.most = max(self.most, len(self.begun) - len(self.codes))

    def progressed(self, job: Job, stage: str, done: int, total: int) -> None:
        self.steps.append((job.key, stage, done, total))

    def ended(self, job: Job, exit_code: int) -> None:
        self.codes[job.key] = exit_code

    def waiting(self, jobs: int) -> None:
        self.waits += 1


def jobs(folder: Path, *labels: str) -> list[Job]:
    return [Job(f"{n}-{label}", label, str(folder), {}, 1, 1, 1) for n, label in enumerate(labels)]


def run(folder: Path, *labels: str, devices: tuple[str, ...] = ("cpu",), **more: object) -> Record:
    record = Record()
    run_jobs(jobs(folder, *labels), devices, record, work=act, preload=(), **more)
    return record


def test_every_job_has_a_fresh_process_and_reports(tmp_path: Path) -> None:
    record = run(tmp_path, "a", "b", "c")
    assert record.codes == {"0-a": 0, "1-b": 0, "2-c": 0}
    assert record.steps == [(key, "train", 1, 2) for key in record.codes]
    processes = {path.read_text().split()[0] for path in tmp_path.iterdir()}
    assert len(processes) == 3
    assert str(os.getpid()) not in processes


def test_no_more_jobs_at_a_time_than_devices(tmp_path: Path) -> None:
    record = run(tmp_path, *"abcde", devices=("cpu", "cuda:0"))
    assert record.most == 2
    assert {path.read_text().split()[1] for path in tmp_path.iterdir()} == {"cpu", "cuda:0"}


def test_a_worker_that_dies_harms_no_other(tmp_path: Path) -> None:
    record = run(tmp_path, "crash", "segfault", "fine")
    assert record.codes == {"0-crash": 3, "1-segfault": -signal.SIGSEGV, "2-fine": 0}
    assert death(-signal.SIGSEGV)[0] == "SIGSEGV"
    assert "ran out of memory" in death(-signal.SIGKILL)[1]
    assert death(3) == ("WorkerExit", "the worker ended with exit code 3; see log.txt")


@pytest.mark.parametrize("label", ["sleep", "deaf", "closes", "stopped"])
def test_a_worker_whose_time_is_up_is_ended_whatever_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, label: str
) -> None:
    monkeypatch.setattr(local, "GRACE_SECONDS", 0.3)
    hangs, fine = jobs(tmp_path, label, "fine")
    record = Record()
    # Long enough for a process to start on a busy machine; the other job has no limit.
    limited = replace(hangs, timeout=3.0)
    run_jobs([limited, fine], ("cpu",), record, work=act, preload=())
    assert record.codes == {f"0-{label}": TIMED_OUT, "1-fine": 0}
    # On a machine so busy that the worker did not begin there is no file.
    assert gone([int(f.read_text().split()[0]) for f in tmp_path.glob(f"0-{label}")])


def test_a_worker_that_closes_its_pipe_is_waited_for_without_spinning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = []

    def count(sources: list[object], timeout: float) -> None:
        waits.append(timeout)
        wait(sources, timeout)  # type: ignore[arg-type]

    monkeypatch.setattr(local, "wait", count)
    (job,) = jobs(tmp_path, "closes")
    run_jobs([replace(job, timeout=3.0)], ("cpu",), Record(), work=act, preload=())
    assert len(waits) < 30


def test_nothing_is_started_any_more_when_it_may_not_go_on(tmp_path: Path) -> None:
    record = Record()
    given = jobs(tmp_path, "a", "crash", "b", "c")
    run_jobs(
        given,
        ("cpu",),
        record,
        work=act,
        preload=(),
        keep_going=lambda: 3 not in record.codes.values(),
    )
    assert record.codes == {"0-a": 0, "1-crash": 3}


def test_busy_jobs_are_put_off(tmp_path: Path) -> None:
    def busy(job: Job) -> bool:
        return job.key == "0-a" and not (tmp_path / "1-b").exists()

    assert run(tmp_path, "a", "b", busy=busy).begun == ["1-b", "0-a"]


def test_when_all_is_busy_it_waits(tmp_path: Path) -> None:
    answers = iter([True, True, False])
    record = run(tmp_path, "a", busy=lambda job: next(answers))
    assert record.waits == 2
    assert record.codes == {"0-a": 0}


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process with two workers that sleep; it is asked for only once both have begun."""
    command = [sys.executable, "-m", "tests.benchmark.executors.parent", str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        for _ in range(2):
            assert process.stdout.readline().endswith("works\n")
        yield process
        if process.poll() is None:
            process.kill()


def gone(pids: list[int], seconds: float = 20) -> bool:
    def alive(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
def test_workers_go_with_their_parent(
    parent: subprocess.Popen[str], tmp_path: Path, name: str
) -> None:
    workers = [int(path.read_text().split()[0]) for path in tmp_path.iterdir()]
    assert len(workers) == 2
    sent = signal.Signals[name]
    if sent is signal.SIGINT:
        os.killpg(parent.pid, sent)  # Ctrl-C reaches the workers as well
    else:
        parent.send_signal(sent)
    code = parent.wait(timeout=30)
    assert code == (130 if sent is signal.SIGINT else -signal.SIGKILL)
    assert gone(workers)


def test_workers_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert choose_devices("cpu", None, threads=1) == ["cpu"] * 8
    assert choose_devices("cpu", None, threads=3) == ["cpu"] * 2
    assert choose_devices("cpu", None, threads=16) == ["cpu"]
    assert choose_devices("cpu", 3, threads=1) == ["cpu"] * 3
    monkeypatch.setattr(local, "_cuda_devices", lambda: 2)
    assert choose_devices("cuda:1", None, threads=1) == ["cuda:1"]
    assert choose_devices("cuda", None, threads=1) == ["cuda:0"]
    with pytest.raises(UserError, match=r"'cuda:2': torch finds 2 CUDA devices here"):
        choose_devices("cuda:2", None, threads=1)
    assert choose_devices("auto", None, threads=1) == ["cuda:0", "cuda:1"]
    assert choose_devices("auto", 3, threads=1) == ["cuda:0", "cuda:1", "cuda:0"]
    monkeypatch.setattr(local, "_cuda_devices", lambda: 0)
    assert choose_devices("auto", None, threads=4) == ["cpu"] * 2
    with pytest.raises(UserError, match=r"'cuda': torch finds no CUDA device here"):
        choose_devices("cuda", None, threads=1)
    monkeypatch.setattr(local, "_mps_available", lambda: True)
    assert choose_devices("mps", None, threads=1) == ["mps"]
    assert choose_devices("mps", 2, threads=1) == ["mps", "mps"]
    monkeypatch.setattr(local, "_mps_available", lambda: False)
    with pytest.raises(UserError, match=r"'mps': torch finds no Apple GPU here; choose another"):
        choose_devices("mps", None, threads=1)


def test_workers_on_a_gpu_are_not_forked() -> None:
    """torch refuses CUDA in a fork of a process that imported diffusers: see the module."""
    devices = ("cpu", "cuda:0", "mps")
    methods = {device: local._context([], 1, [device]).get_start_method() for device in devices}
    assert methods == {"cpu": "forkserver", "cuda:0": "spawn", "mps": "spawn"}


def test_a_worker_that_nobody_listens_to_ends_and_accuses_no_cell() -> None:
    """As when the process between it and the run was killed: the run has given it up."""
    code = (
        "import multiprocessing;"
        "from benchmark.executors.worker import reporter;"
        "ours, theirs = multiprocessing.Pipe();"
        "ours.close();"
        "reporter(theirs)('train', 1, 2);"
        "print('goes on')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_step_reports_are_thinned_but_for_first_and_last() -> None:
    sent: list[bytes] = []

    class Pipe:
        def send_bytes(self, content: bytes) -> None:
            sent.append(content)

    report = reporter(Pipe())  # type: ignore[arg-type]
    for step in range(1, 101):
        report("train", step, 100)
    report("save", 0, 0)
    assert sent[0] == b'["train", 1, 100]'
    assert sent[-2:] == [b'["train", 100, 100]', b'["save", 0, 0]']
    assert len(sent) < 20
