"""DreamBooth: tie the subject to a rare word by fine-tuning the whole UNet.

Ruiz et al., "DreamBooth", arXiv 2208.12242, sections 3.2 and 3.3; with the settings that
diffusers publishes for it (examples/dreambooth).

AdamW (betas 0.9 and 0.999, eps 1e-8, weight decay 1e-2) at a constant rate without warm-up,
the published script's defaults (`textboost.loop.adamw`).

Prior images are sampled in 50 steps at guidance 7.5 by the backbone's own scheduler, the
script's defaults; a run may choose otherwise under [prior], for all methods alike.

In bf16 the trained network itself is loaded and saved in bf16: updates smaller than its
rounding are lost between checkpoint and training. Prefer fp32 for it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from methods import prior_preservation
from methods.interface import Method, Task, TrainResult
from methods.prior_preservation import PriorPreservation
from textboost.conditioning import text_encoders
from textboost.loop import adamw, run, training

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline


@dataclass(frozen=True)
class DreamBoothSettings(PriorPreservation):
    """Defaults: diffusers' published command with prior preservation.

    max_gradient_norm: over all trained weights.
    """

    steps: int = 800
    batch_size: int = 1
    learning_rate: float = 5e-6
    max_gradient_norm: float = 1.0


class DreamBooth(Method):
    """The whole UNet, on request the whole text encoder; the identifier is an existing word."""

    name: ClassVar[str] = "dreambooth"
    summary: ClassVar[str] = "fine-tunes the whole UNet on a rare word"
    source: ClassVar[str] = "arXiv 2208.12242; diffusers examples/dreambooth"
    changes: ClassVar[str] = "the UNet, on request the text encoder"
    Settings: ClassVar[type] = DreamBoothSettings
    presets: ClassVar[dict[str, dict[str, object]]] = {
        "paper": {},
        # The other two published commands.
        "paper-no-prior": {"prior_preservation": False, "steps": 400},
        "paper-text-encoder": {"train_text_encoder": True, "learning_rate": 2e-6},
        # With the text encoder: on so small a network the UNet alone hardly binds a word.
        "toy": {
            "steps": 90,
            "batch_size": 4,
            "learning_rate": 5e-4,
            "train_text_encoder": True,
            "prior_images": 24,
            "prior_batch_size": 4,
        },
    }

    def prepare(self, pipe: DiffusionPipeline, task: Task, settings: DreamBoothSettings) -> None:
        """Have the prior pictures made."""
        prior_preservation.class_images(task, settings)

    def train(
        self, pipe: DiffusionPipeline, task: Task, settings: DreamBoothSettings
    ) -> TrainResult:
        """Denoise the photos under the identifier and, beside them, the class without it."""
        rng = Random(task.seed)
        generator = torch.Generator().manual_seed(task.seed)

        # Trained: every weight of the UNet (and of the text encoder), from where they are.
        networks = _trained(pipe, settings).values()
        with training(pipe, *networks):
            parameters = [weight for network in networks for weight in network.parameters()]
            for weight in parameters:
                weight.requires_grad_(True)

            # Shown: the photo, cropped at random, as "a photo of sks dog", and pictures the
            # backbone made before as "a photo of dog".
            batch = prior_preservation.photos_beside_class(
                pipe, task, settings, rng, generator, Image.Resampling.BILINEAR
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
        self, pipe: DiffusionPipeline, task: Task, settings: DreamBoothSettings, folder: Path
    ) -> None:
        """The networks that changed, each for its own stock `from_pretrained`.

        Saved in the type the pipeline holds them in: what is loaded is what was there.
        """
        for name, network in _trained(pipe, settings).items():
            network.save_pretrained(folder / name, safe_serialization=True)
            _forget_origin(folder / name / "config.json")

    def load(
        self, pipe: DiffusionPipeline, task: Task, settings: DreamBoothSettings, folder: Path
    ) -> None:
        """Each network through its stock `from_pretrained`, then into the pipeline's own.

        The pipeline's network stays the same object, so that its device, memory layout and
        attention kernels stay as the harness set them.
        Raises ValueError when the network is not what the file says.
        """
        for name, network in _trained(pipe, settings).items():
            # A stock loader fills in what the file lacks, with no more than a warning.
            saved = _weights(folder / name)
            _compare(folder / name, saved.keys() >= _flat(network.state_dict()).keys())
            loaded = type(network).from_pretrained(folder / name, dtype=network.dtype)
            network.load_state_dict(loaded.state_dict())
            arrived = _flat(network.state_dict())
            same = [
                torch.equal(value.cpu(), saved[key].to(value.dtype))
                for key, value in arrived.items()
            ]
            _compare(folder / name, all(same))

    def loading(self, pipe: DiffusionPipeline, task: Task, settings: DreamBoothSettings) -> str:
        """Each network through its stock `from_pretrained`."""
        lines = []
        for name, network in _trained(pipe, settings).items():
            library, kind = type(network).__module__.partition(".")[0], type(network).__name__
            lines += [
                f"from {library} import {kind}",
                f'pipe.{name} = {kind}.from_pretrained(f"{{folder}}/{name}")',
            ]
        return "\n".join(lines)

    def prompt(self, template: str, task: Task, settings: DreamBoothSettings) -> str:
        """ "a {subject} in the jungle" becomes "a sks dog in the jungle"."""
        return prior_preservation.subject_prompt(template, task, settings)


def _trained(pipe: DiffusionPipeline, settings: DreamBoothSettings) -> dict[str, Any]:
    """The networks that are trained, by the names of their folders."""
    networks = {"unet": pipe.unet}
    if settings.train_text_encoder:
        encoders = [encoder for _, encoder in text_encoders(pipe)]
        networks |= dict(zip(("text_encoder", "text_encoder_2"), encoders, strict=False))
    return networks


def _forget_origin(path: Path) -> None:
    """Take the backbone's folder out of a configuration: a checkpoint is the same everywhere."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config.pop("_name_or_path", None)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _weights(folder: Path) -> dict[str, Tensor]:
    """All weights that a network's folder holds, be it in one file or in several."""
    return _flat(
        {k: v for file in folder.glob("*.safetensors") for k, v in load_file(file).items()}
    )


def _flat(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights by name, without the prefix that text encoders have in older files."""
    return {key.removeprefix("text_model."): value for key, value in state.items()}


def _compare(folder: Path, same: bool) -> None:
    if not same:
        raise ValueError(f"{folder}: the weights are not those of the network; save it again")
