"""The machine and the software that numbers come from, as they are here and now."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from benchmark.atomic import digest
from benchmark.nvml import gpus

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
CODE = ("benchmark", "methods", "textboost")
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
    *("OMP_NUM_THREADS", "OMP_PROC_BIND", "KMP_AFFINITY", "GOMP_CPU_AFFINITY"),
    *("MKL_NUM_THREADS", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "OPENBLAS_NUM_THREADS"),
    *("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"),
)
"""Environment variables that change time, memory or rounding; recorded where they are set."""

_HAS_AFFINITY = hasattr(psutil.Process, "cpu_affinity")

WHOLE_RUN = ("threads_per_cell", "cells_at_a_time", "pictures_at_once", "determinism")
"""What is the same wherever a cell of the run is done."""
SOFTWARE = ("python", "packages", "code")
SET_BY_US = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "CUBLAS_WORKSPACE_CONFIG"),
    "CUDA_VISIBLE_DEVICES",
)
"""Variables that executors set for their workers."""


def environment(
    device: str,
    threads: int,
    workers: int,
    deterministic: bool = False,
    batches: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """What a reader needs to judge or repeat the numbers; imports none of the packages.

    batches: pictures at once in generating and in scoring, which change time and memory alone.
    What only torch knows is added by a worker: `benchmark.torch_environment`.
    """
    return {
        **_hardware(device),
        "threads_per_cell": threads,
        "cells_at_a_time": workers,
        "pictures_at_once": {**(batches or {})},
        **_software(),
        "determinism": {
            "noise": "one generator per image, on the CPU, seeded by subject, prompt and seed",
            "stages": "python, numpy and torch seeded at the start of every stage",
            "kernels": "deterministic ones only" if deterministic else "as torch chooses",
        },
    }


def _hardware(device: str) -> dict[str, Any]:
    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "device": device,
        "gpus": gpus(),
    }


def cores() -> float:
    """How many processor cores this process may use: of all, what a scheduler or container left."""
    allowed: float = len(psutil.Process().cpu_affinity()) if _HAS_AFFINITY else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
        if quota != "max":
            allowed = min(allowed, round(int(quota) / int(period), 2))
    return allowed


def _software() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "git_commit": git_commit(),
        **installed(),
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def installed() -> dict[str, Any]:
    """`packages` and `code` as they lie there now: what may change while a process runs."""
    packages = {name: package_version(name) for name in PACKAGES}
    return {"packages": packages, "code": code_digest()}


def identity(entry: Mapping[str, Any]) -> str:
    """What results and costs may depend on, as one word to compare: machine, code, packages, how
    cells share the machine. Cells keep those they were worked on under, in cell.json."""
    facts = {name: entry.get(name) for name in (*SOFTWARE, *WHOLE_RUN)}
    return digest([machine(entry), facts, users_variables(entry)], 16)


def users_variables(entry: Mapping[str, Any]) -> dict[str, str]:
    """The recorded variables, without those that are not the user's or differ within a machine."""
    known = entry.get("variables") or {}
    return {name: value for name, value in known.items() if name not in SET_BY_US}


def machine(environment: Mapping[str, Any]) -> str:
    """What costs depend on, as one word to compare; of GPUs their names, for clocks come and go."""
    names = [gpu.get("name") for gpu in environment.get("gpus") or []]
    kind = str(environment.get("device")).partition(":")[0]
    return digest([names, environment.get("processor"), environment.get("cores"), kind], 16)


def this_machine(device: str, threads: int) -> str:
    """What times depend on here, as one word to compare: `machine` and the number of threads."""
    return digest([machine(_hardware(device)), threads], 16)


def package_version(name: str) -> str | None:
    """The installed version; None when the package is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def code_digest() -> str:
    """16 hex digits of every module that an outcome may depend on, as they lie there now."""
    root = Path(__file__).resolve().parent.parent
    files = sorted(path for name in CODE for path in (root / name).rglob("*.py"))
    states = ((path, path.stat()) for path in files)
    return _digest(root, tuple((path, s.st_mtime_ns, s.st_size, s.st_ino) for path, s in states))


@functools.lru_cache(maxsize=1)
def _digest(root: Path, files: tuple[tuple[Path, int, int, int], ...]) -> str:
    """Over the files' content, which is read again when one has changed. files: each with its
    time of change, size and inode."""
    return digest([[f.relative_to(root).as_posix(), f.read_text("utf-8")] for f, *_ in files], 16)


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
