"""What a stage costs: wall time between synchronised edges, the peaks of memory, and energy.

`Stage` is the clock; the devices behind it are in `benchmark.devices`. What every measure is and
what it misses: docs/reference/measuring.md.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from benchmark import host_memory
from benchmark.devices import Device
from benchmark.pauses import pauses
from benchmark.sampling import Sampler

STAGES = ("load", "prepare", "train", "save", "reload", "generate", "probe", "score")
LEAST_ENERGY_SECONDS = 1.0
"""The driver brings its energy counter up to date about ten times a second: a stage that is
shorter than this has no energy."""
TIMES = ("s", "images/s")
LEAST_STEPS_FOR_P95 = 20
"""Of fewer steps not one lies above the 95th percentile: it would be their maximum by name."""


@dataclass(frozen=True)
class Cost:
    """One figure of one stage. `kind` is "measured" or "exact" (counted, without noise)."""

    stage: str
    measure: str
    value: float
    unit: str
    kind: str = "measured"


@dataclass
class Stage:
    """Measures the `with` block as stage `name`; afterwards `costs` holds its figures.

    Inside the block `add` gives the stage further figures, and fields may be set.
    `seconds_not_here` takes time into account that the same work took elsewhere (made earlier
    and kept): it is added to `wall_seconds`, so that the stage costs the same whether or not
    something was at hand. Of such a stage there is no energy: what it took elsewhere is unknown.
    `peaks_not_here` are the `peaks` of such a time, where the work took this stage's memory then:
    the higher one counts, and none that was not read both times.
    `pictures` is how many the stage made or scored: it gives `images_per_second`, over
    `wall_seconds`.

    `peak_rss_bytes` is this process's own peak, kept by the kernel where it can be reset (Linux).
    `peak_children_rss_bytes` is that of the processes below it, together. That one, the device's
    memory as the driver sees it, and own memory without such a kernel are looked at by a thread,
    which misses what comes and goes between two looks. `sampling_seconds` is the processor time
    that this thread took: about 0.2% of the stage's time (`benchmark.sampling`).

    A stage whose process was stopped and went on (`benchmark.pauses`) has no times and no energy,
    and `pauses` in their place.
    """

    name: str
    device: Device
    clock: Callable[[], float] = time.perf_counter
    costs: list[Cost] = field(default_factory=list)
    seconds_not_here: float = 0.0
    peaks_not_here: Mapping[str, float] = field(default_factory=dict)
    pictures: int = 0

    def add(self, measure: str, value: float, unit: str, kind: str = "measured") -> None:
        """Adds a cost of this stage; `unit` is the value's, `kind` how it came about."""
        self.costs.append(Cost(self.name, measure, float(value), unit, kind))

    def peaks(self) -> dict[str, float]:
        """Measure -> the highest value so far, in bytes. To be asked inside the block."""
        found: dict[str, float] = {**self._sampler.highest()}
        if self._kernel:
            found["peak_rss_bytes"] = host_memory.peak()
        found |= self.device.peaks()
        before = self.peaks_not_here
        if not before:
            return found
        return {name: max(value, before[name]) for name, value in found.items() if name in before}

    def __enter__(self) -> Self:
        self._children = host_memory.ChildrenMemory()
        self.device.synchronise()
        self.device.reset_peaks()
        self._kernel = host_memory.reset_peak()
        self._sampler = Sampler(self._look)
        self._sampler.start()
        self._joules = self.device.joules()
        self._pauses = pauses()
        self._begin = self.clock()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is not None:
                return
            self.device.synchronise()  # raises what the device's work of the stage ran into
            self.seconds = self.clock() - self._begin
            joules = self.device.joules()
        finally:
            self._sampler.end()
        paused = pauses() - self._pauses
        self._sampler.stop()
        peaks = self.peaks()
        if paused:
            self.add("pauses", paused, "pauses", "exact")
            self.costs = [cost for cost in self.costs if cost.unit not in TIMES]
            print(f"{self.name}: this process stood still; its times are not measured")
        else:
            self._add_times()
            self._add_energy(joules)
        if self.pictures:
            self.add("images", self.pictures, "images", "exact")
        for measure, value in peaks.items():
            self.add(measure, value, "B")
        self.add("sampling_seconds", self._sampler.seconds, "s")
        self.add("sampling_looks", self._sampler.looks, "looks", "exact")

    def _add_times(self) -> None:
        wall = self.seconds + self.seconds_not_here
        self.add("wall_seconds", wall, "s")
        if self.pictures and wall > 0:
            self.add("images_per_second", self.pictures / wall, "images/s")

    def _look(self) -> Mapping[str, int | None]:
        children, their_bytes = self._children.look()
        seen: dict[str, int | None] = {"peak_children_rss_bytes": their_bytes}
        if not self._kernel:
            seen["peak_rss_bytes"] = host_memory.resident([os.getpid()])
        return {**seen, **self.device.look({os.getpid(), *children})}

    def _add_energy(self, joules: float | None) -> None:
        """Energy of the whole device, where it worked for this stage alone and all of it here."""
        if joules is None or self._joules is None or joules < self._joules:
            return
        whole = self.seconds_not_here == 0 and self.seconds >= LEAST_ENERGY_SECONDS
        if whole and self.device.alone():
            self.add("energy_joules", joules - self._joules, "J")


def step_costs(
    stage: str, step_seconds: Sequence[float], step_pictures: Sequence[int] = ()
) -> list[Cost]:
    """Costs of the steps: the first, which warms up and compiles, apart from all later ones.

    The later, "steady" ones have their median, their 95th percentile (interpolated between
    neighbours; from 20 steps on) and their number. `step_pictures` is how many pictures each step
    trained on: it gives `images_per_second`, the steady steps' pictures over their seconds.
    """
    if not step_seconds:
        return []
    first, *steady = step_seconds
    costs = [Cost(stage, "first_step_seconds", first, "s")]
    if steady:
        costs += [
            Cost(stage, "steady_steps", float(len(steady)), "steps", "exact"),
            Cost(stage, "step_seconds_median", statistics.median(steady), "s"),
        ]
    if len(steady) >= LEAST_STEPS_FOR_P95:
        p95 = statistics.quantiles(steady, n=20, method="inclusive")[-1]
        costs.append(Cost(stage, "step_seconds_p95", p95, "s"))
    pictures = sum(step_pictures[1:])
    if len(step_pictures) == len(step_seconds) and pictures and sum(steady) > 0:
        costs.append(Cost(stage, "images_per_second", pictures / sum(steady), "images/s"))
    return costs
