"""The task that a method is given when only costs are asked for: grey photos, a corgi dog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.parameters import CLASS_NOUN, DESCRIPTOR
from textboost.compute import Compute

if TYPE_CHECKING:
    from methods import Task

CAPTIONS = ("a house by the sea", "two cats on a sofa")


def made_up_task(resolution: int, compute: Compute) -> Task:
    """One square photo of the resolution, so that no method has to resize anything real.

    Class pictures are one picture, given as often as asked for.
    """
    from PIL import Image

    from methods import Task

    photo = Image.new("RGB", (resolution, resolution), (127, 127, 127))
    return Task(
        subject="subject",
        class_noun=CLASS_NOUN,
        descriptor=DESCRIPTOR,
        live=True,
        photos=(photo,),
        seed=0,
        resolution=resolution,
        compute=compute,
        prior_prompts=CAPTIONS,
        prior_images=lambda prompt, count: [photo] * count,
        draw=None,
        report=lambda step, steps, loss: None,
    )
