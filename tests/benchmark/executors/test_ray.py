"""The Ray executor on a small cluster of this machine; the cells are real processes."""

import builtins
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from benchmark.atomic import read_record, write_json
from benchmark.errors import UserError
from benchmark.executors import LOST, Job, ray_cluster, ray_task
from benchmark.executors import ray as executor
from benchmark.executors.ray import run_jobs
from benchmark.store import cell_folder
from tests.benchmark.executors.ray_work import make_cell, sleep_once, tell_niceness
from tests.benchmark.executors.test_local import ROOT, Record, gone, jobs
from tests.benchmark.executors.work import act
from tests.benchmark.made_up_cells import made_up

pytestmark = pytest.mark.slow

CPUS = ("cpu", "cpu")


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """One for all tests here: it takes seconds to start."""
    with ray_cluster.joined(None, cpus=2, gpus=False):
        yield


def run(folder: Path, *labels: str, work=act, devices=CPUS, **more) -> Record:
    record = Record()
    run_jobs(jobs(folder, *labels), devices, record, work=work, preload=(), **more)
    return record


def cell_job(folder: str, label: str = "cell") -> Job:
    cell = made_up()
    return Job(cell.key, label, folder, cell.to_json(), 1, 1, 1)


def test_cells_end_as_they_do_without_ray(tmp_path):
    record = run(tmp_path, "a", "crash", "segfault", "b", "c")
    codes = {"0-a": 0, "1-crash": 3, "2-segfault": -signal.SIGSEGV, "3-b": 0, "4-c": 0}
    assert record.codes == codes
    assert record.most == 2
    told = [path.read_text().split() for path in tmp_path.iterdir()]
    assert len({process for process, _ in told}) == 5  # a fresh one each
    assert {device for _, device in told} == {"cpu"}


def test_interrupted_at_a_cells_progress_it_leaves_no_process_and_no_file(tmp_path):
    class Interrupted(Record):
        def progressed(self, job, stage, done, total):
            assert (job.key, stage, done, total) == ("0-sleep", "train", 1, 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs(tmp_path, "sleep"), CPUS, Interrupted(), work=act, preload=())
    (worker,) = [int(path.read_text().split()[0]) for path in tmp_path.iterdir()]
    assert gone([worker])
    assert [path.name for path in tmp_path.iterdir()] == ["0-sleep"]


def test_cells_are_as_urgent_as_without_ray(tmp_path):
    """Ray's own default would leave them what other processes do not want."""
    assert run(tmp_path, "x", work=tell_niceness).codes == {"0-x": 0}
    assert (tmp_path / "0-x").read_text() == str(os.nice(0))


def test_a_job_that_is_busy_is_put_off_and_none_starts_when_told_to_stop(tmp_path):
    def busy(job):
        return job.key == "0-a" and not (tmp_path / "1-b").exists()

    assert run(tmp_path, "a", "b", devices=("cpu",), busy=busy).begun == ["1-b", "0-a"]
    answers = iter([True, False])
    record = run(tmp_path, "a", "b", devices=("cpu",), keep_going=lambda: next(answers))
    assert record.codes == {"0-a": 0}


def test_a_killed_ray_worker_costs_a_cell_another_try_and_no_more(tmp_path):
    killer = threading.Thread(target=kill_the_ray_worker, args=(tmp_path,))
    killer.start()
    record = run(tmp_path, "x", work=sleep_once)
    killer.join()
    assert record.codes == {"0-x": 0}
    tries = [int(line) for line in (tmp_path / "tries").read_text().split()]
    assert len(tries) == 2
    assert gone(tries[:1])


def kill_the_ray_worker(folder: Path) -> None:
    """Once a cell works, its Ray worker: the parent of the forkserver that its process is from."""
    while not (folder / "tries").exists() or not (folder / "tries").read_text().endswith("\n"):
        time.sleep(0.05)
    cell = psutil.Process(int((folder / "tries").read_text()))
    worker = next(p for p in cell.parents() if p.name().startswith("ray::"))
    worker.kill()


def test_a_cell_whose_worker_is_lost_again_and_again_has_failed(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmark.executors.ray.RETRIES", 0)
    killer = threading.Thread(target=kill_the_ray_worker, args=(tmp_path,))
    killer.start()
    record = run(tmp_path, "x", work=sleep_once)
    killer.join()
    assert record.codes == {"0-x": LOST}
    assert "Ray gave the cell up" in cell_folder(tmp_path, "0-x").log.read_text()


@pytest.fixture
def unseen(tmp_path, monkeypatch):
    """A run's folder that tasks do not see: its path is relative to where this process is."""
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "run" / "environment.json", {"processor": "mine"})
    return "run"


def test_results_come_back_where_the_run_folder_is_not_shared(unseen, tmp_path):
    record, job = Record(), cell_job(unseen)
    for attempt in range(2):
        run_jobs([job], CPUS, record, work=make_cell, preload=())
        assert record.codes == {job.key: 0}
        folder = cell_folder(tmp_path / "run", job.key)
        state = folder.state()
        assert (state["status"], state["attempts"]) == ("done", attempt + 1)
        # The second attempt was given what the first one had made.
        pictures = {path.name: path.read_bytes() for path in folder.images.iterdir()}
        assert pictures == {f"picture-{n}.png": b"x" * n for n in range(attempt + 1)}
    scratch = Path(folder.log.read_text())
    assert scratch.name.startswith("tbbench-")
    assert not scratch.exists()
    assert not folder.busy()
    environment = read_record(tmp_path / "run" / "environment.json")
    assert environment == {"processor": "mine", "worker": {"w": 1}}


def test_what_a_crash_left_comes_back_too(unseen, tmp_path):
    record, job = Record(), cell_job(unseen, "crash")
    run_jobs([job], CPUS, record, work=make_cell, preload=())
    assert record.codes == {job.key: 3}
    folder = cell_folder(tmp_path / "run", job.key)
    assert folder.state()["status"] == "pending"
    assert (folder.images / "picture-0.png").exists()


def test_a_shared_folder_is_worked_in_directly(tmp_path):
    write_json(tmp_path / "environment.json", {"processor": "mine"})
    job = cell_job(str(tmp_path))
    run_jobs([job], CPUS, Record(), work=make_cell, preload=())
    assert cell_folder(tmp_path, job.key).log.read_text() == str(tmp_path)


def test_a_node_with_other_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmark.executors.ray.code_digest", lambda: "other")
    with pytest.raises(UserError, match="other code than this one; install the same"):
        run(tmp_path, "a")
    assert list(tmp_path.iterdir()) == []


def test_files_that_would_leave_the_cells_folder_are_not_written(tmp_path, monkeypatch):
    """A task's answer is not believed: see `put_cell`."""
    tasks = executor._Tasks(cell_job(str(tmp_path)), CPUS, act, ())
    try:
        files = {"../../evil": np.frombuffer(b"evil", np.uint8)}
        reference = tasks.ray.put(ray_task.Answer(0, files))
        job = cell_job(str(tmp_path))
        tasks.active[reference] = executor.Active(job, executor.ExitStack())
        assert tasks.settle(reference) == 1
        assert (
            "is not the name of a file of a cell" in cell_folder(tmp_path, job.key).log.read_text()
        )
    finally:
        tasks.end()
    assert not list(tmp_path.rglob("evil"))


def test_devices_are_what_the_cluster_has(monkeypatch):
    choose = ray_cluster.choose_devices
    count = os.cpu_count() or 1
    assert choose("auto", None, threads=1) == ["cpu"] * max(2, count)
    assert choose("cpu", 3, threads=1) == ["cpu"] * 3
    with pytest.raises(UserError, match="no node of the Ray cluster has 999 CPUs, the largest"):
        choose("cpu", None, threads=999)
    with pytest.raises(UserError, match="'cuda': the Ray cluster has no GPU"):
        choose("cuda", None, threads=1)
    for device in ("cuda:1", "mps"):
        with pytest.raises(UserError, match="Ray hands out GPUs itself; choose --device auto"):
            choose(device, None, threads=1)

    class Cluster:
        @staticmethod
        def nodes():
            node = {"Alive": True, "Resources": {"CPU": 8.0, "GPU": 2.0}}
            return [node, node, {"Alive": False, "Resources": {"CPU": 8.0, "GPU": 4.0}}]

        @staticmethod
        def cluster_resources():
            return {"CPU": 16.0, "GPU": 4.0}

    monkeypatch.setattr(ray_cluster, "import_ray", lambda: Cluster)
    assert choose("auto", None, threads=2) == ["cuda:0"] * 4
    assert choose("cpu", None, threads=3) == ["cpu"] * 4
    assert ray_cluster.gpu_share(["cuda:0"] * 4) == 1
    assert ray_cluster.gpu_share(["cuda:0"] * 6) == 0.5
    assert ray_cluster.gpu_share(["cpu"]) == 0


def test_secrets_are_not_handed_to_ray(monkeypatch):
    for name in ("HF_TOKEN", "HF_HOME", "TBBENCH_CACHE", "CUDA_VISIBLE_DEVICES", "MY_PASSWORD"):
        monkeypatch.setenv(name, "value")
    given = ray_cluster.variables()
    assert {"HF_HOME", "TBBENCH_CACHE"} <= set(given)
    assert not {"HF_TOKEN", "CUDA_VISIBLE_DEVICES", "MY_PASSWORD"} & set(given)
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_without_ray_it_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **more):
        if name == "ray":
            raise ImportError(name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"needs Ray: pip install 'textboost-bench\[ray\]'"):
        ray_cluster.import_ray()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:1", "no Ray cluster at 127.0.0.1:1: .*; start one with `ray start --head`"),
        ("somewhere", "expected auto, or the host:port"),
        ("ray://127.0.0.1:10001", "expected auto, or the host:port"),
        ("127.0.0.1:99999999", "no Ray cluster at 127.0.0.1:99999999"),
    ],
)
def test_a_cluster_that_is_not_there_is_told_in_one_line(address, words):
    with pytest.raises(UserError, match=words) as told:
        ray_cluster._check(address)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
def test_the_cluster_goes_with_whoever_started_it(tmp_path, name):
    command = [sys.executable, "-m", "tests.benchmark.executors.parent", str(tmp_path), "ray"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        for _ in range(2):
            assert process.stdout.readline().endswith("works\n")
        family = psutil.Process(process.pid).children(recursive=True)
        workers = [int(path.read_text().split()[0]) for path in tmp_path.glob("[ab]")]
        assert len(workers) == 2
        sent = signal.Signals[name]
        os.killpg(process.pid, sent) if sent is signal.SIGINT else process.send_signal(sent)
        code = process.wait(timeout=120)
    assert code == (130 if sent is signal.SIGINT else -signal.SIGKILL)
    assert gone(workers, 60)
    if sent is signal.SIGINT:
        assert gone([p.pid for p in family], 60)
    for agent in family:  # after SIGKILL two of Ray's own take a minute to notice
        with contextlib.suppress(psutil.NoSuchProcess):
            agent.kill()
