"""Two workers against one, and Ray against none: the same cells, in one run of this file.

The cells are real ones of one thread each on the embedded backbone, so that what two of them share
in a processor counts. Everything is warm: what a cluster's start costs is printed, not judged.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmark.config import RunConfig
from benchmark.executors import Job, local, ray_cluster
from benchmark.executors import ray as ray_executor
from benchmark.plan import plan
from benchmark.runner import make_jobs
from tests.benchmark.executors.test_local import Record

pytestmark = [pytest.mark.slow, pytest.mark.long]

CELLS = 4
STEPS = 40
TWO = ("cpu", "cpu")


def configuration(steps: int, seeds: Sequence[int]) -> RunConfig:
    return RunConfig.model_validate(
        {
            "name": "workers",
            "title": "Workers",
            "subjects": ["spotted_dog"],
            "prompts": ["in-the-jungle"],
            "train_seeds": list(seeds),
            "methods": [{"name": "textual-inversion", "preset": "toy"}],
            "training": {"steps": steps},
            "generation": {"seeds": [0], "steps": 5},
            "scoring": {"metrics": [], "image_encoders": [], "text_encoders": []},
            "execution": {"device": "cpu", "threads": 1},
        }
    )


@pytest.fixture
def seconds(tmp_path: Path):
    """Seconds that an executor takes for the cells with so many workers, in a folder of its own."""
    taken = []

    def work(run_jobs, devices: Sequence[str], steps: int = STEPS, cells: int = CELLS) -> float:
        config = configuration(steps, range(cells))
        folder = tmp_path / f"run-{len(taken)}"
        jobs: list[Job] = make_jobs(config, folder, plan(config))
        record = Record()
        begin = time.perf_counter()
        run_jobs(jobs, devices, record)
        taken.append(time.perf_counter() - begin)
        assert set(record.codes.values()) == {0}
        return taken[-1]

    return work


def test_two_workers_do_nearly_twice_the_work_and_ray_as_much_as_they(seconds) -> None:
    seconds(local.run_jobs, TWO, steps=1, cells=2)
    begin = time.perf_counter()
    with ray_cluster.joined(None, cpus=2, gpus=False):
        started = time.perf_counter() - begin
        first = seconds(ray_executor.run_jobs, TWO, steps=1, cells=2)
        two, ray = [], []
        for _ in range(3):
            two.append(seconds(local.run_jobs, TWO))
            ray.append(seconds(ray_executor.run_jobs, TWO))
        one = seconds(local.run_jobs, ["cpu"])
    print(f"\n{CELLS} cells, one thread each: {one:.1f} s with one worker")
    print(f"two workers: {one / min(two):.2f} times the throughput")
    # Neighbours in time are compared: what else a machine does changes slowly.
    ratios = sorted(with_ray / without for with_ray, without in zip(ray, two, strict=True))
    told = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"Ray: {told} times as long as two workers without it")
    print(f"a cluster's start: {started:.1f} s, its first two cells' imports: {first:.1f} s")
    assert one / min(two) >= 1.7
    assert ratios[0] <= 1.10
