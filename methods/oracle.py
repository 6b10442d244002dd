"""Control `oracle`: draws the right answer. Only where the answer is known: the toy world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from methods.interface import Generate, ImageRequest, Method, NoSettings, Task

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from PIL import Image


class Oracle(Method):
    """The subject itself in the prompted scene: an upper bound for every metric."""

    name: ClassVar[str] = "oracle"
    summary: ClassVar[str] = "draws the right answer (toy world only)"
    trains: ClassVar[bool] = False
    toy_only: ClassVar[bool] = True

    def images(
        self,
        pipe: DiffusionPipeline,
        requests: Sequence[ImageRequest],
        task: Task,
        settings: NoSettings,
        generate: Generate,
    ) -> list[Image.Image]:
        """One drawing per request. Raises ValueError where the data set cannot draw."""
        if task.draw is None:
            raise ValueError("oracle needs a data set that can draw the answer: use toyworld")
        return [task.draw(request.template, request.seed) for request in requests]
