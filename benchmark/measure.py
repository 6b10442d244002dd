"""What a stage costs: wall time between synchronised edges, and the peaks of memory.

`Stage` is the clock; the devices behind it are small, so that a test can put in its own.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

STAGES = ("load", "prepare", "train", "save", "reload", "generate", "probe", "score")
SAMPLING_SECONDS = 0.02
"""How often memory is looked at where the kernel does not keep a peak that can be reset."""


@dataclass(frozen=True)
class Cost:
    """One figure of one stage. `kind` is "measured" or "exact" (counted, without noise)."""

    stage: str
    measure: str
    value: float
    unit: str
    kind: str = "measured"


class Device(Protocol):
    """What the clock needs of the device that the work runs on."""

    @property
    def name(self) -> str: ...

    def synchronise(self) -> None:
        """Waits until all work given to the device is done."""

    def reset_peaks(self) -> None:
        """Starts the device's peaks of memory afresh."""

    def peaks(self) -> dict[str, int]:
        """Measure -> bytes, since the last reset."""


class Cpu:
    """The host: nothing to wait for, and its memory is measured for every device anyway."""

    name = "cpu"

    def synchronise(self) -> None: ...

    def reset_peaks(self) -> None: ...

    def peaks(self) -> dict[str, int]:
        return {}


class Cuda:
    """One CUDA device, "cuda" or "cuda:N"."""

    def __init__(self, name: str) -> None:
        import torch

        self.name = name
        self._cuda = torch.cuda
        self._cuda.set_device(torch.device(name))

    def synchronise(self) -> None:
        self._cuda.synchronize(self.name)

    def reset_peaks(self) -> None:
        # What an earlier stage keeps in torch's pool is none of this one's.
        self._cuda.empty_cache()
        self._cuda.reset_peak_memory_stats(self.name)

    def peaks(self) -> dict[str, int]:
        """What tensors took (allocated) and what torch held from the driver for them (reserved)."""
        return {
            "peak_cuda_allocated_bytes": self._cuda.max_memory_allocated(self.name),
            "peak_cuda_reserved_bytes": self._cuda.max_memory_reserved(self.name),
        }


def open_device(name: str) -> Device:
    """The device called "cpu", "cuda" or "cuda:N"."""
    return Cuda(name) if name.startswith("cuda") else Cpu()


class HostPeak:
    """Peak resident memory of this process between `start` and `stop`, in bytes.

    Linux keeps the peak itself and lets a process reset it (proc(5), clear_refs); where that is
    not allowed, a thread looks every `SAMPLING_SECONDS`, which can miss a shorter peak.
    """

    def start(self) -> None:
        self._kernel = _reset_kernel_peak()
        if self._kernel:
            return
        import psutil

        process = psutil.Process()
        self._peak: int = process.memory_info().rss
        self._stop = threading.Event()

        def look() -> None:
            while not self._stop.wait(SAMPLING_SECONDS):
                self._peak = max(self._peak, process.memory_info().rss)

        self._thread = threading.Thread(target=look, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        if self._kernel:
            return _kernel_peak()
        import psutil

        self._stop.set()
        self._thread.join()
        return max(self._peak, psutil.Process().memory_info().rss)


def _reset_kernel_peak() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _kernel_peak() > 0
    except OSError:
        return False


def _kernel_peak() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


@dataclass
class Stage:
    """Measures the `with` block as stage `name`; afterwards `costs` holds its figures.

    Inside the block `add` gives the stage further figures, and `seconds_not_here` takes time
    into account that the same work took elsewhere (made earlier and kept): it is added to
    `wall_seconds`, so that the stage costs the same whether or not something was at hand.
    """

    name: str
    device: Device
    clock: Callable[[], float] = time.perf_counter
    costs: list[Cost] = field(default_factory=list)
    seconds_not_here: float = 0.0

    def add(self, measure: str, value: float, unit: str, kind: str = "measured") -> None:
        self.costs.append(Cost(self.name, measure, float(value), unit, kind))

    def __enter__(self) -> Self:
        self._host = HostPeak()
        self.device.synchronise()
        self.device.reset_peaks()
        self._host.start()
        self._begin = self.clock()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.device.synchronise()
        self.seconds = self.clock() - self._begin
        peak = self._host.stop()
        if kind is None:
            self.add("wall_seconds", self.seconds + self.seconds_not_here, "s")
            self.add("peak_rss_bytes", peak, "B")
            for measure, value in self.device.peaks().items():
                self.add(measure, value, "B")


def step_costs(stage: str, step_seconds: Sequence[float]) -> list[Cost]:
    """The first step, which warms up and compiles, apart from the median of all later ones."""
    if not step_seconds:
        return []
    costs = [Cost(stage, "first_step_seconds", step_seconds[0], "s")]
    if len(step_seconds) > 1:
        median = statistics.median(step_seconds[1:])
        costs.append(Cost(stage, "step_seconds_median", median, "s"))
    return costs
