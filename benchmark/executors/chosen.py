"""The executor that a run asks for, ready to take jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from benchmark.accelerate_choice import accelerate_device
from benchmark.errors import UserError

if TYPE_CHECKING:
    from benchmark.config import Execution
    from benchmark.executors import Job, Watcher


class RunJobs(Protocol):
    """See `local.run_jobs`."""

    def __call__(
        self,
        jobs: Sequence[Job],
        devices: Sequence[str],
        watcher: Watcher,
        *,
        busy: Callable[[Job], bool] = ...,
        keep_going: Callable[[], bool] = ...,
    ) -> None:
        """Works through the jobs on the devices and tells the watcher."""


@dataclass(frozen=True)
class Chosen:
    """One entry of `devices` per cell at a time; `close` leaves the cluster, where there is one."""

    devices: Sequence[str]
    run_jobs: RunJobs
    close: Callable[[], None] = lambda: None


def choose_executor(execution: Execution, idle: bool = False) -> Chosen:
    """The executor; UserError when it, or a device, is not to be had.

    No cluster is started or joined where it would be `idle`.
    """
    device = accelerate_device(execution.device)
    asked = (device, execution.workers, execution.threads)
    if execution.executor == "local":
        from benchmark.executors import local

        if execution.address is not None:
            raise UserError("execution.address is for Ray; add --executor ray")
        return Chosen(local.choose_devices(*asked), local.run_jobs)
    from benchmark.executors import ray, ray_cluster

    if idle:
        return Chosen([], ray.run_jobs)
    cpus = (execution.workers or 1) * execution.threads
    joined = ExitStack()
    gpus = device != "cpu"
    joined.enter_context(ray_cluster.joined(execution.address, cpus, gpus))
    try:
        devices = ray_cluster.choose_devices(*asked)
    except BaseException:
        joined.close()
        raise
    return Chosen(devices, ray.run_jobs, joined.close)
