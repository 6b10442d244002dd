"""DreamBooth: tie the subject to a rare word by fine-tuning the whole UNet.

Ruiz et al., "DreamBooth", arXiv 2208.12242, sections 3.2 and 3.3; with the settings that
diffusers publishes for it (examples/dreambooth).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from methods.interface import Method, Task, TrainResult, fill
from methods.loop import Batch, Latents, adamw, run, training
from methods.photos import cropped, shrunk, shuffled
from textboost.tokens import encode

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

TEMPLATE = "a photo of {subject}"


@dataclass(frozen=True)
class DreamBoothSettings:
    """Defaults: diffusers' published command with prior preservation.

    prior_images: pictures of the class by the untouched backbone. prior_weight: lambda of the
    paper's equation 2. prior_batch_size: pictures of the class in each step beside the
    `batch_size` photos. max_gradient_norm: over all trained weights.
    """

    steps: int = 800
    batch_size: int = 1
    learning_rate: float = 5e-6
    identifier: str = "sks"
    prior_preservation: bool = True
    prior_weight: float = 1.0
    prior_images: int = 200
    prior_batch_size: int = 1
    train_text_encoder: bool = False
    max_gradient_norm: float = 1.0


class DreamBooth(Method):
    """The whole UNet, on request the whole text encoder; the identifier is an existing word."""

    name: ClassVar[str] = "dreambooth"
    summary: ClassVar[str] = "fine-tunes the whole UNet on a rare word"
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

    def prepare(
        self, pipe: StableDiffusionPipeline, task: Task, settings: DreamBoothSettings
    ) -> None:
        """Have the prior pictures made."""
        if settings.prior_preservation:
            task.prior_images(fill(TEMPLATE, task.class_noun), settings.prior_images)

    def train(
        self, pipe: StableDiffusionPipeline, task: Task, settings: DreamBoothSettings
    ) -> TrainResult:
        """Denoise the photos under the identifier and, beside them, the class without it."""
        rng = Random(task.seed)
        generator = torch.Generator().manual_seed(task.seed)

        # Trained: every weight of the UNet (and of the text encoder), from where they are.
        networks = _trained(pipe, settings)
        with training(pipe, *networks):
            parameters = [weight for network in networks for weight in network.parameters()]
            for weight in parameters:
                weight.requires_grad_(True)

            # Shown: the photo, cropped at random, as "a photo of sks dog", and pictures the
            # backbone made before as "a photo of dog".
            side = task.resolution
            photos = [shrunk(photo, side, Image.Resampling.BILINEAR) for photo in task.photos]
            priors: list[Image.Image] = []
            class_prompt = fill(TEMPLATE, task.class_noun)
            if settings.prior_preservation:
                made = task.prior_images(class_prompt, settings.prior_images)
                priors = [
                    cropped(shrunk(image, side, Image.Resampling.BILINEAR), side) for image in made
                ]
            prompts = [self.prompt(TEMPLATE, task, settings)] * settings.batch_size
            weights = [1.0 / settings.batch_size] * settings.batch_size
            if priors:
                prompts += [class_prompt] * settings.prior_batch_size
                weights += [settings.prior_weight / settings.prior_batch_size] * (
                    settings.prior_batch_size
                )
            latents = Latents(pipe, generator)
            photo_order = shuffled(len(photos), rng)
            prior_order = shuffled(len(priors), rng)

            def batch() -> Batch:
                shown: list[tuple[tuple[str, int] | None, Image.Image]] = []
                for _ in range(settings.batch_size):
                    index = next(photo_order)
                    photo = photos[index]
                    # A square photo leaves nothing to crop and so comes again unchanged.
                    key = ("photo", index) if photo.width == photo.height else None
                    shown.append((key, cropped(photo, side, rng)))
                if priors:
                    for _ in range(settings.prior_batch_size):
                        index = next(prior_order)
                        shown.append((("prior", index), priors[index]))
                return Batch(latents.sample(shown), prompts, torch.tensor(weights))

            # Two prompts in all: a frozen text encoder has to read each only once.
            @cache
            def frozen_states(prompt: str) -> Tensor:
                with torch.no_grad():
                    return encode(pipe, [prompt], whole=True)

            def states(prompts: list[str]) -> Tensor:
                if settings.train_text_encoder:
                    return encode(pipe, prompts, whole=True)
                return torch.cat([frozen_states(prompt) for prompt in prompts])

            # Loss: the photos' mean error + prior_weight * the class pictures' mean error.
            return run(
                pipe,
                task,
                steps=settings.steps,
                optimizer=adamw([(parameters, settings.learning_rate)]),
                batch=batch,
                encode=states,
                generator=generator,
                clipped=parameters,
                max_norm=settings.max_gradient_norm,
            )

    def save(
        self, pipe: StableDiffusionPipeline, task: Task, settings: DreamBoothSettings, folder: Path
    ) -> None:
        """The networks that changed, each for its own stock `from_pretrained`.

        Saved in the type the pipeline holds them in: what is loaded is what was there.
        """
        for network, name in zip(_trained(pipe, settings), _NAMES, strict=False):
            network.save_pretrained(folder / name, safe_serialization=True)
            _forget_origin(folder / name / "config.json")

    def load(
        self, pipe: StableDiffusionPipeline, task: Task, settings: DreamBoothSettings, folder: Path
    ) -> None:
        """Each network through its stock `from_pretrained`, then into the pipeline's own.

        The pipeline's network stays the same object, so that its device, memory layout and
        attention kernels stay as the harness set them.
        Raises ValueError when the network is not what the file says.
        """
        for network, name in zip(_trained(pipe, settings), _NAMES, strict=False):
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

    def prompt(self, template: str, task: Task, settings: DreamBoothSettings) -> str:
        """ "a {subject} in the jungle" becomes "a sks dog in the jungle"."""
        return fill(template, f"{settings.identifier} {task.class_noun}")


_NAMES = ("unet", "text_encoder")


def _trained(pipe: StableDiffusionPipeline, settings: DreamBoothSettings) -> list[Any]:
    """The networks that are trained, in the order of `_NAMES`."""
    return [pipe.unet, pipe.text_encoder] if settings.train_text_encoder else [pipe.unet]


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
