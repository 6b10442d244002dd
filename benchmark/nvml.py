"""What the NVIDIA driver tells of a card: by NVML, and only where it does tell.

Everything here takes the driver's library as `nvml`, which is the module `pynvml` or a stand-in.
An NVML error is never an error of ours: what could not be read is not measured.
Written after NVIDIA's NVML API reference and pynvml's source; not run on a card yet.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class CardUse:
    """Who computes on a card at one instant."""

    ours: int | None
    """Bytes of device memory that our processes hold; None where the driver does not say."""
    listed: bool
    """Whether the driver lists any of our processes. In a container it may list none of them."""
    others: bool
    """Whether processes that are not ours compute on the card."""


class Card:
    """One card, or none of it: see `open_card`."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml = nvml
        self._handle = handle

    def use(self, processes: Collection[int]) -> CardUse | None:
        """What `processes` (our ids) and others do on the card; None where it cannot be read."""
        try:
            running = self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handle)
        except self._nvml.NVMLError:
            return None
        mine = [one.usedGpuMemory for one in running if one.pid in processes]
        known = [size for size in mine if size is not None]
        return CardUse(
            ours=sum(known) if len(known) == len(mine) else None,
            listed=bool(mine),
            others=len(running) > len(mine),
        )

    def joules(self) -> float | None:
        """Energy that the whole card took since its driver was loaded; None where not counted.

        The driver counts in millijoules, on Volta and later.
        """
        try:
            return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1000
        except self._nvml.NVMLError:
            return None


def open_card(uuid: str, nvml: Any) -> Card | None:
    """The card with torch's `uuid` (without "GPU-"), None where the driver does not show it.

    By its id and not its number, because CUDA_VISIBLE_DEVICES changes numbers. A card that is cut
    into parts (MIG) counts as not shown: its memory and energy are those of all the parts.
    """
    try:
        nvml.nvmlInit()
        handle = nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    except nvml.NVMLError:
        return None
    try:
        current, _ = nvml.nvmlDeviceGetMigMode(handle)
    except nvml.NVMLError:  # a card that cannot be cut
        current = nvml.NVML_DEVICE_MIG_DISABLE
    return Card(nvml, handle) if current == nvml.NVML_DEVICE_MIG_DISABLE else None


def gpus(nvml: Any = None) -> list[dict[str, Any]]:
    """Facts of every NVIDIA GPU, None for one that the driver does not tell; empty without one.

    Clocks in MHz: now, and the highest that the card goes to. Power limit in watts, as enforced.
    """
    if nvml is None:
        nvml = import_module("pynvml")
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return []

    def told(read: Callable[..., Any], *of: Any) -> Any:
        try:
            return read(*of)
        except nvml.NVMLError:
            return None

    try:
        driver = told(nvml.nvmlSystemGetDriverVersion)
        cuda = told(nvml.nvmlSystemGetCudaDriverVersion)
        found = []
        for number in range(told(nvml.nvmlDeviceGetCount) or 0):
            card = told(nvml.nvmlDeviceGetHandleByIndex, number)
            if card is None:
                continue
            memory = told(nvml.nvmlDeviceGetMemoryInfo, card)
            limit = told(nvml.nvmlDeviceGetEnforcedPowerLimit, card)
            found.append(
                {
                    "name": told(nvml.nvmlDeviceGetName, card),
                    "memory_bytes": None if memory is None else memory.total,
                    "driver": driver,
                    "driver_cuda": None if cuda is None else f"{cuda // 1000}.{cuda % 1000 // 10}",
                    "sm_mhz": told(nvml.nvmlDeviceGetClockInfo, card, nvml.NVML_CLOCK_SM),
                    "sm_mhz_most": told(nvml.nvmlDeviceGetMaxClockInfo, card, nvml.NVML_CLOCK_SM),
                    "memory_mhz": told(nvml.nvmlDeviceGetClockInfo, card, nvml.NVML_CLOCK_MEM),
                    "memory_mhz_most": told(
                        nvml.nvmlDeviceGetMaxClockInfo, card, nvml.NVML_CLOCK_MEM
                    ),
                    "power_limit_watts": None if limit is None else limit / 1000,
                }
            )
        return found
    finally:
        told(nvml.nvmlShutdown)
