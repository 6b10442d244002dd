"""Textual Inversion: describe the subject by a new word, and change nothing else.

Gal et al., "An Image is Worth One Word", arXiv 2208.01618, section 4; with the settings that
diffusers publishes for it (examples/textual_inversion).

AdamW (betas 0.9 and 0.999, eps 1e-8, weight decay 1e-2) at a constant rate without warm-up,
the published script's defaults (`textboost.loop.adamw`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, ClassVar

import torch
from PIL import Image

from methods.interface import Method, Task, TrainResult, fill
from methods.model_card import token_lines
from textboost import tokens
from textboost.conditioning import encode
from textboost.loop import Batch, Latents, adamw, run, training
from textboost.photos import mirrored, shuffled
from textboost.prompts import TEMPLATES

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline


@dataclass(frozen=True)
class TextualInversionSettings:
    """Defaults: diffusers' published command.

    learning_rate and batch_size: the command trains at 5e-4 with batch 1 and 4 accumulated steps
    and multiplies the rate by 4, which is batch 4 at 2e-3. vectors: rows of the table the word
    takes up. flip_probability: of showing the photo mirrored. templates: "imagenet" for objects
    and animals, "style" for styles.
    """

    steps: int = 3000
    batch_size: int = 4
    learning_rate: float = 2e-3
    vectors: int = 1
    flip_probability: float = 0.5
    templates: str = "imagenet"
    placeholder: str = "<subject>"


class TextualInversion(Method):
    """One new embedding row; UNet, VAE and the text encoder stay as they are."""

    name: ClassVar[str] = "textual-inversion"
    summary: ClassVar[str] = "learns the embedding of one new word"
    source: ClassVar[str] = "arXiv 2208.01618; diffusers examples/textual_inversion"
    changes: ClassVar[str] = "the new word's rows of the embedding table"
    several_concepts: ClassVar[bool] = True
    Settings: ClassVar[type] = TextualInversionSettings
    presets: ClassVar[dict[str, dict[str, object]]] = {
        "paper": {},
        # Never mirrored: no drawing that the toy backbone was trained on is.
        "toy": {
            "steps": 150,
            "learning_rate": 7e-3,
            "vectors": 3,
            "flip_probability": 0.0,
        },
    }

    def train(
        self, pipe: DiffusionPipeline, task: Task, settings: TextualInversionSettings
    ) -> TrainResult:
        """Learn the rows by denoising the photos under prompts with the new word."""
        rng = Random(task.seed)
        generator = torch.Generator().manual_seed(task.seed)
        words = tokens.placeholders(settings.placeholder, len(task.concepts))
        with training(pipe):
            # Trained: each concept's rows. They start from the class noun, a single row (of
            # several sub-words the mean) repeated. The noun's last word stands for it ("animal"
            # for "stuffed animal"), as the published script accepts one word only.
            new = []
            for word, concept in zip(words, task.concepts, strict=True):
                start = tokens.initial_rows(pipe, concept.class_noun.split()[-1], vectors=1)
                start = [row.repeat(settings.vectors, 1) for row in start]
                new.append(tokens.add_token(pipe, word, start))
            tables = tokens.install(pipe, new)

            # Shown: the photo, pressed into a square, mirrored half of the time; the prompt is
            # one of 27 templates with the word in the subject's place, without the class noun.
            side = (task.resolution, task.resolution)
            photos = [
                (word, photo.resize(side, Image.Resampling.BICUBIC))
                for word, concept in zip(words, task.concepts, strict=True)
                for photo in concept.photos
            ]
            flipped = [mirrored(photo) for _, photo in photos]
            templates = TEMPLATES[settings.templates]
            latents = Latents(pipe, generator)
            order = shuffled(len(photos), rng)

            def batch() -> Batch:
                shown, prompts = [], []
                for _ in range(settings.batch_size):
                    index = next(order)
                    word, photo = photos[index]
                    flip = rng.random() < settings.flip_probability
                    shown.append(((index, flip), flipped[index] if flip else photo))
                    prompts.append(fill(rng.choice(templates), word))
                return Batch(latents.sample(shown), prompts)

            # Loss: the plain denoising error at uniform timesteps; no gradient clipping.
            rows = [table.rows for table in tables]
            result = run(
                pipe,
                task.compute,
                steps=settings.steps,
                optimizer=adamw([(rows, settings.learning_rate)], task.compute),
                batch=batch,
                encode=lambda prompts: encode(pipe, prompts, whole=True),
                generator=generator,
                report=task.report,
            )
            tokens.merge(pipe)
        return result

    def save(
        self,
        pipe: DiffusionPipeline,
        task: Task,
        settings: TextualInversionSettings,
        folder: Path,
    ) -> None:
        """The rows alone, a file per concept, for `pipe.load_textual_inversion`."""
        for word, file in _files(settings, task):
            tokens.save_token(pipe, word, folder / file)

    def load(
        self,
        pipe: DiffusionPipeline,
        task: Task,
        settings: TextualInversionSettings,
        folder: Path,
    ) -> None:
        """Through stock `load_textual_inversion`."""
        for word, file in _files(settings, task):
            tokens.load_token(pipe, word, folder / file)

    def loading(
        self, pipe: DiffusionPipeline, task: Task, settings: TextualInversionSettings
    ) -> str:
        """The new words."""
        return token_lines(pipe, _files(settings, task))

    def prompt(self, template: str, task: Task, settings: TextualInversionSettings) -> str:
        """ "a {subject} in the jungle" becomes "a <subject> in the jungle"."""
        return fill(template, " and ".join(word for word, _ in _files(settings, task)))


def _files(settings: TextualInversionSettings, task: Task) -> list[tuple[str, str]]:
    """The new words with the names of their files."""
    words = tokens.placeholders(settings.placeholder, len(task.concepts))
    return [(word, tokens.placeholder_file(number)) for number, word in enumerate(words)]
