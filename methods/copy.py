"""Control `copy`: the training photo, whatever the prompt says.

The highest fidelity to the training photo there is, and no obedience to the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from methods.interface import Generate, ImageRequest, Method, NoSettings, Task
from textboost.photos import square

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from PIL import Image


class Copy(Method):
    """Returns a training photo, centre-cropped and resized, for every prompt and seed."""

    name: ClassVar[str] = "copy"
    summary: ClassVar[str] = "returns the training photo for every prompt"
    trains: ClassVar[bool] = False

    def images(
        self,
        pipe: DiffusionPipeline,
        requests: Sequence[ImageRequest],
        task: Task,
        settings: NoSettings,
        generate: Generate,
    ) -> list[Image.Image]:
        """With several training photos the seed picks one of them."""
        photos = [square(photo, task.resolution) for photo in task.photos]
        return [photos[request.seed % len(photos)].copy() for request in requests]
