"""What a personalization method is, and what it is told about one cell.

A new method is one file in this folder: a subclass of `Method` whose `name` is the file's name
with "-" for "_". Nothing else has to be edited; the harness finds it by its file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textboost.compute import Compute, TrainResult
from textboost.prompts import fill

if TYPE_CHECKING:  # listing the methods must not cost an import of torch and diffusers
    from diffusers import DiffusionPipeline
    from PIL import Image


@dataclass(frozen=True)
class Companion:
    """A further concept of a cell that learns several together; fields as in `Task`."""

    subject: str
    class_noun: str
    descriptor: str
    photos: tuple[Image.Image, ...]


@dataclass(frozen=True)
class Task:
    """Everything a method may know about one cell.

    photos: the training photos, RGB, of any size. resolution: side of the square pictures, in
    pixels. compute: device, precision and the like. descriptor: one or two words which with the
    class noun describe the subject ("red" for a backpack). companions: further concepts that
    are learned together with this one; the prompts then name them all.
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
    compute: Compute
    prior_prompts: tuple[str, ...]
    prior_images: Callable[[str, int], list[Image.Image]]
    draw: Callable[[str, int], Image.Image] | None
    report: Callable[[int, int, float], None]
    companions: tuple[Companion, ...] = ()

    @property
    def concepts(self) -> tuple[Companion, ...]:
        """All that is to be learned, the subject first."""
        me = Companion(self.subject, self.class_noun, self.descriptor, self.photos)
        return (me, *self.companions)


@dataclass(frozen=True)
class ImageRequest:
    """One picture to make. prompt: filled in by the method. template: with "{subject}" open."""

    prompt: str
    template: str
    seed: int


Generate = Callable[["DiffusionPipeline", list[ImageRequest]], "list[Image.Image]"]


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
    source: ClassVar[str] = ""  # the paper, and whose settings the defaults are
    changes: ClassVar[str] = "nothing"  # what training changes
    Settings: ClassVar[type] = NoSettings
    presets: ClassVar[dict[str, dict[str, object]]] = {"paper": {}, "toy": {}}
    trains: ClassVar[bool] = True  # False: nothing to train, save or load
    toy_only: ClassVar[bool] = False  # True: needs `Task.draw`
    several_concepts: ClassVar[bool] = False  # True: learns `Task.companions` as well

    def prepare(self, pipe: DiffusionPipeline, task: Task, settings: Any) -> None:
        """Fetch what training needs but must not pay for, such as prior images."""

    def train(self, pipe: DiffusionPipeline, task: Task, settings: Any) -> TrainResult:
        """Change the pipeline in place. Afterwards it is in the state that `load` makes."""
        raise NotImplementedError(f"{self.name} has nothing to train")

    def save(self, pipe: DiffusionPipeline, task: Task, settings: Any, folder: Path) -> None:
        """Write the smallest checkpoint that stock diffusers loads, safetensors and JSON only."""
        raise NotImplementedError(f"{self.name} has nothing to save")

    def load(self, pipe: DiffusionPipeline, task: Task, settings: Any, folder: Path) -> None:
        """Put what `save` wrote onto a fresh pipeline of the same backbone, from files alone."""
        raise NotImplementedError(f"{self.name} has nothing to load")

    def loading(self, pipe: DiffusionPipeline, task: Task, settings: Any) -> str:
        """The lines of Python that load the checkpoint without this package, for its model card.

        They find a fresh pipeline `pipe` of the same backbone and the checkpoint's path `folder`.
        """
        raise NotImplementedError(f"{self.name} does not say how its checkpoint is loaded")

    def prompt(self, template: str, task: Task, settings: Any) -> str:
        """Fill in the template's "{subject}" with this method's words for the subject.

        Without a word of its own: "a {subject} in the jungle" becomes "a dog in the jungle".
        """
        return fill(template, " and ".join(concept.class_noun for concept in task.concepts))

    def images(
        self,
        pipe: DiffusionPipeline,
        requests: Sequence[ImageRequest],
        task: Task,
        settings: Any,
        generate: Generate,
    ) -> list[Image.Image]:
        """Make the pictures asked for, in their order. Controls do without the backbone."""
        return generate(pipe, list(requests))


__all__ = [
    "Companion",
    "Compute",
    "Generate",
    "ImageRequest",
    "Method",
    "NoSettings",
    "Task",
    "TrainResult",
    "fill",
]
