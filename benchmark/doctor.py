"""Is this machine ready? What `tbbench doctor` looks at, one finding a line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

import psutil

from benchmark.errors import UserError, short
from benchmark.paths import cache_root
from benchmark.plugins import GROUPS, offers, taken

OK, NOTE, PROBLEM = "ok", "note", "problem"
DISTRIBUTION = "textboost-bench"
HUB = "https://huggingface.co"
HUB_SECONDS = 4
OFFLINE_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
PLUGIN_SECONDS = 60
LOADING = """
import sys
from benchmark.errors import UserError
from benchmark.plugins import load
try:
    load(*sys.argv[1:])
except UserError as error:
    sys.exit(str(error))
print("\\nloaded")
"""
"""Loads a plug-in in a process of its own, which it may end, fill or block without harm here."""
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
    yield from embedded_weights()
    yield hub_weights()
    yield photos()
    yield from optional()
    yield from plugins()


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
        cards = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
        names = [f"{card.name}, {card.total_memory / 1e9:.0f} GB" for card in cards]
        return Finding(OK, "device", "; ".join(names))
    if shutil.which("nvidia-smi"):
        unseen = f"an NVIDIA driver, and no GPU that torch {torch.__version__} can use"
        return Finding(NOTE, "device", unseen, _fix_of_unseen_gpu(torch.version.cuda))
    if torch.backends.mps.is_available():
        return Finding(NOTE, "device", "Apple GPU", "runs take the CPU unless told: --device mps")
    return Finding(
        NOTE,
        "device",
        f"CPU alone, torch {torch.__version__}",
        "the toy world needs no more; Stable Diffusion needs an NVIDIA GPU to be of use",
    )


def _fix_of_unseen_gpu(built_for: str | None) -> str:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return f"unset CUDA_VISIBLE_DEVICES, which is {visible!r}, or name a GPU that is there"
    if built_for is None:
        return "this torch is built without CUDA: install another, https://pytorch.org/get-started"
    return f"see with nvidia-smi whether the driver is as new as CUDA {built_for} asks for"


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
        names = [name for name in OFFLINE_VARIABLES if os.environ.get(name)] or OFFLINE_VARIABLES
        fix = f"what is not in the cache cannot be had; unset {' and '.join(names)} to download it"
        return Finding(NOTE, "model hub", f"offline mode, {where}", fix)
    try:
        place = os.environ.get("HF_ENDPOINT") or HUB
        with urlopen(Request(place, method="HEAD"), timeout=HUB_SECONDS):
            return Finding(OK, "model hub", f"answers, {where}")
    except (URLError, OSError, ValueError) as error:  # the last for an address that is none
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
    fix = "tbbench data fetch dreambench (the toy world needs no photos)"
    return Finding(NOTE, "DreamBench", problems[0] + more, fix)


def embedded_weights() -> Iterator[Finding]:
    """The weights that are part of the installation: the toy world's and an encoder's."""
    from benchmark.backbones.folder import check_complete
    from benchmark.backbones.toy import toy_folder
    from benchmark.encoder_sources import EMBEDDED, encoder_revision

    try:
        check_complete("toy", toy_folder())
        for name in EMBEDDED:
            encoder_revision(name)
    except (UserError, OSError) as error:
        fix = f"pip install --force-reinstall {DISTRIBUTION}; in a clone: git checkout -- datasets"
        yield Finding(PROBLEM, "embedded weights", str(error), fix)
    else:
        yield Finding(OK, "embedded weights", f"toy, {', '.join(EMBEDDED)}")


def hub_weights() -> Finding:
    """Which of the named models and encoders the hub's cache has. Asks no network."""
    from huggingface_hub import try_to_load_from_cache

    from benchmark.backbones.hub import HUB as MODELS
    from benchmark.backbones.hub import cached
    from benchmark.encoder_sources import KNOWN, OPEN_CLIP_FILES, TIMM_FILE

    names = [*MODELS, *KNOWN]
    there = []
    for name, model in MODELS.items():
        with suppress(UserError):  # a folder that another program left half done
            if cached(name, model.repo, model.revision):
                there.append(name)
    for name, encoder in KNOWN.items():
        file = OPEN_CLIP_FILES[-1] if encoder.library == "open_clip" else TIMM_FILE
        if isinstance(try_to_load_from_cache(encoder.repo, file), str):
            there.append(name)
    found = f"{len(there)} of {len(names)} in the cache"
    if there:
        return Finding(OK, "hub weights", f"{found}: {', '.join(there)}")
    fix = "a run downloads what it needs, and `tbbench doctor RUN` does so now"
    return Finding(NOTE, "hub weights", found, fix)


def plugins() -> Iterator[Finding]:
    """Every entry point that installed packages offer, and whether it loads."""
    offered = {kind: offers(kind) for kind in GROUPS}
    if not any(offered.values()):
        yield Finding(OK, "plug-ins", "none installed")
    for kind, found in offered.items():
        refused = taken(kind)
        for one in found:
            what = f"plug-in {kind} {one.name!r}"
            if one.name in refused:
                why, _, fix = refused[one.name].rpartition("; ")
                yield Finding(NOTE, what, why, fix)
            elif why := _why_not_loaded(kind, one.name):
                package = one.package or "its package"
                fix = f"install what it lacks, or another version: pip install --upgrade {package}"
                yield Finding(NOTE, what, f"{one.origin}: {why}", fix)
            else:
                yield Finding(OK, what, f"{one.origin}, loads")


def _why_not_loaded(kind: str, name: str) -> str:
    """Empty when the plug-in loads, in a process that sees the packages that this one sees."""
    command = [sys.executable, "-P", "-c", LOADING, kind, name]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(
            command,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PLUGIN_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"did not load within {PLUGIN_SECONDS} s"
    if done.returncode == 0 and done.stdout.split()[-1:] == [b"loaded"]:
        return ""
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return short(lines[-1], 500) if lines else f"ends Python, with exit code {done.returncode}"


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
        fix = f"see `benchmark/metrics/vqascore.py`, or unset {VARIABLE}"
        yield Finding(NOTE, "VQAScore", str(error), fix)
