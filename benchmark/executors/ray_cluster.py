"""A Ray cluster for the time of a run: joined, or started on this machine and ended with the run.

Ray is told to send nothing to anybody: no usage statistics, no dashboard. Of this process's
environment a cell on another machine gets the variables that `variables` names, and no others: what
Ray is given is written to its logs, and tokens must not be.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmark.environment import VARIABLES
from benchmark.errors import UserError

INSTALL = "executor 'ray' needs Ray: pip install 'textboost-bench[ray]' (in a clone '.[ray]')"
STORE_BYTES = 100 * 1024**2
"""Of a cluster of one machine, whose cells write to the run's folder: Ray's smallest is 75 MiB."""
CONNECT_SECONDS = 5.0
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Ray would start cells with a niceness of 15: whatever else a machine does would slow them.
    "RAY_worker_niceness": "0",
    # A cell that takes too much memory is the system's to end, and fails as it does without Ray.
    "RAY_memory_monitor_refresh_ms": "0",
}
PASSED_ON = ("DREAMBENCH_ROOT", "HF_HOME", "HF_HUB_OFFLINE", "TOKENIZERS_PARALLELISM")


def import_ray() -> Any:
    """The package; UserError with the command that installs it."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise UserError(INSTALL) from error
    return ray


@contextmanager
def joined(address: str | None, cpus: int, gpus: bool) -> Iterator[None]:
    """Joins the cluster at `address`, "auto" or "host:port", and leaves it when the block ends.

    None starts one on this machine, for `cpus` threads at a time or more, and ends it. In a process
    that is in a cluster already it is that one. UserError when there is no cluster to join.
    """
    ray = import_ray()
    if ray.is_initialized():
        yield
        return
    quiet = {
        "log_to_driver": False,
        "logging_level": "ERROR",
        "runtime_env": {"env_vars": variables()},
    }
    with tempfile.TemporaryDirectory(prefix="tbray-", dir=_short_folder()) as scratch:
        try:
            if address is None:
                ray.init(
                    address="local",
                    num_cpus=max(os.cpu_count() or 1, cpus),
                    num_gpus=None if gpus else 0,
                    include_dashboard=False,
                    object_store_memory=STORE_BYTES,
                    _temp_dir=scratch,
                    **quiet,
                )
            else:
                _check(address)
                ray.init(address=address, **quiet)
        except (ConnectionError, RuntimeError, ValueError) as error:
            what = " ".join(str(error).split())[:200]
            raise UserError(f"no Ray cluster at {address or 'this machine'}: {what}") from error
        try:
            yield
        finally:
            ray.shutdown()


def variables() -> dict[str, str]:
    """Environment variables that cells are to have wherever they run."""
    named = {*VARIABLES, *PASSED_ON} - {"CUDA_VISIBLE_DEVICES"}
    return {
        name: value
        for name, value in os.environ.items()
        if name in named or name.startswith("TBBENCH_")
    }


def choose_devices(device: str, workers: int | None, threads: int) -> list[str]:
    """As `local.choose_devices`, from what the joined cluster has.

    Every task sees the GPU that Ray gives it as cuda:0. UserError when no node is large enough, or
    for a GPU where there is none.
    """
    ray = import_ray()
    if device not in ("auto", "cpu", "cuda"):
        raise UserError(
            f"device {device!r}: Ray hands out GPUs itself; choose --device auto, cpu or cuda"
        )
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    fits = [int(node.get("CPU", 0)) // threads for node in nodes]
    if not any(fits):
        most = int(max((node.get("CPU", 0) for node in nodes), default=0))
        raise UserError(
            f"no node of the Ray cluster has {threads} CPUs, the largest {most}; set "
            "execution.threads to fewer"
        )
    gpus = 0 if device == "cpu" else int(sum(node.get("GPU", 0) for node in nodes))
    if device == "cuda" and not gpus:
        raise UserError("device 'cuda': the Ray cluster has no GPU; choose another --device")
    if gpus:
        return ["cuda:0"] * (workers or gpus)
    return ["cpu"] * (workers or sum(fits))


def gpu_share(devices: list[str]) -> float:
    """The part of a GPU that each of these cells at a time gets: 1 unless there are more cells."""
    if devices[0] == "cpu":
        return 0.0
    gpus = int(import_ray().cluster_resources().get("GPU", 1))
    return 1 / -(-len(devices) // gpus)


def _check(address: str) -> None:
    """UserError where nothing listens: Ray itself would try for minutes."""
    if address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdigit() or "/" in host:
        raise UserError(
            f"--address {address!r}: expected auto, or the host:port that `ray start --head` prints"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"no Ray cluster at {address}: {error}; start one with `ray start --head`"
        ) from error


def _short_folder() -> str | None:
    """Ray puts sockets below it, whose paths may have 107 characters."""
    return "/tmp" if os.path.isdir("/tmp") else None
