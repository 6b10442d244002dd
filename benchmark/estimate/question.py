"""What is asked of a prediction, and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmark.errors import UserError
from benchmark.subjects import unknown
from textboost.compute import ATTENTION, PRECISIONS

OPTIMIZERS = ("fused", "foreach")
"""Variants of AdamW that can be predicted; the 8-bit one's kernels know no fake tensors."""
KINDS = {
    "trainable_parameters": "exact",
    "checkpoint_bytes": "exact",
    "flops_per_step": "analytic",
    "peak_bytes": "predicted",
}
"""How each figure came about."""
MEMORY_NOTE = "live tensor bytes, without CUDA context, workspaces and fragmentation"


class RefusedError(UserError):
    """The question is clear, and the method cannot do what it asks about."""


@dataclass(frozen=True)
class Question:
    """One training on one device, as `textboost.compute.Compute` and a run's [training] have it.

    batch: pictures that a step shows, class pictures of prior preservation among them, which take
    half; None: as many as the preset says. resolution: side of the pictures in pixels; None: what
    the backbone was made for. checkpointing: of the UNet's activations. accumulation: in how many
    parts a step's pictures go through the networks. cached_latents: no picture goes through the
    VAE in a step, as when all of them come again unchanged; otherwise all do. settings: single
    fields of the preset, changed.
    Raises UserError for a value that is none of those known.
    """

    method: str
    preset: str = "paper"
    backbone: str = "sd15"
    batch: int | None = None
    resolution: int | None = None
    precision: str = "fp16"
    attention: str = "sdpa"
    optimizer: str = "fused"
    checkpointing: bool = False
    accumulation: int = 1
    cached_latents: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, known in (
            ("precision", PRECISIONS),
            ("attention", ATTENTION),
            ("optimizer", OPTIMIZERS),
        ):
            value = getattr(self, name)
            if value not in known:
                raise UserError(unknown(name, value, known))
        if self.batch is not None and self.batch < 1:
            raise UserError(f"batch {self.batch}: expected 1 or more")
        if self.accumulation < 1:
            raise UserError(f"accumulation {self.accumulation}: expected 1 or more")
        if self.resolution is not None and (self.resolution < 8 or self.resolution % 8):
            raise UserError(f"resolution {self.resolution}: expected a multiple of 8")


@dataclass(frozen=True)
class Prediction:
    """The answer. trainable_parameters and checkpoint_bytes are exact, flops analytic, by
    component, peak_* predicted; `KINDS`, `MEMORY_NOTE`.

    batch: pictures a step shows, class_pictures of them of prior preservation. peak_phase: "vae",
    "forward", "backward" or "optimizer". peak_split: weights, gradients, optimizer, activations,
    at the instant of the peak. vae_precision: the VAE's type ("fp32" for SDXL in fp16).
    """

    method: str
    preset: str
    backbone: str
    batch: int
    class_pictures: int
    resolution: int
    precision: str
    vae_precision: str
    attention: str
    optimizer: str
    checkpointing: bool
    cached_latents: bool
    trainable_parameters: int
    checkpoint_bytes: int
    flops: Mapping[str, int]
    flops_per_step: int
    peak_bytes: int
    peak_phase: str
    peak_split: Mapping[str, int]


def with_batch(settings: Any, batch: int | None) -> tuple[Any, int]:
    """A method's settings with a step of so many pictures, and how many of them show the class.

    Methods with prior preservation say so by `prior_preservation` and `prior_batch_size`, or by
    `prior_images` alone: then a step has as many class pictures as photos.
    Raises ValueError for a batch that cannot be halved between the two.
    """
    from dataclasses import fields, replace

    names = {one.name for one in fields(settings)}
    apart = "prior_preservation" in names and settings.prior_preservation
    alike = not apart and getattr(settings, "variant", "") == "diffusers" and settings.prior_images
    if apart:
        own, prior = settings.batch_size, settings.prior_batch_size
    else:
        own, prior = settings.batch_size, settings.batch_size if alike else 0
    if batch is not None:
        if prior and batch % 2:
            raise ValueError(f"{batch} pictures cannot be halved between photos and class pictures")
        own, prior = (batch // 2, batch // 2) if prior else (batch, 0)
    changed: dict[str, Any] = {"batch_size": own}
    if apart:
        changed["prior_batch_size"] = prior
    if "prior_images" in names and settings.prior_images:
        # One picture stands for all of them.
        changed["prior_images"] = max(1, prior)
    return replace(settings, **changed), prior
