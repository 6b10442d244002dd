"""torch's GPU functions as documented: no GPU has been measured yet."""

import time
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from benchmark.devices import Cpu, Cuda, Mps, open_device
from benchmark.measure import Stage
from benchmark.nvml import Card
from tests.recorded_calls import Recorded

GB = 1 << 30
RUNNING = "nvmlDeviceGetComputeRunningProcesses"
ENERGY = "nvmlDeviceGetTotalEnergyConsumption"
FAILED = pynvml.NVMLError(pynvml.NVML_ERROR_UNKNOWN)
OURS, THEIRS = {7}, 99


def card(*calls: Any) -> tuple[Card, Recorded]:
    nvml = Recorded(calls, NVMLError=pynvml.NVMLError)
    return Card(nvml, "card"), nvml


def listed(*processes: tuple[int, int | None]) -> Any:
    running = [SimpleNamespace(pid=pid, usedGpuMemory=size) for pid, size in processes]
    return RUNNING, ("card",), running


def test_a_stage_asks_cuda_in_this_order_and_no_other() -> None:
    cuda = Recorded(
        [
            ("synchronize", ("cuda:1",), None),
            ("empty_cache", (), None),
            ("reset_peak_memory_stats", ("cuda:1",), None),
            ("work", (), None),
            ("synchronize", ("cuda:1",), None),
            ("max_memory_allocated", ("cuda:1",), 3 * GB),
            ("max_memory_reserved", ("cuda:1",), 5 * GB),
        ]
    )
    with Stage("train", Cuda("cuda:1", cuda, None)) as stage:
        cuda.work()
    assert cuda.finished()
    values = {cost.measure: cost.value for cost in stage.costs}
    assert values["peak_cuda_allocated_bytes"] == 3 * GB
    assert values["peak_cuda_reserved_bytes"] == 5 * GB
    assert "peak_device_bytes" not in values  # the driver does not show the card
    assert "energy_joules" not in values


@pytest.mark.parametrize(
    ("looks", "alone"),
    [
        ([listed(), listed((7, GB))], True),  # before and after the CUDA context is there
        ([listed((7, GB)), listed((7, GB), (THEIRS, GB))], False),
        ([listed(), listed()], False),  # in a container: who computes is not told
        ([listed((7, GB)), (RUNNING, ("card",), FAILED)], False),
    ],
)
def test_who_else_computes_on_the_card_is_remembered(looks: list[Any], alone: bool) -> None:
    shown, nvml = card(*looks)
    cuda = Cuda("cuda", SimpleNamespace(empty_cache=list, reset_peak_memory_stats=str), shown)
    cuda.reset_peaks()
    for _ in looks:
        cuda.look(OURS)
    assert cuda.alone() == alone
    assert nvml.finished()
    cuda.reset_peaks()
    assert not cuda.alone()  # nothing of the new stage was seen yet


def test_device_memory_is_ours_or_unknown() -> None:
    shown, _ = card(listed(), listed((7, GB), (THEIRS, 9 * GB)), (RUNNING, ("card",), FAILED))
    cuda = Cuda("cuda", None, shown)
    assert [dict(cuda.look(OURS)) for _ in range(3)] == [
        {},
        {"peak_device_bytes": GB},
        {"peak_device_bytes": None},
    ]


def test_energy_is_the_counters_difference() -> None:
    shown, _ = card((ENERGY, ("card",), 5000), (ENERGY, ("card",), 9500))
    cuda = Cuda("cuda", None, shown)
    assert -(cuda.joules() or 0) + (cuda.joules() or 0) == 4.5


def test_the_peaks_of_an_apple_gpu_are_looked_at() -> None:
    highest = {"allocated": GB, "driver": 2 * GB}

    class Metal:
        """Torch's, with a peak in the middle of the stage."""

        calls: tuple[str, ...] = ()

        def synchronize(self) -> None:
            self.calls += ("synchronize",)

        def empty_cache(self) -> None:
            self.calls += ("empty_cache",)

        def current_allocated_memory(self) -> int:
            return highest["allocated"]

        def driver_allocated_memory(self) -> int:
            return highest["driver"]

    metal = Metal()
    with Stage("train", Mps(metal)) as stage:
        highest["allocated"], highest["driver"] = 4 * GB, 6 * GB
        deadline = time.monotonic() + 30
        while stage._sampler.looks < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        highest["allocated"], highest["driver"] = GB, 2 * GB
    assert metal.calls == ("synchronize", "empty_cache", "synchronize")
    values = {cost.measure: cost.value for cost in stage.costs}
    assert values["peak_mps_allocated_bytes"] == 4 * GB
    assert values["peak_mps_driver_bytes"] == 6 * GB


def test_the_cpu_has_nothing_of_its_own() -> None:
    assert isinstance(open_device("cpu"), Cpu)
    with Stage("train", open_device("cpu")) as stage:
        pass
    assert {cost.measure for cost in stage.costs} == {
        "wall_seconds",
        "peak_rss_bytes",
        "peak_children_rss_bytes",
        "sampling_seconds",
        "sampling_looks",
    }
