"""TextBoost v1: fine-tune the text encoder alone, and keep what it knew.

"TextBoost: Towards One-Shot Personalization of Text-to-Image Models via Fine-tuning Text
Encoder", arXiv 2409.08248v1. The algorithm is the library's `textboost.training.train`, which
reads in the paper's order; this file has its numbers and where they come from.

No gradient reaches a weight of the UNet, but it passes through the UNet on its way to the text
encoder, so the UNet's activations are kept as in a fine-tuning of the UNet: at 512 px, fp16 and
batch 8 on SD 1.5 about 7.8 GiB (predicted), against 2.0 GiB for all weights.

AdamW (betas 0.9 and 0.999, eps 1e-8, weight decay 1e-2) at a constant rate without warm-up,
as in the authors' code (`textboost.loop.adamw`).

Adapters start with Gaussian A and zero B, alpha equal to the rank, no dropout
(`textboost.adapters`). Prompts for knowledge preservation are this project's own captions
(`datasets/prompts`, on the toy world its own), where the authors take those of InstructPix2Pix.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from methods.interface import Method, Task, TrainResult, fill
from methods.model_card import token_folder_lines, token_lines
from textboost import Recipe
from textboost.recipe import ALL_LINEAR

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline


@dataclass(frozen=True)
class TextBoostSettings(Recipe):
    """Defaults: the paper's claims, with the numbers of the code of its time (2024-09-13)."""

    # Section 4, implementation details: 250 steps with batch 8 on one A6000.
    steps: int = 250
    batch_size: int = 8
    # LoRA of rank 4 on all six linear layers of the text encoder (the "0.7M" of the reviews).
    adapter: str = "lora"
    rank: int = 4
    targets: tuple[str, ...] = ALL_LINEAR
    learning_rate: float = 5e-5
    max_gradient_norm: float = 1.0
    # One row per sub-word of "descriptor class noun"; rows may grow to any length.
    token_learning_rate: float = 1e-3
    vectors: int = 0
    max_row_norm: float | str = 0.0
    # Technique 1, augmentation tokens: three independent draws, each with p = 0.8.
    augmentation_tokens: bool = True
    augmentation: str = "paper-time"
    augmentation_probability: float = 0.8
    augmentation_vectors: int = 0
    # Technique 2, knowledge preservation: lambda = 0.1, 8 prompts a step, 10% empty, 10% class.
    knowledge_preservation: bool = True
    preservation_weight: float = 0.1
    prior_batch_size: int = 8
    null_probability: float = 0.1
    class_probability: float = 0.1
    # Technique 3, SNR-weighted timesteps.
    snr_sampling: bool = True
    # The 27 "imagenet small" templates of Textual Inversion.
    templates: str = "imagenet"


class TextBoost(Method):
    """LoRA on the text encoder and rows for new tokens; UNet and VAE stay as they are."""

    name: ClassVar[str] = "textboost"
    summary: ClassVar[str] = "fine-tunes the text encoder (v1: all three techniques)"
    source: ClassVar[str] = "arXiv 2409.08248v1; the authors' code of 2024-09 and 2025-01"
    changes: ClassVar[str] = "LoRA on the text encoder, rows of new tokens"
    several_concepts: ClassVar[bool] = True
    Settings: ClassVar[type] = TextBoostSettings
    presets: ClassVar[dict[str, dict[str, object]]] = {
        "paper": {},
        # What the public code does (run script of January 2025), quirks included: timesteps are
        # never weighted, the prompt shows the token as a printed list without the class noun,
        # LoRA on q, k, v, rows cut to the table's mean length, outputs for start-of-text and
        # the empty prompt held. Three tokens of its augmentation set are in no prompt.
        "release": {
            "learning_rate": 1e-4,
            "targets": ("q_proj", "k_proj", "v_proj"),
            "augmentation": "release",
            "augmentation_probability": 0.5,
            "snr_sampling": False,
            "max_row_norm": "mean",
            "quoted_prompt": True,
            "fixed_start": True,
        },
        # Styles: 150 steps of batch 4, and only changes that leave a style what it is.
        "style": {
            "steps": 150,
            "batch_size": 4,
            "learning_rate": 1e-4,
            "augmentation": "style",
            "templates": "style",
        },
        # The paper with one technique off each: the ablation.
        "no-augmentation-tokens": {"augmentation_tokens": False},
        "no-knowledge-preservation": {"knowledge_preservation": False},
        "no-snr-sampling": {"snr_sampling": False},
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
        self, pipe: DiffusionPipeline, task: Task, settings: TextBoostSettings
    ) -> TrainResult:
        """Denoise augmented photos under prompts that name subject, class and augmentation."""
        from textboost.training import Concept, train

        return train(
            pipe,
            [Concept(c.photos, c.class_noun, c.descriptor) for c in task.concepts],
            recipe=settings,
            captions=task.prior_prompts,
            seed=task.seed,
            resolution=task.resolution,
            compute=task.compute,
            report=task.report,
        )

    def save(
        self, pipe: DiffusionPipeline, task: Task, settings: TextBoostSettings, folder: Path
    ) -> None:
        """LoRA and placeholder, plus the augmentation tokens in a folder of their own."""
        from textboost.training import save

        save(pipe, folder, settings, len(task.concepts))

    def load(
        self, pipe: DiffusionPipeline, task: Task, settings: TextBoostSettings, folder: Path
    ) -> None:
        """Through stock `load_lora_weights` and `load_textual_inversion`."""
        from textboost.training import load

        load(pipe, folder)

    def loading(self, pipe: DiffusionPipeline, task: Task, settings: Recipe) -> str:
        """The adapter, the new tokens, and what prompts can do without."""
        from textboost import tokens
        from textboost.training import AUGMENTATION_FOLDER

        names = tokens.placeholders(settings.placeholder, len(task.concepts))
        words = [(name, tokens.placeholder_file(number)) for number, name in enumerate(names)]
        lines = ["pipe.load_lora_weights(folder)", token_lines(pipe, words)]
        if settings.augmentation_tokens and settings.augmentation_probability > 0:
            lines.append("# Only for prompts that name a change of the photo, such as <grayscale>:")
            lines.append(token_folder_lines(pipe, AUGMENTATION_FOLDER))
        return "\n".join(lines)

    def prompt(self, template: str, task: Task, settings: TextBoostSettings) -> str:
        """ "a {subject} in the jungle" becomes "a <subject> dog in the jungle"."""
        from textboost.training import subject_words

        return fill(template, " and ".join(subject_words(settings, task.concepts)))
