"""Textual Inversion: describe the subject by a new word, and change nothing else.

Gal et al., "An Image is Worth One Word", arXiv 2208.01618, section 4; with the settings that
diffusers publishes for it (examples/textual_inversion).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from PIL import Image

from methods.interface import Method, Task, TrainResult, fill
from methods.loop import Batch, Latents, adamw, run, training
from methods.photos import mirrored, shuffled
from methods.prompts import IMAGENET_SMALL
from textboost import tokens

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

FILE = "learned_embeds.safetensors"


@dataclass(frozen=True)
class TextualInversionSettings:
    """Defaults: diffusers' published command.

    learning_rate and batch_size: the command trains at 5e-4 with batch 1 and 4 accumulated steps
    and multiplies the rate by 4, which is batch 4 at 2e-3. vectors: rows of the table the word
    takes up. flip_probability: of showing the photo mirrored.
    """

    steps: int = 3000
    batch_size: int = 4
    learning_rate: float = 2e-3
    vectors: int = 1
    flip_probability: float = 0.5
    placeholder: str = "<subject>"


class TextualInversion(Method):
    """One new embedding row; UNet, VAE and the text encoder stay as they are."""

    name: ClassVar[str] = "textual-inversion"
    summary: ClassVar[str] = "learns the embedding of one new word"
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
        self, pipe: StableDiffusionPipeline, task: Task, settings: TextualInversionSettings
    ) -> TrainResult:
        """Learn the rows by denoising the photos under prompts with the new word."""
        rng = Random(task.seed)
        generator = torch.Generator().manual_seed(task.seed)
        encoder: Any = pipe.text_encoder
        with training(pipe, encoder):
            # Trained: the word's rows. They start from the class noun, a single row (of several
            # sub-words the mean) repeated. The noun's last word stands for it ("animal" for
            # "stuffed animal"), as the published script accepts one word only.
            noun = task.class_noun.split()[-1]
            start = tokens.initial_rows(pipe.tokenizer, encoder, noun, vectors=1)
            start = start.repeat(settings.vectors, 1)
            word = tokens.add_token(pipe.tokenizer, encoder, settings.placeholder, start)
            table = tokens.install(encoder, [word])

            # Shown: the photo, pressed into a square, mirrored half of the time; the prompt is
            # one of 27 templates with the word in the subject's place, without the class noun.
            side = (task.resolution, task.resolution)
            photos = [photo.resize(side, Image.Resampling.BICUBIC) for photo in task.photos]
            flipped = [mirrored(photo) for photo in photos]
            latents = Latents(pipe, generator)
            order = shuffled(len(photos), rng)

            def batch() -> Batch:
                shown, prompts = [], []
                for _ in range(settings.batch_size):
                    index = next(order)
                    flip = rng.random() < settings.flip_probability
                    shown.append(((index, flip), (flipped if flip else photos)[index]))
                    prompts.append(fill(rng.choice(IMAGENET_SMALL), settings.placeholder))
                return Batch(latents.sample(shown), prompts)

            # Loss: the plain denoising error at uniform timesteps; no gradient clipping.
            result = run(
                pipe,
                task,
                steps=settings.steps,
                optimizer=adamw([([table.rows], settings.learning_rate)]),
                batch=batch,
                encode=lambda prompts: tokens.encode(pipe, prompts, whole=True),
                generator=generator,
            )
            tokens.merge(encoder)
        return result

    def save(
        self,
        pipe: StableDiffusionPipeline,
        task: Task,
        settings: TextualInversionSettings,
        folder: Path,
    ) -> None:
        """The rows alone, for `pipe.load_textual_inversion(folder)`."""
        tokens.save_tokens(pipe, [settings.placeholder], folder / FILE)

    def load(
        self,
        pipe: StableDiffusionPipeline,
        task: Task,
        settings: TextualInversionSettings,
        folder: Path,
    ) -> None:
        """Through stock `load_textual_inversion`."""
        tokens.load_tokens(pipe, folder / FILE)

    def prompt(self, template: str, task: Task, settings: TextualInversionSettings) -> str:
        """ "a {subject} in the jungle" becomes "a <subject> in the jungle"."""
        return fill(template, settings.placeholder)
