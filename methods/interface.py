"""What a personalization method is, and what it is told about one cell.

A new method is one file in this folder: a subclass of `Method` whose `name` is the file's name
with "-" for "_". Nothing else has to be edited; the harness finds it by its file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:  # listing the methods must not cost an import of torch and diffusers
    from diffusers import StableDiffusionPipeline
    from PIL import Image


@dataclass(frozen=True)
class Task:
    """Everything a method may know about one cell.

    photos: the training photos, RGB, of any size. resolution: side of the square pictures, in
    pixels. precision: "fp32", "bf16" or "fp16", the precision of the forward pass. descriptor:
    one or two words which with the class noun describe the subject ("red" for a backpack).
    prior_prompts: general captions, without the subject. prior_images(class prompt, count):
    pictures by the untouched backbone. draw(prompt template, seed): the right answer, where it
    is known (toy world only). report(step done, steps in all, loss): called after every step.
    """

    subject: str
    class_noun: str
    descriptor: str
    live: bool
    photos: tuple[Image.Image, ...]
    seed: int
    resolution: int
    device: str
    precision: str
    prior_prompts: tuple[str, ...]
    prior_images: Callable[[str, int], list[Image.Image]]
    draw: Callable[[str, int], Image.Image] | None
    report: Callable[[int, int, float], None]


@dataclass(frozen=True)
class TrainResult:
    """What training cost and how it went: one loss and one duration (seconds) per step."""

    trainable_parameters: int
    losses: list[float]
    step_seconds: list[float]


@dataclass(frozen=True)
class ImageRequest:
    """One picture to make. prompt: filled in by the method. template: with "{subject}" open."""

    prompt: str
    template: str
    seed: int


Generate = Callable[["StableDiffusionPipeline", list[ImageRequest]], "list[Image.Image]"]


@dataclass(frozen=True)
class NoSettings:
    """The settings of a method that has none."""


class Method:
    """The steps of a method, in the order in which a cell takes them.

    `settings` is always an instance of the class's own `Settings`, a frozen dataclass whose
    defaults are the published ones. A preset is a dict of the fields in which it departs from
    those defaults.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    Settings: ClassVar[type] = NoSettings
    presets: ClassVar[dict[str, dict[str, object]]] = {"paper": {}, "toy": {}}
    trains: ClassVar[bool] = True  # False: nothing to train, save or load
    toy_only: ClassVar[bool] = False  # True: needs `Task.draw`

    def prepare(self, pipe: StableDiffusionPipeline, task: Task, settings: Any) -> None:
        """Fetch what training needs but must not pay for, such as prior images."""

    def train(self, pipe: StableDiffusionPipeline, task: Task, settings: Any) -> TrainResult:
        """Change the pipeline in place. Afterwards it is in the state that `load` makes."""
        raise NotImplementedError(f"{self.name} has nothing to train")

    def save(self, pipe: StableDiffusionPipeline, task: Task, settings: Any, folder: Path) -> None:
        """Write the smallest checkpoint that stock diffusers loads, safetensors and JSON only."""
        raise NotImplementedError(f"{self.name} has nothing to save")

    def load(self, pipe: StableDiffusionPipeline, task: Task, settings: Any, folder: Path) -> None:
        """Put what `save` wrote onto a fresh pipeline of the same backbone, from files alone."""
        raise NotImplementedError(f"{self.name} has nothing to load")

    def prompt(self, template: str, task: Task, settings: Any) -> str:
        """Fill in the template's "{subject}" with this method's words for the subject.

        Without a word of its own: "a {subject} in the jungle" becomes "a dog in the jungle".
        """
        return fill(template, task.class_noun)

    def images(
        self,
        pipe: StableDiffusionPipeline,
        requests: Sequence[ImageRequest],
        task: Task,
        settings: Any,
        generate: Generate,
    ) -> list[Image.Image]:
        """Make the pictures asked for, in their order. Controls do without the backbone."""
        return generate(pipe, list(requests))


def fill(template: str, words: str) -> str:
    """Put the words for the subject into a prompt template.

    Raises ValueError when the template has no "{subject}".
    """
    if "{subject}" not in template:
        raise ValueError(f'prompt template "{template}" has no "{{subject}}" to fill in')
    return template.replace("{subject}", words)
