"""What DreamBooth and its LoRA variant share: what is shown, and what it is called.

Ruiz et al., "DreamBooth", arXiv 2208.12242, sections 3.2 (the rare word) and 3.3 (prior
preservation).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import torch
from PIL import Image

from methods.interface import Task, fill
from textboost.conditioning import Conditioning, encode, encode_once
from textboost.loop import Batch, Latents
from textboost.photos import cropped, shrunk, shuffled

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

TEMPLATE = "a photo of {subject}"


@dataclass(frozen=True)
class PriorPreservation:
    """The settings of both. Defaults: diffusers' published command with prior preservation.

    identifier: the rare word. prior_images: pictures of the class by the untouched backbone.
    prior_weight: lambda of the paper's equation 2. prior_batch_size: pictures of the class in
    each step beside the `batch_size` photos. train_text_encoder: of SDXL, both.
    """

    batch_size: int = 1
    identifier: str = "sks"
    prior_preservation: bool = True
    prior_weight: float = 1.0
    prior_images: int = 200
    prior_batch_size: int = 1
    train_text_encoder: bool = False


def subject_prompt(template: str, task: Task, settings: PriorPreservation) -> str:
    """ "a {subject} in the jungle" becomes "a sks dog in the jungle"."""
    return fill(template, f"{settings.identifier} {task.class_noun}")


def class_images(task: Task, settings: PriorPreservation) -> list[Image.Image]:
    """Pictures of the class by the untouched backbone; none without prior preservation."""
    if not settings.prior_preservation:
        return []
    if not settings.prior_images:
        raise ValueError("prior preservation without prior images; set prior_preservation = false")
    return task.prior_images(fill(TEMPLATE, task.class_noun), settings.prior_images)


def photos_beside_class(
    pipe: DiffusionPipeline,
    task: Task,
    settings: PriorPreservation,
    rng: Random,
    generator: torch.Generator,
    resample: Image.Resampling,
) -> Callable[[], Batch]:
    """What each step shows: photos as "a photo of sks dog", class pictures as "a photo of dog".

    Photos are resized with `resample` and cropped at random, class pictures at the centre. Loss:
    the photos' mean error + prior_weight * the class pictures' mean error.
    Raises ValueError when there is more than one concept.
    """
    if len(task.concepts) > 1:
        raise ValueError("dreambooth learns one concept at a time")
    side = task.resolution
    photos = [shrunk(photo, side, resample) for photo in task.photos]
    priors = [cropped(shrunk(p, side, resample), side) for p in class_images(task, settings)]
    prompts = [subject_prompt(TEMPLATE, task, settings)] * settings.batch_size
    weights = [1.0 / settings.batch_size] * settings.batch_size
    if priors:
        count = settings.prior_batch_size
        prompts += [fill(TEMPLATE, task.class_noun)] * count
        weights += [settings.prior_weight / count] * count
    latents = Latents(pipe, generator)
    photo_order = shuffled(len(photos), rng)
    prior_order = shuffled(len(priors), rng)

    def batch() -> Batch:
        shown: list[tuple[tuple[str, int] | None, Image.Image]] = []
        for _ in range(settings.batch_size):
            index = next(photo_order)
            photo = photos[index]
            # A square photo leaves nothing to crop and so comes again unchanged.
            key = ("photo", index) if photo.width == photo.height else None
            shown.append((key, cropped(photo, side, rng)))
        if priors:
            for _ in range(settings.prior_batch_size):
                index = next(prior_order)
                shown.append((("prior", index), priors[index]))
        return Batch(latents.sample(shown), prompts, torch.tensor(weights))

    return batch


def reader(
    pipe: DiffusionPipeline, settings: PriorPreservation
) -> Callable[[list[str]], Conditioning]:
    """How prompts are encoded: two in all, so that a frozen encoder reads each only once."""
    if settings.train_text_encoder:
        return partial(encode, pipe, whole=True)
    return encode_once(pipe)
