"""A Ray cluster of several nodes, all on this machine, that is joined by its address."""

import contextlib
import threading
import time
from pathlib import Path

import psutil
import pytest

from benchmark.config import Execution
from benchmark.executors import ray_cluster
from benchmark.executors.chosen import choose_executor
from tests.benchmark.executors.ray_work import sleep_once
from tests.benchmark.executors.test_local import Record, gone, jobs

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture
def address():
    """Of a head without CPUs and two nodes with one each."""
    ray_cluster.import_ray()
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(2):
        cluster.add_node(num_cpus=1, object_store_memory=ray_cluster.STORE_BYTES)
    yield cluster.address
    cluster.shutdown()


def kill_the_node(folder: Path) -> None:
    """Once a cell works, all processes of the node that it works on, as when its power fails."""
    tries = folder / "tries"
    while not tries.exists() or not tries.read_text().endswith("\n"):
        time.sleep(0.05)
    cell = psutil.Process(int(tries.read_text()))
    node = next(parent for parent in cell.parents() if parent.name() == "raylet")
    for process in [node, *node.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def test_a_lost_node_costs_its_cell_another_try_on_another_node(address, tmp_path):
    chosen = choose_executor(Execution(executor="ray", address=address, device="cpu"))
    try:
        assert chosen.devices == ["cpu", "cpu"]
        killer = threading.Thread(target=kill_the_node, args=(tmp_path,))
        killer.start()
        record = Record()
        chosen.run_jobs(jobs(tmp_path, "x"), chosen.devices, record, work=sleep_once, preload=())
        killer.join()
        assert record.codes == {"0-x": 0}
        tries = [int(line) for line in (tmp_path / "tries").read_text().split()]
        assert len(tries) == 2
        assert gone(tries[:1])
    finally:
        chosen.close()
