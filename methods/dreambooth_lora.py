"""DreamBooth-LoRA: DreamBooth with low-rank adapters in the attention in place of the network.

Ruiz et al., "DreamBooth", arXiv 2208.12242, with the adapters of Hu et al., "LoRA", arXiv
2106.09685; with the settings that diffusers publishes for it (examples/dreambooth).

AdamW (betas 0.9 and 0.999, eps 1e-8, weight decay 1e-2) at a constant rate without warm-up,
the published script's defaults (`textboost.loop.adamw`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, ClassVar

import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from methods import prior_preservation
from methods.interface import Method, Task, TrainResult
from methods.prior_preservation import PriorPreservation
from textboost.adapters import FILE, add_lora, save_lora
from textboost.conditioning import layers_read, text_encoders
from textboost.loop import adamw, run, training

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

# Every linear layer of self- and cross-attention.
UNET_TARGETS = ("to_q", "to_k", "to_v", "to_out.0")
TEXT_TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj")


@dataclass(frozen=True)
class DreamBoothLoRASettings(PriorPreservation):
    """Defaults: diffusers' published command (README.md, train_dreambooth_lora.py).

    rank: of the adapters, the script's default; alpha equals it. max_gradient_norm: over all
    adapters. The published command does without prior preservation.
    """

    steps: int = 500
    batch_size: int = 1
    learning_rate: float = 1e-4
    rank: int = 4
    prior_preservation: bool = False
    max_gradient_norm: float = 1.0


class DreamBoothLoRA(Method):
    """LoRA in the UNet's attention, on request in the text encoder's; all else stays as it is."""

    name: ClassVar[str] = "dreambooth-lora"
    summary: ClassVar[str] = "trains low-rank adapters in the UNet's attention on a rare word"
    source: ClassVar[str] = "arXiv 2208.12242, 2106.09685; diffusers examples/dreambooth"
    changes: ClassVar[str] = "LoRA on the UNet's attention, on request on the text encoder's"
    Settings: ClassVar[type] = DreamBoothLoRASettings
    presets: ClassVar[dict[str, dict[str, object]]] = {
        "paper": {},
        # The options of the same script, with the rest of the command as it is.
        "paper-prior": {"prior_preservation": True},
        "paper-text-encoder": {"train_text_encoder": True},
        "paper-prior-text-encoder": {"prior_preservation": True, "train_text_encoder": True},
        # README_sdxl.md, train_dreambooth_lora_sdxl.py at 1024 px: batch 1 with 4 accumulated
        # steps, which is batch 4; the text encoders are frozen.
        "sdxl": {"batch_size": 4},
        # With the text encoder: on so small a network the UNet alone hardly binds a word.
        "toy": {
            "steps": 150,
            "batch_size": 4,
            "learning_rate": 5e-3,
            "train_text_encoder": True,
            "prior_preservation": True,
            "prior_images": 24,
            "prior_batch_size": 4,
        },
    }

    def prepare(
        self, pipe: DiffusionPipeline, task: Task, settings: DreamBoothLoRASettings
    ) -> None:
        """Have the prior pictures made."""
        prior_preservation.class_images(task, settings)

    def train(
        self, pipe: DiffusionPipeline, task: Task, settings: DreamBoothLoRASettings
    ) -> TrainResult:
        """Denoise the photos under the identifier and, beside them, the class without it."""
        rng = Random(task.seed)
        generator = torch.Generator().manual_seed(task.seed)
        with training(pipe):
            # Trained: the adapters, starting from no change, all at one rate. The networks
            # below them are frozen and stay in the pipeline's type.
            parameters = add_lora(pipe.unet, settings.rank, UNET_TARGETS, generator)
            if settings.train_text_encoder:
                pairs = zip(text_encoders(pipe), layers_read(pipe), strict=True)
                for (_, text_encoder), layers in pairs:
                    parameters += add_lora(
                        text_encoder, settings.rank, TEXT_TARGETS, generator, layers
                    )

            # Shown: as in DreamBooth, but for a sharper resize.
            batch = prior_preservation.photos_beside_class(
                pipe, task, settings, rng, generator, Image.Resampling.LANCZOS
            )

            # Loss: the photos' mean error + prior_weight * the class pictures' mean error.
            return run(
                pipe,
                task.compute,
                steps=settings.steps,
                optimizer=adamw([(parameters, settings.learning_rate)], task.compute),
                batch=batch,
                encode=prior_preservation.reader(pipe, settings),
                generator=generator,
                clipped=parameters,
                max_norm=settings.max_gradient_norm,
                report=task.report,
            )

    def save(
        self, pipe: DiffusionPipeline, task: Task, settings: DreamBoothLoRASettings, folder: Path
    ) -> None:
        """All adapters in one file, for `pipe.load_lora_weights`."""
        save_lora(pipe, folder)

    def load(
        self, pipe: DiffusionPipeline, task: Task, settings: DreamBoothLoRASettings, folder: Path
    ) -> None:
        """Through stock `load_lora_weights`.

        Raises ValueError when an adapter in the pipeline is not the file's.
        """
        pipe.load_lora_weights(folder, weight_name=FILE)
        # diffusers passes over what it cannot place: see whether the pipeline holds it all.
        if not _holds(pipe, load_file(folder / FILE)):
            raise ValueError(f"{folder / FILE}: the LoRA did not arrive in the pipeline")

    def loading(self, pipe: DiffusionPipeline, task: Task, settings: DreamBoothLoRASettings) -> str:
        """One line."""
        return "pipe.load_lora_weights(folder)"

    def prompt(self, template: str, task: Task, settings: DreamBoothLoRASettings) -> str:
        """ "a {subject} in the jungle" becomes "a sks dog in the jungle"."""
        return prior_preservation.subject_prompt(template, task, settings)


def _holds(pipe: DiffusionPipeline, file: dict[str, Tensor]) -> bool:
    """Whether the pipeline's adapters would be saved as this very file."""
    networks = [pipe.unet, *(encoder for _, encoder in text_encoders(pipe))]
    if any(weight.is_meta for network in networks for weight in network.parameters()):
        return False  # a factor that the file lacks: diffusers leaves it without a value
    with TemporaryDirectory() as place:
        save_lora(pipe, Path(place))
        arrived = load_file(Path(place) / FILE)
    return arrived.keys() == file.keys() and all(
        torch.equal(value, file[key].to(value.dtype)) for key, value in arrived.items()
    )
