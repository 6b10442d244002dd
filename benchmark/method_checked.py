"""What a method gave can be what it says that it is, before any of it is taken for a result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

from PIL import Image

from benchmark.atomic import files_under
from benchmark.failures import NotFiniteLossError
from textboost.compute import TrainResult


class MethodError(ValueError):
    """A method that gave what cannot be; its author can mend that."""


def check_training(name: str, result: TrainResult) -> None:
    """NotFiniteLossError for the first step whose loss is no number, whatever loop made it;
    MethodError for seconds, pictures and parameters that nothing can have."""
    for step, loss in enumerate(result.losses, 1):
        if not math.isfinite(loss):
            raise NotFiniteLossError(f"step {step}: the loss is {loss}; lower the rate")
    steps = len(result.losses)
    if len(result.step_seconds) != steps:
        raise MethodError(f"{name} gave {len(result.step_seconds)} durations of {steps} steps")
    for step, seconds in enumerate(result.step_seconds, 1):
        if not (math.isfinite(seconds) and seconds >= 0):
            raise MethodError(f"{name} gave {seconds} s for step {step}")
    # A plug-in may give anything, whatever the types say.
    counts: list[Any] = [result.trainable_parameters, result.skipped, *result.step_pictures]
    for count in counts:
        if not isinstance(count, Integral) or count < 0:
            raise MethodError(f"{name} gave {count!r} where a number of things is counted")


def torch_state(device: str) -> dict[str, Any]:
    """Torch's own switches: what changes how everything after it is computed and how fast."""
    import torch

    kinds = dict.fromkeys(("cpu", device.partition(":")[0]))
    return {
        "threads": torch.get_num_threads(),
        "autocast": [kind for kind in kinds if torch.is_autocast_enabled(kind)],
        "gradients": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "default dtype": torch.get_default_dtype(),
        "precision of matrix products": torch.get_float32_matmul_precision(),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "search for cuDNN's fastest kernels": torch.backends.cudnn.benchmark,
    }


def check_torch(name: str, device: str, before: Mapping[str, Any]) -> None:
    """MethodError when torch's switches are not as `torch_state` found them `before`."""
    for switch, now in torch_state(device).items():
        if now != before[switch]:
            raise MethodError(
                f"{name} or a metric left torch's {switch} at {now}, not {before[switch]}: what "
                "follows would be measured and scored otherwise"
            )


def check_saved(name: str, checkpoint: Path) -> None:
    """MethodError when nothing was saved, or a file that is hidden, which would not be kept."""
    files = files_under(checkpoint)
    if not files:
        raise MethodError(f"{name} saved no file")
    for file in files:
        if any(part.startswith(".") for part in file.split("/")):
            raise MethodError(f"{name} saved {file!r}; a file's name must not begin with a dot")


def check_pictures(
    name: str, images: Sequence[Image.Image], wanted: int, resolution: int | None
) -> None:
    """MethodError for another number of pictures than wanted, or one of another size.

    resolution: side in pixels; None: of any size.
    """
    if len(images) != wanted:
        raise MethodError(f"{name} made {len(images)} pictures of {wanted}")
    for image in images:
        if resolution is not None and image.size != (resolution, resolution):
            width, height = image.size
            raise MethodError(
                f"{name} made a picture of {width} by {height} pixels, not {resolution} by "
                f"{resolution}"
            )
