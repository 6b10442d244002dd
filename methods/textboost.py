"""TextBoost v1: fine-tune the text encoder alone, and keep what it knew.

"TextBoost: Towards One-Shot Personalization of Text-to-Image Models via Fine-tuning Text
Encoder", arXiv 2409.08248v1, with the settings of the authors' code of that time. The parts are
in the library `textboost`; this file puts them together in the paper's order.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from methods.interface import Method, Task, TrainResult, fill
from methods.loop import Batch, Latents, adamw, run, training
from methods.photos import cropped, shrunk, shuffled
from methods.prompts import IMAGENET_SMALL
from textboost import adapters, augmentation, timesteps, tokens, train

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from torch import Tensor

# Photos are augmented at four times the resolution at most. The smallest crop is 28% of a side,
# so no detail is lost that training could see, and large photos cost no more than small ones.
AUGMENTATION_SCALE = 4


@dataclass(frozen=True)
class TextBoostSettings:
    """Defaults: the paper's claims with the settings of the code of its time (2024-09-13).

    Switches, one per technique: augmentation_tokens (False: the photos are augmented all the
    same, but no token names it), knowledge_preservation, snr_sampling (False: uniform
    timesteps). learning_rate: of the LoRA; token_learning_rate: of the new rows.
    augmentation_probability: of each of three independent operations; 0: no augmentation.
    preservation_weight: lambda. null_probability, class_probability: of an empty prompt and of
    a prompt with the class noun among the `prior_batch_size` prompts of the preservation loss.
    vectors, augmentation_vectors: the most rows per token, 0: one per sub-word.
    max_gradient_norm: over the LoRA.
    """

    steps: int = 250
    batch_size: int = 8
    learning_rate: float = 5e-5
    token_learning_rate: float = 1e-3
    rank: int = 4
    targets: tuple[str, ...] = adapters.ALL_LINEAR
    augmentation_tokens: bool = True
    augmentation_probability: float = 0.8
    knowledge_preservation: bool = True
    preservation_weight: float = 0.1
    prior_batch_size: int = 8
    null_probability: float = 0.1
    class_probability: float = 0.1
    snr_sampling: bool = True
    max_gradient_norm: float = 1.0
    placeholder: str = "<subject>"
    vectors: int = 0
    augmentation_vectors: int = 0


class TextBoost(Method):
    """LoRA on the text encoder and rows for new tokens; UNet and VAE stay as they are."""

    name: ClassVar[str] = "textboost"
    summary: ClassVar[str] = "fine-tunes the text encoder (v1: all three techniques)"
    Settings: ClassVar[type] = TextBoostSettings
    presets: ClassVar[dict[str, dict[str, object]]] = {
        "paper": {},
        # One row per augmentation token: a context of 32 has no room for more. Fewer changes to
        # the photo: the toy backbone has never seen a grid, a hole or a picture upside down.
        "toy": {
            "steps": 90,
            "batch_size": 4,
            "learning_rate": 5e-4,
            "token_learning_rate": 5e-3,
            "augmentation_vectors": 1,
            "augmentation_probability": 0.3,
        },
    }

    def train(
        self, pipe: StableDiffusionPipeline, task: Task, settings: TextBoostSettings
    ) -> TrainResult:
        """Denoise augmented photos under prompts that name subject, class and augmentation."""
        rng = Random(task.seed)
        prior_rng = Random(task.seed)  # its own, so that no technique shifts another's draws
        generator = torch.Generator().manual_seed(task.seed)
        encoder: Any = pipe.text_encoder
        with training(pipe, encoder):
            # Trained: LoRA on every linear layer of the text encoder, starting from no change;
            # the subject's token, starting from its description ("red backpack"), and the
            # augmentation tokens, starting from what they name.
            student = train.begin(
                pipe,
                placeholder=settings.placeholder,
                initialiser=f"{task.descriptor} {task.class_noun}",
                augmentation_tokens=_named(settings),
                generator=generator,
                rank=settings.rank,
                targets=settings.targets,
                vectors=settings.vectors,
                augmentation_vectors=settings.augmentation_vectors,
            )

            # Technique 1, augmentation tokens: each change to the photo is named in the prompt.
            side = task.resolution
            photos = [
                shrunk(photo, min(min(photo.size), AUGMENTATION_SCALE * side))
                for photo in task.photos
            ]
            latents = Latents(pipe, generator)
            order = shuffled(len(photos), rng)

            def batch() -> Batch:
                shown, prompts = [], []
                for _ in range(settings.batch_size):
                    photo = photos[next(order)]
                    changed = augmentation.augment(photo, rng, settings.augmentation_probability)
                    template = rng.choice(IMAGENET_SMALL)
                    prompt = self.prompt(template, task, settings)
                    named = augmentation.caption(prompt, changed.tokens, rng)
                    shown.append((None, cropped(shrunk(changed.image, side), side, rng)))
                    prompts.append(named if settings.augmentation_tokens else prompt)
                return Batch(latents.sample(shown), prompts)

            # Technique 2, knowledge preservation: general prompts keep their meaning.
            class_prompts = [fill(template, task.class_noun) for template in IMAGENET_SMALL]
            if settings.knowledge_preservation and not task.prior_prompts:
                raise ValueError("knowledge_preservation needs the task's prior_prompts")

            def preservation() -> Tensor:
                prompts = train.prior_batch(
                    task.prior_prompts,
                    class_prompts,
                    settings.prior_batch_size,
                    prior_rng,
                    settings.null_probability,
                    settings.class_probability,
                )
                return settings.preservation_weight * train.preservation_loss(pipe, prompts)

            # Technique 3, SNR-weighted timesteps: more of the noisy ones, where text matters.
            snr = settings.snr_sampling
            result = run(
                pipe,
                task,
                steps=settings.steps,
                optimizer=adamw(
                    [
                        (student.lora, settings.learning_rate),
                        ([student.rows], settings.token_learning_rate),
                    ]
                ),
                batch=batch,
                encode=lambda prompts: tokens.encode(pipe, prompts, whole=True),
                generator=generator,
                timestep_weights=timesteps.snr_weighted if snr else timesteps.uniform,
                extra_loss=preservation if settings.knowledge_preservation else None,
                clipped=student.lora,
                max_norm=settings.max_gradient_norm,
            )
            train.finish(pipe)
        return result

    def save(
        self, pipe: StableDiffusionPipeline, task: Task, settings: TextBoostSettings, folder: Path
    ) -> None:
        """LoRA and placeholder, plus the augmentation tokens in a small file of their own."""
        train.save(pipe, folder, settings.placeholder, list(_named(settings)))

    def load(
        self, pipe: StableDiffusionPipeline, task: Task, settings: TextBoostSettings, folder: Path
    ) -> None:
        """Through stock `load_lora_weights` and `load_textual_inversion`."""
        train.load(pipe, folder)

    def prompt(self, template: str, task: Task, settings: TextBoostSettings) -> str:
        """ "a {subject} in the jungle" becomes "a <subject> dog in the jungle"."""
        return fill(template, f"{settings.placeholder} {task.class_noun}")


def _named(settings: TextBoostSettings) -> dict[str, str]:
    """The augmentation tokens that training uses, with the words they start from."""
    used = settings.augmentation_tokens and settings.augmentation_probability > 0
    return dict(augmentation.PAPER_TIME) if used else {}
