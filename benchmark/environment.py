"""environment.json: the machine and the software that the numbers come from."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from benchmark.atomic import digest, read_record
from benchmark.nvml import gpus
from benchmark.records import seal_holds, write_sealed

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

OTHERS = "other_environments"
"""Key of environment.json: the same facts of other machines that worked on the run, or of the same
one with other software."""
LOST = "earlier_not_known"
"""Key of environment.json, true: what cells that were done before ran on was damaged or lost."""
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
    return digest([machine(entry), facts, _variables(entry)], 16)


def _variables(entry: Mapping[str, Any]) -> dict[str, str]:
    """The recorded variables, without those that are not the user's or differ within a machine."""
    known = entry.get("variables") or {}
    return {name: value for name, value in known.items() if name not in SET_BY_US}


def has_worker(known: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Whether environment.json, its content being `known`, has what a worker under the entry found.
    True where there is no such file, for nothing is to be added then."""
    if not known:
        return True
    place = _place(known, entry)
    return place is not None and "worker" in entries(known)[place]


def put_on_record(run: Path, entry: Mapping[str, Any]) -> str:
    """The entry's `identity`, after it has been added to the run's environment.json: such as of a
    node of a cluster, or of code that was edited or updated while the run goes on."""
    if _place(read_record(run / "environment.json"), entry) is None:
        keep_entry(run, entry)
    return identity(entry)


def keep_entry(run: Path, entry: Mapping[str, Any]) -> None:
    """Adds an entry, perhaps with a `worker`, to the run's environment.json; not to one that is not
    there.

    Of one that is there already only what its worker found is added. On a full disk the next worker
    is left to do it.
    """
    path = run / "environment.json"
    with contextlib.suppress(OSError), FileLock(run / ".environment.lock"):
        known = read_record(path)
        # What was altered must not be sealed as right.
        if not known or seal_holds(path) is False:
            return
        every = entries(known)
        place = _place(known, entry)
        if place is None:
            every.append({**entry})
        else:
            every[place] = {**entry, **every[place]}
        first, *others = every
        content = {**first, OTHERS: others} if others else first
        content = {**content, LOST: True} if known.get(LOST) else content
        if content != known:
            write_sealed(path, content)


def used(environment: Mapping[str, Any], identities: Iterable[Collection[str]]) -> dict[str, Any]:
    """environment.json's content without what no cell was worked on under.

    identities: of every cell that is done, as its cell.json keeps them; none of one of an earlier
    version, which may have been done under any. What a cell names and is not there was lost, with
    the file or with a backup that was laid over it.
    """
    wanted: set[str] = set()
    for of_cell in identities:
        if not of_cell:
            return dict(environment)
        wanted.update(of_cell)
    every = {identity(entry): entry for entry in reversed(entries(environment))}
    found = [entry for name, entry in every.items() if name in wanted]
    if not wanted:
        return dict(environment)
    # `worker`: somebody worked under each of these.
    whole = joined([{"worker": {}, **entry} for entry in reversed(found)])
    return {**whole, LOST: True} if wanted - every.keys() else whole


def entries(known: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entry of every environment in the content of environment.json, the latest first."""
    own = {name: value for name, value in known.items() if name not in (OTHERS, LOST)}
    return [own, *({**other} for other in known.get(OTHERS, []))]


def _place(known: Mapping[str, Any], entry: Mapping[str, Any]) -> int | None:
    """Which of the entries has the same identity."""
    wanted = identity(entry)
    return next((n for n, one in enumerate(entries(known)) if identity(one) == wanted), None)


def machine(environment: Mapping[str, Any]) -> str:
    """What costs depend on, as one word to compare; of GPUs their names, for clocks come and go."""
    names = [gpu.get("name") for gpu in environment.get("gpus") or []]
    kind = str(environment.get("device")).partition(":")[0]
    return digest([names, environment.get("processor"), environment.get("cores"), kind], 16)


def this_machine(device: str, threads: int) -> str:
    """What times depend on here, as one word to compare: `machine` and the number of threads."""
    return digest([machine(_hardware(device)), threads], 16)


def in_words(environment: Mapping[str, Any]) -> str:
    """The machine for people, `cuda, NVIDIA A100, AMD EPYC 7763, 64 cores`; `unknown` without."""
    kind = str(environment.get("device") or "").partition(":")[0]
    names = dict.fromkeys(str(gpu.get("name")) for gpu in environment.get("gpus") or [])
    cores = environment.get("cores")
    words = [kind, *names, environment.get("processor"), f"{cores} cores" if cores else None]
    return ", ".join(str(word) for word in words if word) or "unknown"


def machines(environment: Mapping[str, Any]) -> list[str]:
    """The unlike machines that cells of a run were done on, each in words.

    environment: content of environment.json. A machine that only started the run is none of them;
    one that gave its cells other threads or batches at another time is two, and so is a CPU that
    another number of cells shared. With different cards in one machine each is one of its own, for
    any cell may have had any.
    """
    every = [environment, *environment.get(OTHERS, [])] if environment else []
    worked = [one for one in every if "worker" in one] or every
    found: dict[str, str] = {}
    for one in worked:
        cards = {gpu.get("name"): gpu for gpu in one.get("gpus") or []}
        apart = len(cards) > 1 and (one.get("cells_at_a_time") or 1) > 1
        for kind in [{**one, "gpus": [gpu]} for gpu in cards.values()] if apart else [one]:
            shares = [(kind.get("threads_per_cell"), "thread", "a cell")]
            if str(kind.get("device")).startswith("cpu"):
                shares.append((kind.get("cells_at_a_time"), "cell", "at a time"))
            batches = kind.get("pictures_at_once") or {}
            shares += [(n, "picture", f"at once in {stage}") for stage, n in batches.items()]
            told = [f"{n} {what}{'' if n == 1 else 's'} {each}" for n, what, each in shares if n]
            found.setdefault(digest([machine(kind), told], 16), ", ".join([in_words(kind), *told]))
    if environment.get(LOST):
        found[LOST] = "not known, for its record was damaged or lost"
    return [*found.values()]


def software(*environments: Mapping[str, Any]) -> list[str]:
    """The unlike code, packages and variables that cells may have been made with, each in words.

    A cell's key covers its method and metrics; all else that rounds or reckons otherwise is told by
    this alone. environments: contents of environment.json, one for each run.
    """
    # Also what only began a run: a training that it left half done was gone on with.
    every = [entry for one in environments if one for entry in entries(one)]
    # The same code may come from a clone here and from a wheel there.
    commits = {one.get("code"): one["git_commit"] for one in every if one.get("git_commit")}
    known: dict[str, dict[str, str]] = {}
    for one in every:
        code = one.get("code")
        commit = commits.get(code)
        told = {"code": f"code {code}" + (f" (commit {commit[:12]})" if commit else "")}
        told |= {name: f"{name} {version}" for name, version in (one.get("packages") or {}).items()}
        if kernels := (one.get("determinism") or {}).get("kernels"):
            told["kernels"] = f"kernels: {kernels}"
        told |= {name: f"{name}={value}" for name, value in _variables(one).items()}
        if code:
            known.setdefault(digest([code, told], 16), told)
    names = dict.fromkeys(name for told in known.values() for name in told)
    alike = {name for name in names if len({told.get(name) for told in known.values()}) == 1}
    return [
        ", ".join(told.get(name, f"no {name}") for name in names if name not in alike)
        for told in known.values()
    ]


def joined(environments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The first environment, with all others under `OTHERS`, each once.

    Of two that are the same the earlier tells, and the later adds what only it knows, such as what
    a worker found. One machine with other packages is another environment: cells that were done
    before an update must not seem to come from after it.
    """
    known: dict[str, dict[str, Any]] = {}
    lost = any(environment.get(LOST) for environment in environments)
    for environment in environments:
        for one in entries(environment):
            if not one:
                continue
            name = identity(one)
            known[name] = {**one, **known.get(name, {})}
    first, *others = [*known.values()] or [{}]
    whole = {**first, OTHERS: others} if others else first
    return {**whole, LOST: True} if lost else whole


def record_environment(run: Path, new: Mapping[str, Any]) -> None:
    """Writes the run's environment.json; what was used before stays in it, and so does that it is
    not known, where the file is gone or not as it was written."""
    path = run / "environment.json"
    run.mkdir(parents=True, exist_ok=True)
    with FileLock(run / ".environment.lock"):
        known = recorded_environment(run)
        write_sealed(path, joined([new, known] if known else [new]))


def record_loss(run: Path) -> None:
    """Writes that it is not known what cells ran on, where they are there and the file is gone."""
    path = run / "environment.json"
    if path.is_file():
        return
    with FileLock(run / ".environment.lock"):
        if not path.is_file() and (lost := recorded_environment(run)):
            write_sealed(path, lost)


def recorded_environment(run: Path) -> dict[str, Any]:
    """environment.json of a run for what is to be written; `LOST` alone where it cannot be trusted
    or is missing though there are cells. Empty for a new run."""
    path = run / "environment.json"
    known = read_record(path)
    if seal_holds(path) is False or (not known and any(run.glob("cells/*/cell.json"))):
        return {LOST: True}
    return known


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
