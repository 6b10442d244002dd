"""Is this machine ready? What `tbbench doctor` looks at, one finding a line.

With a run's name the question is whether that run could start, and it is asked by the run's own
checks: everything that a run does before its first training, downloads included.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

import psutil

from benchmark.config import RunConfig
from benchmark.errors import UserError
from benchmark.paths import cache_root

OK, NOTE, PROBLEM = "ok", "note", "problem"
DISTRIBUTION = "textboost-bench"
HUB = "https://huggingface.co"
HUB_SECONDS = 4
LITTLE_DISK = 20e9
"""Below this many free bytes one Stable Diffusion backbone and its checkpoints may not fit."""


@dataclass(frozen=True)
class Finding:
    """`level` is `ok`, `note` (some runs will miss it) or `problem` (nothing will work)."""

    level: str
    what: str
    found: str
    fix: str = ""


def look() -> Iterator[Finding]:
    """Everything about the machine. Downloads nothing."""
    yield python()
    yield from packages()
    yield devices()
    yield memory()
    yield disk("runs", Path.cwd())
    yield cache_folder()
    yield hub()
    yield photos()
    yield from optional()


def ready(config: RunConfig) -> Iterator[Finding]:
    """Whether the run can start; what it needs and does not find is downloaded now."""
    from benchmark.accelerate_choice import accelerate_device
    from benchmark.executors.local import choose_devices
    from benchmark.plan import check_ready, plan

    execution = config.execution
    try:
        cells = plan(config)
        yield Finding(OK, "plan", f"{len(cells)} cells, {config.backbone} on {config.dataset}")
        check_ready(cells)
        yield Finding(OK, "photos, metrics, encoders", "all there")
        device = accelerate_device(execution.device)
        chosen = choose_devices(device, execution.workers, execution.threads)
        yield Finding(OK, "device", ", ".join(chosen))
    except UserError as error:
        yield Finding(PROBLEM, f"run {config.name}", str(error))


def python() -> Finding:
    """Whether this Python is one that the project is tested on."""
    shown = ".".join(map(str, sys.version_info[:3]))
    good = (3, 11) <= sys.version_info[:2] < (3, 14)
    fix = "" if good else "use Python 3.11 to 3.13"
    return Finding(OK if good else PROBLEM, "python", shown, fix)


def packages() -> Iterator[Finding]:
    """Every required package that is missing or of another version than is asked for."""
    from packaging.requirements import Requirement

    try:
        asked = [Requirement(line) for line in requires(DISTRIBUTION) or []]
    except PackageNotFoundError:
        yield Finding(PROBLEM, "packages", "not installed", f"pip install {DISTRIBUTION}")
        return
    asked = [one for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
    wrong = 0
    for one in asked:
        try:
            there = version(one.name)
        except PackageNotFoundError:
            there = "not installed"
        if there == "not installed" or not one.specifier.contains(there, prereleases=True):
            wrong += 1
            yield Finding(
                PROBLEM, one.name, f"{there}, needs {one.specifier}", f"pip install '{one}'"
            )
    if not wrong:
        yield Finding(OK, "packages", f"{len(asked)} of {len(asked)} as asked for")


def devices() -> Finding:
    """The devices that torch finds."""
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Finding(OK, "device", ", ".join(names))
    if torch.backends.mps.is_available():
        return Finding(NOTE, "device", "Apple GPU", "runs take the CPU unless told: --device mps")
    return Finding(
        NOTE,
        "device",
        f"CPU alone, torch {torch.__version__}",
        "the toy world needs no more; Stable Diffusion needs an NVIDIA GPU to be of use",
    )


def memory() -> Finding:
    """The machine's memory."""
    there = psutil.virtual_memory()
    return Finding(OK, "memory", f"{there.total / 1e9:.0f} GB, {there.available / 1e9:.0f} free")


def disk(what: str, folder: Path) -> Finding:
    """The space where `folder` is, or would be."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < LITTLE_DISK:
        fix = "enough for the toy world; free some for Stable Diffusion and its checkpoints"
        return Finding(NOTE, f"disk for {what}", f"{free / 1e9:.1f} GB free", fix)
    return Finding(OK, f"disk for {what}", f"{free / 1e9:.0f} GB free")


def cache_folder() -> Finding:
    """Whether downloads, prior images and embeddings can be kept."""
    folder = cache_root()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        fix = "set TBBENCH_CACHE to a folder that you may write to"
        return Finding(PROBLEM, "cache", f"{folder}: {error.strerror}", fix)
    found = disk("the cache", folder)
    return Finding(found.level, "cache", f"{folder}, {found.found}", found.fix)


def hub() -> Finding:
    """Whether models can be downloaded."""
    from urllib.error import URLError
    from urllib.request import Request, urlopen

    from huggingface_hub import constants

    where = f"cache {constants.HF_HUB_CACHE}"
    if constants.HF_HUB_OFFLINE:
        fix = "what is not in the cache cannot be had; unset HF_HUB_OFFLINE to download it"
        return Finding(NOTE, "model hub", f"offline mode, {where}", fix)
    try:
        with urlopen(Request(HUB, method="HEAD"), timeout=HUB_SECONDS):
            return Finding(OK, "model hub", f"answers, {where}")
    except (URLError, OSError) as error:
        reason = " ".join(str(getattr(error, "reason", error)).split())
        fix = "the toy world needs no download; for other backbones see to the connection"
        return Finding(NOTE, "model hub", f"no answer ({reason}), {where}", fix)


def photos() -> Finding:
    """DreamBench's photos, each compared with its checksum."""
    from benchmark.dreambench import DreamBench

    dataset = DreamBench()
    problems = dataset.check()
    if not problems:
        return Finding(OK, "DreamBench", f"158 photos in {dataset.root}")
    more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
    return Finding(NOTE, "DreamBench", problems[0] + more, "the toy world needs no photos")


def optional() -> Iterator[Finding]:
    """Extras that some metrics and settings need."""
    for package, extra, purpose in (
        ("lpips", "lpips", "LPIPS diversity"),
        ("bitsandbytes", "8bit", "the 8-bit optimizer"),
    ):
        if find_spec(package) is None:
            fix = f"pip install '{DISTRIBUTION}[{extra}]' (in a clone '.[{extra}]')"
            yield Finding(NOTE, purpose, "not installed", fix)
        else:
            yield Finding(OK, purpose, f"{package} {version(package)}")
    from benchmark.metrics.vqascore import VARIABLE, check

    if not os.environ.get(VARIABLE):
        yield Finding(
            NOTE,
            "VQAScore",
            "not set up",
            f"set {VARIABLE}, and see `benchmark/metrics/vqascore.py`",
        )
        return
    try:
        check()
        yield Finding(OK, "VQAScore", os.environ[VARIABLE])
    except UserError as error:
        yield Finding(NOTE, "VQAScore", str(error))
