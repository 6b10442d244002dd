"""A Slurm array script: one task per shard, all into one folder that every node sees."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Array:
    """What the script is to do. `source` to `out` are what `tbbench run` is given."""

    name: str
    source: str
    overrides: tuple[str, ...]
    protocol: str | None
    out: Path
    shards: int
    threads: int
    gpu: bool
    directory: Path
    """Where the command runs, so that relative paths mean what they mean here."""


def script(array: Array) -> str:
    """The script's text. Anything in a name or a path is quoted, for bash and on #SBATCH lines."""
    job = re.sub(r"[^A-Za-z0-9._-]", "-", array.name)
    gpu = ["#SBATCH --gpus-per-task=1"] if array.gpu else []
    lines = [
        "#!/bin/bash",
        f"#SBATCH --job-name=tbbench-{job}",
        f"#SBATCH --array=1-{array.shards}",
        "#SBATCH --ntasks=1",
        f"#SBATCH --cpus-per-task={array.threads}",
        *gpu,
        f"#SBATCH --output=tbbench-{job}-%A-%a.log",
        "# Add what your cluster wants: --partition, --account, --mem, --time.",
        "#",
        "# One task per shard, one folder for all: it must lie on a disk that every node sees.",
        "# Submit it again after a time limit or a lost node: only what is missing is done.",
        "",
        "set -euo pipefail",
        f"cd -- {shlex.quote(str(array.directory))}",
        f'exec {_command(array)} --shard "$SLURM_ARRAY_TASK_ID/{array.shards}"',
    ]
    return "\n".join(lines) + "\n"


def _command(array: Array) -> str:
    words = ["tbbench", "run", array.source]
    for override in array.overrides:
        words += ["--set", override]
    if array.protocol is not None:
        words += ["--protocol", array.protocol]
    words += ["--out", str(array.out), "--workers", "1"]
    return shlex.join(words)
