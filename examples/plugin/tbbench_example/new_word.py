"""Method `new-word`: one row of the embedding table is trained, and nothing else.

The smallest method that trains; Textual Inversion (arXiv 2208.01618) without its refinements.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch

from methods.interface import Method, Task, TrainResult, fill
from methods.model_card import token_lines
from textboost import tokens
from textboost.conditioning import encode
from textboost.loop import Batch, Latents, adamw, run, training

WORD = "<new-word>"
FILE = "new_word.safetensors"


@dataclass(frozen=True)
class NewWordSettings:
    """A configuration may set each of them: `methods.new-word.steps`."""

    steps: int = 500
    learning_rate: float = 5e-3


class NewWord(Method):
    """Learns a word for the subject from its photos."""

    name: ClassVar[str] = "new-word"
    summary: ClassVar[str] = "learns one row of the embedding table"
    source: ClassVar[str] = "after arXiv 2208.01618"
    changes: ClassVar[str] = "the new word's row of the embedding table"
    Settings: ClassVar[type] = NewWordSettings
    presets: ClassVar[dict[str, dict[str, object]]] = {"paper": {}, "toy": {"steps": 60}}

    def train(self, pipe: Any, task: Task, settings: NewWordSettings) -> TrainResult:
        """Denoise the photos under a prompt with the new word."""
        generator = torch.Generator().manual_seed(task.seed)  # all randomness comes from the seed
        side = (task.resolution, task.resolution)
        photos = [(number, photo.resize(side)) for number, photo in enumerate(task.photos)]
        with training(pipe):  # freezes all networks, and tidies up
            start = tokens.initial_rows(pipe, task.class_noun.split()[-1], vectors=1)
            tables = tokens.install(pipe, [tokens.add_token(pipe, WORD, start)])
            latents = Latents(pipe, generator)
            rows = [table.rows for table in tables]
            result = run(
                pipe,
                task.compute,
                steps=settings.steps,
                optimizer=adamw([(rows, settings.learning_rate)], task.compute),
                batch=lambda: Batch(latents.sample(photos), [f"a photo of {WORD}"] * len(photos)),
                encode=lambda prompts: encode(pipe, prompts, whole=True),
                generator=generator,
                report=task.report,
            )
            tokens.merge(pipe)
        return result

    def save(self, pipe: Any, task: Task, settings: NewWordSettings, folder: Path) -> None:
        """The row alone: no more is needed to have the model again."""
        tokens.save_token(pipe, WORD, folder / FILE)

    def load(self, pipe: Any, task: Task, settings: NewWordSettings, folder: Path) -> None:
        """Onto an untouched pipeline: all pictures are made from what was loaded."""
        tokens.load_token(pipe, WORD, folder / FILE)

    def loading(self, pipe: Any, task: Task, settings: NewWordSettings) -> str:
        """For the model card: how to load it without this package."""
        return token_lines(pipe, [(WORD, FILE)])

    def prompt(self, template: str, task: Task, settings: NewWordSettings) -> str:
        """ "a {subject} in the snow" becomes "a <new-word> in the snow"."""
        return fill(template, WORD)
