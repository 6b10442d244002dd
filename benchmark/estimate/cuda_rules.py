"""Mixed precision as a CUDA device does it, on the CPU.

`torch.autocast("cpu")` runs the same products in half precision as on CUDA, but leaves some
functions in half precision that CUDA's takes to float32, where they keep float32 copies for the
backward pass. Those that the networks and losses here call are mended. Functions are replaced, not
intercepted, since a mode would be switched off inside `backward`, where checkpointed activations
are computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from benchmark.estimate.weightless import replaced

# Of the functions that https://docs.pytorch.org/docs/stable/amp.html lists for float32, those used.
FLOAT32 = (
    *((torch.nn.functional, name) for name in ("group_norm", "layer_norm", "softmax")),
    *((torch.nn.functional, name) for name in ("cosine_similarity", "mse_loss")),
    (torch, "softmax"),
    (torch, "cosine_similarity"),
    (Tensor, "softmax"),
)
HALVES = (torch.float16, torch.bfloat16)


@contextmanager
def cuda_autocast() -> Iterator[None]:
    """Meanwhile CPU autocast keeps in float32 what CUDA's keeps there."""
    with ExitStack() as stack:
        for owner, name in FLOAT32:
            stack.enter_context(replaced(owner, name, _in_float32(getattr(owner, name))))
        yield


def _in_float32(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not torch.is_autocast_enabled("cpu"):
            return function(*args, **kwargs)
        args = tuple(_wide(value) for value in args)
        kwargs = {name: _wide(value) for name, value in kwargs.items()}
        with torch.autocast("cpu", enabled=False):
            return function(*args, **kwargs)

    return call


def _wide(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.dtype in HALVES else value
