"""What accelerate's environment variables say of the device, for whoever left it to be chosen.

The variables are those of accelerate's documentation. `CUDA_VISIBLE_DEVICES` needs nothing here:
the CUDA driver obeys it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from benchmark.errors import UserError, shown

YES, NO = ("1", "true", "t", "yes", "y", "on"), ("", "0", "false", "f", "no", "n", "off")
DEVICE = re.compile(r"cpu|mps|cuda(:\d+)?")


def accelerate_device(device: str, variables: Mapping[str, str] | None = None) -> str:
    """`device`, unless it is "auto" and accelerate's variables name another.

    `variables` are by default this process's. ACCELERATE_USE_CPU comes before
    ACCELERATE_TORCH_DEVICE. UserError for a value that is not understood, and in one of several
    processes that `accelerate launch` or torchrun started: each would do the whole run.
    """
    found = os.environ if variables is None else variables
    processes = found.get("WORLD_SIZE", "1")
    if "LOCAL_RANK" in found and processes != "1":
        raise UserError(
            f"WORLD_SIZE={processes}: the launcher started several copies of this run, which "
            "spreads its cells itself; start tbbench without it, or with --num_processes 1"
        )
    if device != "auto":
        return device
    use_cpu = found.get("ACCELERATE_USE_CPU", "").strip().lower()
    if use_cpu in YES:
        return "cpu"
    if use_cpu not in NO:
        raise UserError(f"ACCELERATE_USE_CPU={shown(use_cpu)}: expected true or false")
    named = found.get("ACCELERATE_TORCH_DEVICE", "").strip()
    if named and not DEVICE.fullmatch(named):
        raise UserError(
            f"ACCELERATE_TORCH_DEVICE={shown(named)}: expected cpu, cuda, cuda:N or mps"
        )
    return named or device
