"""The names that claims give to costs, and the rows of costs.parquet that each means.

`peak_memory` is what tensors took of a CUDA device. The memory of the process on a computer
without one is another thing and has another name, `peak_host_memory`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from benchmark.claims.units import Unit
from benchmark.measure import STAGES
from benchmark.subjects import unknown


@dataclass(frozen=True)
class Measure:
    """One cost: a measure in a stage of a cell."""

    name: str
    """As claims write it, with its stage where one was given."""
    column: str
    """Its name in costs.parquet."""
    stage: str
    unit: Unit
    kind: Literal["measured", "exact", "analytic"] = "measured"
    """`exact` is counted and needs no run, `analytic` follows from shapes alone."""
    any_stage: bool = True
    """Whether `NAME.STAGE` may name another stage."""


_ALL = (
    Measure("trainable_parameters", "trainable_parameters", "train", "count", "exact", False),
    Measure("checkpoint_bytes", "checkpoint_bytes", "save", "bytes", "exact", False),
    Measure("flops_per_step", "flops_per_step", "train", "flops", "analytic", False),
    Measure("seconds", "wall_seconds", "train", "seconds"),
    Measure("step_seconds", "step_seconds_median", "train", "seconds", any_stage=False),
    Measure("peak_memory", "peak_cuda_allocated_bytes", "train", "bytes"),
    Measure("peak_reserved_memory", "peak_cuda_reserved_bytes", "train", "bytes"),
    Measure("peak_device_memory", "peak_device_bytes", "train", "bytes"),
    Measure("peak_host_memory", "peak_rss_bytes", "train", "bytes"),
    Measure("energy", "energy_joules", "train", "joules"),
)
MEASURES = {measure.name: measure for measure in _ALL}
PREDICTABLE = ("peak_memory", "flops_per_step")


def get_measure(word: str) -> Measure:
    """`seconds` or `seconds.prepare`. ValueError, with the nearest spelling, for anything else."""
    name, dot, stage = word.partition(".")
    if name not in MEASURES:
        raise ValueError(unknown("measure", name, list(MEASURES)))
    measure = MEASURES[name]
    if not dot:
        return measure
    if not measure.any_stage:
        raise ValueError(f"{name} belongs to one stage; leave out {dot + stage!r}")
    if stage not in STAGES:
        raise ValueError(unknown("stage", stage, STAGES))
    return replace(measure, name=word, stage=stage)
