"""environment.json: the machine and the software that the numbers come from."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from benchmark.atomic import digest, read_record
from benchmark.nvml import gpus
from benchmark.records import write_sealed

PACKAGES = (
    "textboost-bench",
    "torch",
    "diffusers",
    "transformers",
    "peft",
    "open_clip_torch",
    "timm",
    "numpy",
    "pandas",
    "pillow",
)
VARIABLES = (
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
    "PYTORCH_NO_CUDA_MEMORY_CACHING",
    "PYTORCH_MPS_HIGH_WATERMARK_RATIO",
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_TF32_OVERRIDE",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_ARENA_MAX",
    "OMP_NUM_THREADS",
)
"""Environment variables that change time, memory or rounding; recorded where they are set."""

OTHERS = "other_environments"
"""Key of environment.json: the same facts of other machines that worked on the run, or of the same
one with other software."""
SOFTWARE = ("python", "packages", "git_commit", "threads_per_cell", "determinism")


def environment(
    device: str, threads: int, workers: int, deterministic: bool = False
) -> dict[str, Any]:
    """What a reader needs to judge or repeat the numbers; imports none of the packages.

    What only torch knows is added by a worker: `benchmark.torch_environment`.
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "device": device,
        "threads_per_cell": threads,
        "cells_at_a_time": workers,
        "gpus": gpus(),
        "packages": {name: package_version(name) for name in PACKAGES},
        "git_commit": git_commit(),
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "determinism": {
            "noise": "one generator per image, on the CPU, seeded by subject, prompt and seed",
            "stages": "python, numpy and torch seeded at the start of every stage",
            "kernels": "deterministic ones only" if deterministic else "as torch chooses",
        },
    }


def machine(environment: Mapping[str, Any]) -> str:
    """What costs depend on, as one word to compare; of GPUs their names, for clocks come and go."""
    names = [gpu.get("name") for gpu in environment.get("gpus") or []]
    return digest(
        [names, *(environment.get(name) for name in ("processor", "cores", "device"))], 16
    )


def joined(environments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The first environment, with all others under `OTHERS`, each once.

    Of two that are the same the earlier tells, and the later adds what only it knows, such as what
    a worker found. One machine with other packages is another environment: cells that were done
    before an update must not seem to come from after it.
    """
    known: dict[str, dict[str, Any]] = {}
    for environment in environments:
        own = {name: value for name, value in environment.items() if name != OTHERS}
        for one in [own, *environment.get(OTHERS, [])]:
            name = _name(one)
            known[name] = {**one, **known.get(name, {})}
    first, *others = [*known.values()] or [{}]
    return {**first, OTHERS: others} if others else first


def _name(environment: Mapping[str, Any]) -> str:
    """What results and costs may depend on, as one word to compare."""
    variables = dict(environment.get("variables") or {})
    variables.pop("CUDA_VISIBLE_DEVICES", None)  # differs from shard to shard of one machine
    software = [environment.get(name) for name in SOFTWARE]
    return digest([machine(environment), software, variables], 16)


def record_environment(run: Path, new: Mapping[str, Any]) -> None:
    """Writes the run's environment.json; what was used before stays in it."""
    path = run / "environment.json"
    run.mkdir(parents=True, exist_ok=True)
    with FileLock(run / ".environment.lock"):
        known = read_record(path)
        write_sealed(path, joined([new, known] if known else [new]))


def package_version(name: str) -> str | None:
    """The installed version; None when the package is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def git_commit() -> str | None:
    """Commit of the clone this code runs from, with `+changes`; None outside a clone."""
    clone = Path(__file__).resolve().parent.parent
    if not (clone / ".git").exists():
        return None
    commit = _git(clone, "rev-parse", "HEAD")
    changed = _git(clone, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}+changes" if commit and changed else commit


def _git(clone: Path, *arguments: str) -> str | None:
    try:
        result = subprocess.run(
            ["git", "-C", str(clone), *arguments], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def _processor() -> str:
    """The processor's model name; on Linux from /proc/cpuinfo, which says more than platform."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
