"""What a backbone is to the harness, and how its pipeline is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.backbones.folder import pipeline_class
from benchmark.paths import data_root

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline


def general_captions() -> Path:
    """Everyday captions, for backbones that were trained on everyday pictures."""
    return data_root() / "prompts" / "preservation.txt"


@dataclass(frozen=True)
class Backbone:
    """A Stable-Diffusion-shaped pipeline in diffusers' folder format."""

    name: str
    folder: Path
    revision: str
    """12 hex digits: of the hub's commit, of a blank's recipe, or else of the SHA-256 over the
    checksums of the folder's files."""
    resolution: int
    """Side in pixels of the pictures it was trained on."""
    note: str
    """What reports print beside its numbers."""
    captions_file: Path
    """Text file of captions in words that the backbone knows, one a line."""
    build: Callable[[], None] | None = None
    """Makes `folder` if it is not there yet: loading comes first to it, planning never."""

    def captions(self) -> tuple[str, ...]:
        """General captions that a method may train on so as not to forget what is known."""
        lines = self.captions_file.read_text(encoding="utf-8").splitlines()
        return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))

    def load(
        self, device: str, precision: str
    ) -> StableDiffusionPipeline | StableDiffusionXLPipeline:
        """A fresh pipeline on `device`, its weights in "fp32", "fp16" or "bf16".

        Its class is the one that model_index.json names. UserError when a blank cannot be built.
        """
        import torch
        from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
        from diffusers.utils import logging as diffusers_logging
        from transformers.utils import logging as transformers_logging

        from textboost.conditioning import pool_at_end_of_text

        diffusers_logging.disable_progress_bar()
        transformers_logging.disable_progress_bar()

        if self.build is not None:
            self.build()
        dtype = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
        options: dict[str, Any] = {
            "dtype": dtype,
            "feature_extractor": None,
            "local_files_only": True,
            "use_safetensors": True,
        }
        pipe: StableDiffusionPipeline | StableDiffusionXLPipeline
        if pipeline_class(self.name, self.folder) == "StableDiffusionXLPipeline":
            # Where the watermark's package is installed, SDXL would write one into each picture.
            pipe = StableDiffusionXLPipeline.from_pretrained(
                self.folder, add_watermarker=False, **options
            )
        else:
            pipe = StableDiffusionPipeline.from_pretrained(
                self.folder, safety_checker=None, requires_safety_checker=False, **options
            )
        pipe.set_progress_bar_config(disable=True)
        pipe = pipe.to(device)
        # Convolutions on the CPU and on tensor cores are several times faster in this layout.
        pipe.unet.to(memory_format=torch.channels_last)
        pipe.vae.to(memory_format=torch.channels_last)
        pool_at_end_of_text(pipe)
        return pipe
