"""Pictures from a pipeline, each a function of its own seed alone.

Every picture has its own generator and its own first noise, drawn on the CPU before pictures are
put into batches: batch size, order and number of workers change nothing that matters (design.md;
protocol.md, traps 2 and 11).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from benchmark.failures import NotFinitePictureError

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from PIL import Image

Item = TypeVar("Item")


@dataclass(frozen=True)
class Sampling:
    """How pictures are sampled. `sampler` is one of `benchmark.config.SAMPLERS`."""

    steps: int
    guidance_scale: float
    sampler: str
    resolution: int
    """Side of the square pictures, in pixels."""


def noise_seed(*parts: object) -> int:
    """A generator's seed, 0 to 2**63 - 1, from the parts' text: (subject, prompt id, seed)."""
    text = "|".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1


def sample(
    pipe: DiffusionPipeline,
    prompts: Sequence[str],
    noise_seeds: Sequence[int],
    sampling: Sampling,
) -> list[Image.Image]:
    """One picture for each prompt and seed, RGB, as one batch. The scheduler is put back after.

    Raises NotFinitePictureError when the backbone gives numbers that are no pixels: turned into a
    picture they would be plain black, and be scored.
    """
    import numpy as np
    import torch

    generators = [torch.Generator("cpu").manual_seed(seed) for seed in noise_seeds]
    side = sampling.resolution // pipe.vae_scale_factor
    shape = (1, pipe.unet.config.in_channels, side, side)
    noise = torch.cat([torch.randn(shape, generator=generator) for generator in generators])
    before = pipe.scheduler
    pipe.scheduler = make_sampler(before, sampling.sampler)
    _, _, eta = sampling.sampler.partition("-eta")
    try:
        result = pipe(
            prompt=list(prompts),
            height=sampling.resolution,
            width=sampling.resolution,
            num_inference_steps=sampling.steps,
            guidance_scale=sampling.guidance_scale,
            generator=generators,
            eta=float(eta or 0),
            latents=noise.to(pipe.device, pipe.unet.dtype),
            output_type="np",
        )
    finally:
        pipe.scheduler = before
    for prompt, pixels in zip(prompts, result.images, strict=True):
        if not np.isfinite(pixels).all():
            raise NotFinitePictureError(
                f'the picture of "{prompt}" is not finite: training diverged or the numbers are '
                "too large for this precision; try a lower learning rate, bf16 or fp32"
            )
    images: list[Image.Image] = pipe.image_processor.numpy_to_pil(result.images)
    return images


def make_sampler(scheduler: Any, name: str) -> Any:
    """A fresh scheduler called `name`, with the noise schedule of the given one."""
    from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

    kinds = {
        "dpm++": DPMSolverMultistepScheduler,
        "ddim": DDIMScheduler,
        "ddim-eta1": DDIMScheduler,
    }
    kind = type(scheduler) if name == "default" else kinds[name]
    return kind.from_config(scheduler.config)


def batches(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    """Consecutive slices of `size` items, the last one perhaps shorter."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


def seed_everything(*parts: object) -> None:
    """Seeds python, numpy and torch, so that a stage does not depend on what ran before it."""
    import random

    import numpy as np
    import torch

    seed = noise_seed(*parts)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
