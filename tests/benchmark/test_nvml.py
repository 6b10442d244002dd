"""The driver's answers as NVIDIA documents them: no card has been asked yet."""

from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from benchmark.nvml import Card, CardUse, gpus, open_card
from tests.recorded_calls import Call, Recorded

CARD = object()
NOT_SUPPORTED = pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
NO_DRIVER = pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
RUNNING = "nvmlDeviceGetComputeRunningProcesses"


def driver(*calls: Call) -> Recorded:
    constants = {name: getattr(pynvml, name) for name in ("NVMLError", "NVML_DEVICE_MIG_DISABLE")}
    clocks = {name: getattr(pynvml, name) for name in ("NVML_CLOCK_SM", "NVML_CLOCK_MEM")}
    return Recorded(calls, **constants, **clocks)


def process(pid: int, size: int | None) -> Any:
    return SimpleNamespace(pid=pid, usedGpuMemory=size)


@pytest.mark.parametrize(
    ("running", "use"),
    [
        ([process(7, 100)], CardUse(ours=100, listed=True, others=False)),
        ([process(7, 100), process(8, 20)], CardUse(ours=120, listed=True, others=False)),
        ([process(7, 100), process(99, 5000)], CardUse(ours=100, listed=True, others=True)),
        ([process(99, 5000)], CardUse(ours=0, listed=False, others=True)),
        ([], CardUse(ours=0, listed=False, others=False)),
        # Windows' driver model does not tell a process's memory: a sum of the rest is no sum.
        ([process(7, None), process(8, 20)], CardUse(ours=None, listed=True, others=False)),
    ],
)
def test_only_our_own_processes_count(running: list[Any], use: CardUse) -> None:
    nvml = driver((RUNNING, (CARD,), running))
    assert Card(nvml, CARD).use({7, 8}) == use
    assert nvml.finished()


def test_energy_is_in_joules() -> None:
    nvml = driver(("nvmlDeviceGetTotalEnergyConsumption", (CARD,), 1_234_567))
    assert Card(nvml, CARD).joules() == 1234.567


def test_what_the_driver_does_not_tell_is_not_measured() -> None:
    nvml = driver(
        (RUNNING, (CARD,), NOT_SUPPORTED),
        ("nvmlDeviceGetTotalEnergyConsumption", (CARD,), NOT_SUPPORTED),
    )
    card = Card(nvml, CARD)
    assert card.use({7}) is None
    assert card.joules() is None


@pytest.mark.parametrize(
    ("mig", "shown"), [([0, 0], True), (NOT_SUPPORTED, True), ([1, 1], False), ([1, 0], False)]
)
def test_a_card_is_found_by_its_id_and_whole(mig: Any, shown: bool) -> None:
    nvml = driver(
        ("nvmlInit", (), None),
        ("nvmlDeviceGetHandleByUUID", ("GPU-0a-1b",), CARD),
        ("nvmlDeviceGetMigMode", (CARD,), mig),
    )
    assert (open_card("0a-1b", nvml) is not None) == shown
    assert nvml.finished()


def test_no_driver_and_no_such_card() -> None:
    assert open_card("0a", driver(("nvmlInit", (), NO_DRIVER))) is None
    missing = pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
    nvml = driver(("nvmlInit", (), None), ("nvmlDeviceGetHandleByUUID", ("GPU-0a",), missing))
    assert open_card("0a", nvml) is None
    assert gpus(driver(("nvmlInit", (), NO_DRIVER))) == []


def test_the_facts_of_every_gpu() -> None:
    sm, memory = pynvml.NVML_CLOCK_SM, pynvml.NVML_CLOCK_MEM
    nvml = driver(
        ("nvmlInit", (), None),
        ("nvmlSystemGetDriverVersion", (), "580.65.06"),
        ("nvmlSystemGetCudaDriverVersion", (), 12080),
        ("nvmlDeviceGetCount", (), 1),
        ("nvmlDeviceGetHandleByIndex", (0,), CARD),
        ("nvmlDeviceGetMemoryInfo", (CARD,), SimpleNamespace(total=24 << 30)),
        ("nvmlDeviceGetEnforcedPowerLimit", (CARD,), 350_000),
        ("nvmlDeviceGetName", (CARD,), "NVIDIA GeForce RTX 3090"),
        ("nvmlDeviceGetClockInfo", (CARD, sm), 1695),
        ("nvmlDeviceGetMaxClockInfo", (CARD, sm), 2100),
        ("nvmlDeviceGetClockInfo", (CARD, memory), 9501),
        ("nvmlDeviceGetMaxClockInfo", (CARD, memory), NOT_SUPPORTED),
        ("nvmlShutdown", (), None),
    )
    assert gpus(nvml) == [
        {
            "name": "NVIDIA GeForce RTX 3090",
            "memory_bytes": 24 << 30,
            "driver": "580.65.06",
            "driver_cuda": "12.8",
            "sm_mhz": 1695,
            "sm_mhz_most": 2100,
            "memory_mhz": 9501,
            "memory_mhz_most": None,
            "power_limit_watts": 350.0,
        }
    ]
    assert nvml.finished()
