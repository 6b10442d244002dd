"""The untouched text-to-image models that methods personalize.

A new backbone is one entry in `NAMED`; a folder in diffusers' format needs none.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.atomic import checksums, digest
from benchmark.backbones.toy import toy_captions, toy_folder
from benchmark.errors import UserError
from benchmark.paths import data_root
from benchmark.subjects import unknown

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline


@dataclass(frozen=True)
class Named:
    """A backbone with a name of its own."""

    folder: Callable[[], Path]
    captions: Callable[[], Path]
    """Text file of captions in words that the backbone knows, one a line."""
    note: str
    """What reports print beside its numbers."""


def general_captions() -> Path:
    """Everyday captions, for backbones that were trained on everyday pictures."""
    return data_root() / "prompts" / "preservation.txt"


NAMED = {
    "toy": Named(
        toy_folder,
        toy_captions,
        "toy world: a drawn 64 px universe; its numbers are not comparable with any paper's",
    ),
}

WEIGHTS_AND_CONFIGS = (".safetensors", ".json", ".txt")


@dataclass(frozen=True)
class Backbone:
    """A Stable-Diffusion-shaped pipeline in diffusers' folder format."""

    name: str
    folder: Path
    revision: str
    """First 12 hex digits of the SHA-256 over the checksums of its files."""
    resolution: int
    """Side in pixels of the pictures it was trained on."""
    note: str
    captions_file: Path

    def captions(self) -> tuple[str, ...]:
        """General captions that a method may train on so as not to forget what is known."""
        lines = self.captions_file.read_text(encoding="utf-8").splitlines()
        return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))

    def load(self, device: str, precision: str) -> StableDiffusionPipeline:
        """A fresh pipeline on `device`, its weights in "fp32", "fp16" or "bf16"."""
        import torch
        from diffusers import StableDiffusionPipeline
        from diffusers.utils import logging as diffusers_logging
        from transformers.utils import logging as transformers_logging

        diffusers_logging.disable_progress_bar()
        transformers_logging.disable_progress_bar()

        dtype = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
        pipe: StableDiffusionPipeline = StableDiffusionPipeline.from_pretrained(
            self.folder,
            dtype=dtype,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
            local_files_only=True,
        )
        pipe.set_progress_bar_config(disable=True)
        pipe = pipe.to(device)
        # Convolutions on the CPU and on tensor cores are several times faster in this layout.
        pipe.unet.to(memory_format=torch.channels_last)
        pipe.vae.to(memory_format=torch.channels_last)
        return pipe


@lru_cache
def open_backbone(name: str) -> Backbone:
    """The backbone called `name`, or in the folder `name`; UserError when there is none."""
    if name in NAMED:
        known = NAMED[name]
        folder, captions, note = known.folder(), known.captions(), known.note
    elif Path(name).is_dir():
        folder, captions, note = Path(name).resolve(), general_captions(), "local folder"
    else:
        raise UserError(f"{unknown('backbone', name, list(NAMED))}, or a folder made by diffusers")
    if not (folder / "model_index.json").is_file():
        raise UserError(
            f"backbone {name!r}: {folder} has no model_index.json; expected a pipeline saved by "
            "diffusers (save_pretrained)"
        )
    files = checksums(folder, lambda file: file.endswith(WEIGHTS_AND_CONFIGS))
    return Backbone(name, folder, digest(files, 12), _resolution(folder), note, captions)


def _resolution(folder: Path) -> int:
    """Latent side times the VAE's factor, which halves once between two of its levels."""
    unet, vae = (_config(folder, part) for part in ("unet", "vae"))
    halvings = len(vae["block_out_channels"]) - 1
    return int(unet["sample_size"]) << halvings


def _config(folder: Path, part: str) -> dict[str, Any]:
    path = folder / part / "config.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read ({error}); expected a pipeline saved by diffusers"
        ) from error
    return content
