"""What the tests of methods share: a task, and the images of a plain generation call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image

from methods import Task, get_method
from methods.interface import Compute
from tests.tiny import RESOLUTION

PRIOR_PROMPTS = ("a clean photo", "the large jungle", "a cool rendering")


def photo(width: int = 40, height: int = 40, seed: int = 0) -> Image.Image:
    """A photo with something to learn: large blocks of colour."""
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST)


def task(precision: str = "fp32", **changes: Any) -> Task:
    """One cell's task: one square photo of a red dog."""
    plain = Task(
        subject="dog_a",
        class_noun="dog",
        descriptor="red",
        live=True,
        photos=(photo(),),
        seed=0,
        resolution=RESOLUTION,
        compute=Compute(precision=precision),
        prior_prompts=PRIOR_PROMPTS,
        prior_images=lambda prompt, count: [photo(32, 32, 10 + n) for n in range(count)],
        draw=None,
        report=lambda step, steps, loss: None,
    )
    return replace(plain, **changes)


# Rates at which a random network of this size learns something in a second.
SETTINGS: dict[str, dict[str, Any]] = {
    "textual-inversion": {"steps": 30, "batch_size": 4, "learning_rate": 5e-2, "vectors": 2},
    "custom-diffusion": {
        "steps": 40,
        "batch_size": 4,
        "learning_rate": 2e-2,
        "prior_images": 3,
    },
    "dreambooth": {
        "steps": 25,
        "batch_size": 2,
        "learning_rate": 2e-3,
        "prior_images": 3,
        "prior_batch_size": 2,
    },
    "dreambooth-lora": {"steps": 25, "batch_size": 4, "learning_rate": 2e-2},
    "textboost": {
        "steps": 30,
        "batch_size": 4,
        "learning_rate": 1e-2,
        "token_learning_rate": 5e-2,
        "prior_batch_size": 4,
        "augmentation_vectors": 1,
    },
    "textboost-v2": {
        "steps": 40,
        "batch_size": 4,
        "learning_rate": 5e-2,
        "token_learning_rate": 5e-2,
        "max_row_norm": 0.0,
    },
    "textboost++": {
        "steps": 40,
        "batch_size": 4,
        "learning_rate": 5e-2,
        "token_learning_rate": 5e-2,
        "max_row_norm": 0.0,
    },
}


def settings(name: str, **changes: Any) -> Any:
    return get_method(name).Settings(**{**SETTINGS[name], **changes})


def state(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.detach().clone() for key, value in network.state_dict().items()}


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


def generate(pipe: Any, prompt: str) -> np.ndarray:
    """A plain call of the pipeline, as floats in 0..1."""
    generator = torch.Generator().manual_seed(0)
    call = pipe(prompt, num_inference_steps=3, generator=generator, output_type="np")
    images: np.ndarray = call.images
    return images
