"""The devices that work runs on, as the clock in `benchmark.measure` needs them.

`Device` is all that it asks, so that a test can put in its own. `Cuda` is written after torch's
documentation and tested against sequences of calls; like `Mps` it has not met a real device yet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from benchmark.nvml import Card, open_card


class Device(Protocol):
    """What the clock needs of the device."""

    @property
    def name(self) -> str:
        """What torch calls it: "cpu", "cuda", "cuda:N" or "mps"."""

    def synchronise(self) -> None:
        """Waits until all work given to the device is done."""

    def reset_peaks(self) -> None:
        """Starts the device's peaks of memory afresh."""

    def peaks(self) -> dict[str, int]:
        """Measure -> bytes, since the last reset, where the device keeps a peak by itself."""

    def look(self, processes: Collection[int]) -> Mapping[str, int | None]:
        """Measure -> bytes right now, where it does not; None where it cannot be read.

        `processes` are our ids: this process and those below it. Called from another thread.
        """

    def joules(self) -> float | None:
        """A counter of the energy that the device takes; None where there is none."""

    def alone(self) -> bool:
        """Whether nobody else was seen on the device by `look` since the last reset."""


class Cpu:
    """The host: nothing to wait for, and its memory is measured for every device anyway."""

    name = "cpu"

    def synchronise(self) -> None:
        """Nothing to wait for: work on the host is done when its call returns."""

    def reset_peaks(self) -> None:
        """Nothing to reset."""

    def peaks(self) -> dict[str, int]:
        """Empty: the host's memory is measured elsewhere, for every device."""
        return {}

    def look(self, processes: Collection[int]) -> Mapping[str, int | None]:
        """Empty, for the same reason as `peaks`."""
        return {}

    def joules(self) -> float | None:
        """None: the host's energy is not counted."""
        return None

    def alone(self) -> bool:
        """False: nobody watches who else uses the host."""
        return False


class Cuda:
    """One CUDA device, "cuda" or "cuda:N": `cuda` is `torch.cuda`, `card` the driver's view."""

    def __init__(self, name: str, cuda: Any, card: Card | None) -> None:
        self.name = name
        self._cuda = cuda
        self._card = card
        self._seen = self._shared = False

    def synchronise(self) -> None:
        """Waits until all kernels on the device are done."""
        self._cuda.synchronize(self.name)

    def reset_peaks(self) -> None:
        """Frees torch's unused memory, then starts its peaks and the watch for others afresh."""
        # What an earlier stage keeps in torch's pool is none of this one's.
        self._cuda.empty_cache()
        self._cuda.reset_peak_memory_stats(self.name)
        self._seen = self._shared = False

    def peaks(self) -> dict[str, int]:
        """What tensors took (allocated) and what torch held from the driver for them (reserved)."""
        return {
            "peak_cuda_allocated_bytes": self._cuda.max_memory_allocated(self.name),
            "peak_cuda_reserved_bytes": self._cuda.max_memory_reserved(self.name),
        }

    def look(self, processes: Collection[int]) -> Mapping[str, int | None]:
        """All device memory of our processes: torch's, the CUDA context's and the libraries'."""
        if self._card is None:
            return {}
        use = self._card.use(processes)
        if use is None:
            self._shared = True  # as far as we know
            return {"peak_device_bytes": None}
        self._seen = self._seen or use.listed
        self._shared = self._shared or use.others
        return {"peak_device_bytes": use.ours} if use.listed else {}

    def joules(self) -> float | None:
        """The driver's counter of energy, in joules; None where the driver has none."""
        return None if self._card is None else self._card.joules()

    def alone(self) -> bool:
        """Whether `look` has seen our processes since the last reset, and never anybody else's."""
        return self._seen and not self._shared


class Mps:
    """Apple's GPU: `mps` is `torch.mps`, which keeps no peaks, so that they must be looked at."""

    name = "mps"

    def __init__(self, mps: Any) -> None:
        self._mps = mps

    def synchronise(self) -> None:
        """Waits until all kernels on the device are done."""
        self._mps.synchronize()

    def reset_peaks(self) -> None:
        """Frees torch's unused memory; there are no peaks to reset."""
        self._mps.empty_cache()

    def peaks(self) -> dict[str, int]:
        """Empty: torch keeps no peaks here, `look` takes them."""
        return {}

    def look(self, processes: Collection[int]) -> Mapping[str, int | None]:
        """What tensors take (allocated) and what Metal's driver gave this process (driver)."""
        return {
            "peak_mps_allocated_bytes": self._mps.current_allocated_memory(),
            "peak_mps_driver_bytes": self._mps.driver_allocated_memory(),
        }

    def joules(self) -> float | None:
        """None: there is no counter to read."""
        return None

    def alone(self) -> bool:
        """False: Metal does not tell who else uses the device."""
        return False


def open_device(name: str) -> Device:
    """The device called "cpu", "cuda", "cuda:N" or "mps"."""
    if name == "cpu":
        return Cpu()
    import torch

    if name == "mps":
        return Mps(torch.mps)
    import pynvml

    torch.cuda.set_device(torch.device(name))
    # Not in torch's annotations before 2.6, and empty on an AMD card, which NVML does not know.
    uuid = str(getattr(torch.cuda.get_device_properties(name), "uuid", ""))
    return Cuda(name, torch.cuda, open_card(uuid, pynvml))
