"""The part of environment.json that only torch knows, as it is where cells are worked on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmark.atomic import read_record
from benchmark.environment import package_version, this_machine
from benchmark.environment_record import has_worker, keep_entry
from methods.versions import version_of
from textboost.compute import PRECISIONS

DRAW = ("torch", "diffusers", "transformers", "numpy", "pillow")
"""Packages that draw pictures."""
HEADS, TOKENS, HEAD_SIZE = 8, 64, 40
"""Of the tensors that attention is asked about: Stable Diffusion 1's outermost block, smaller."""


def be_deterministic() -> None:
    """Makes torch take deterministic kernels and raise RuntimeError where there is none.

    To be called before anything runs on a GPU: cuBLAS reads its variable once, when it starts. Of
    the two values that make it deterministic this is the quicker one, for 24 MiB of memory.
    """
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    import torch

    torch.use_deterministic_algorithms(True)
    cudnn: Any = torch.backends.cudnn
    cudnn.deterministic = True
    cudnn.benchmark = False


def record_worker(run: Path, entry: Mapping[str, Any]) -> None:
    """Adds `worker` to the entry in the run's environment.json, unless it is there.

    Called when a worker is done with its cell: asking wakes libraries up, and a cell whose
    libraries were awake would be measured as quicker than the others.
    """
    if not has_worker(read_record(run / "environment.json"), entry):
        keep_entry(run, {**entry, "worker": torch_environment(str(entry["device"]))})


def made_with(module: str, device: str, packages: Sequence[str] = DRAW) -> list[object]:
    """What the bits of a picture or an embedding depend on beside what was asked for, and its
    seconds too: this machine, the threads and kernels that torch may use now, the packages, and the
    code of the module that makes it with all that it imports of the harness. What is kept under a
    name that has this in it comes out as if it had been made anew."""
    import torch

    return [
        this_machine(device, torch.get_num_threads()),
        torch.are_deterministic_algorithms_enabled(),
        _loaded(module, tuple(packages)),
    ]


@lru_cache
def _loaded(module: str, packages: tuple[str, ...]) -> list[str | None]:
    """Versions of the packages and of the module: a process loads them once."""
    return [*map(package_version, packages), version_of(module, ("benchmark",))]


def torch_environment(device: str) -> dict[str, Any]:
    """Versions, the attention kernel, and every switch that trades exactness for speed."""
    import torch

    cudnn: Any = torch.backends.cudnn
    matmul: Any = torch.backends.cuda.matmul
    facts: dict[str, Any] = {
        "device": device,
        "threads": torch.get_num_threads(),
        "torch_cuda": torch.version.cuda,
        "cudnn": cudnn.version(),
        "attention": {name: attention_backend(device, name) for name in PRECISIONS},
        "determinism": {
            "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
            "cudnn_deterministic": cudnn.deterministic,
            "cudnn_benchmark": cudnn.benchmark,
            "cublas_workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
        },
        "precision": {
            "float32_matmul": torch.get_float32_matmul_precision(),
            "tf32_matmul": matmul.allow_tf32,
            "tf32_cudnn": cudnn.allow_tf32,
            "fp16_sums": matmul.allow_fp16_reduced_precision_reduction,
            "bf16_sums": matmul.allow_bf16_reduced_precision_reduction,
        },
    }
    if device.startswith("cuda"):
        properties = torch.cuda.get_device_properties(device)
        facts["gpu"] = {
            "name": properties.name,
            "memory_bytes": properties.total_memory,
            "compute_capability": f"{properties.major}.{properties.minor}",
            "allocator": torch.cuda.get_allocator_backend(),
        }
    return facts


def attention_backend(device: str, precision: str) -> str | None:
    """The kernel that `scaled_dot_product_attention` takes in training, such as FLASH_ATTENTION.

    None where torch does not tell, which is a private question to it.
    """
    import torch
    from torch.nn.attention import SDPBackend

    types = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    with contextlib.suppress(AttributeError, RuntimeError, ValueError):
        shape = (1, HEADS, TOKENS, HEAD_SIZE)
        query = torch.zeros(shape, dtype=types[precision], device=device, requires_grad=True)
        return str(SDPBackend(torch._fused_sdp_choice(query, query, query)).name)
    return None
