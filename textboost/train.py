"""TextBoost v1 around a pipeline: what is trained, the teacher, what is saved and loaded.

The training loop is the caller's. A step of it, with any optimizer and any schedule:

    student = begin(pipe, placeholder="<subject>", initialiser="corgi dog", ...)
    ...
    states = tokens.encode(pipe, ["a photo of a <subject> dog, <grayscale>"])
    loss = diffusion_loss(states) + 0.1 * preservation_loss(pipe, ["a house by the sea"])
    ...
    finish(pipe)
    save(pipe, folder, "<subject>")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from textboost import adapters, tokens
from textboost.losses import knowledge_preservation

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

PLACEHOLDER_FILE = "learned_embeds.safetensors"
# Not needed to generate the subject; prompts may use these tokens as well.
AUGMENTATION_FILE = "augmentation_embeds.safetensors"


@dataclass(frozen=True)
class Student:
    """The trained parameters: the new tokens' rows, [rows, width], and the LoRA factors."""

    rows: nn.Parameter
    lora: list[nn.Parameter]


def begin(
    pipe: StableDiffusionPipeline,
    *,
    placeholder: str,
    initialiser: str,
    augmentation_tokens: Mapping[str, str],
    generator: torch.Generator,
    rank: int = 4,
    targets: Sequence[str] = adapters.ALL_LINEAR,
    vectors: int = 0,
    augmentation_vectors: int = 0,
) -> Student:
    """Prepare the text encoder: new tokens from their initialisers, LoRA that changes nothing.

    augmentation_tokens: token -> the words it starts from. vectors, augmentation_vectors: the
    most rows per token; 0: one row per sub-word of the initialiser, as published.
    The encoder's weights must be in float32. Raises ValueError for a token it knows already.
    """
    tokenizer, encoder = pipe.tokenizer, pipe.text_encoder
    adapters_parameters = adapters.add_lora(encoder, rank, targets, generator)
    new = []
    wanted = [(placeholder, initialiser, vectors)]
    wanted += [(name, words, augmentation_vectors) for name, words in augmentation_tokens.items()]
    for name, words, most in wanted:
        start = tokens.initial_rows(tokenizer, encoder, words, most)
        new.append(tokens.add_token(tokenizer, encoder, name, start))
    return Student(tokens.install(encoder, new).rows, adapters_parameters)


def preservation_loss(pipe: StableDiffusionPipeline, prompts: Sequence[str]) -> Tensor:
    """How far the encoder has moved on prompts without new tokens; a scalar in 0..2.

    The teacher is the same encoder with its adapter switched off: on such prompts that is the
    encoder as it was pretrained, without a second copy in memory.
    """
    with torch.no_grad(), adapters.without_lora(pipe.text_encoder):
        teacher = tokens.encode(pipe, prompts)
    return knowledge_preservation(tokens.encode(pipe, prompts), teacher)


def prior_batch(
    captions: Sequence[str],
    class_prompts: Sequence[str],
    count: int,
    rng: Random,
    null_probability: float = 0.1,
    class_probability: float = 0.1,
) -> list[str]:
    """Prompts for the preservation loss: general captions, some empty, some of the class."""
    prompts = []
    for _ in range(count):
        draw = rng.random()
        if draw < null_probability:
            prompts.append("")
        elif draw < null_probability + class_probability:
            prompts.append(rng.choice(class_prompts))
        else:
            prompts.append(rng.choice(captions))
    return prompts


def finish(pipe: StableDiffusionPipeline) -> None:
    """End training: the rows go into the embedding table, the LoRA stays on as an adapter.

    That is the state in which loading the saved files leaves a fresh pipeline.
    """
    tokens.merge(pipe.text_encoder)


def save(
    pipe: StableDiffusionPipeline,
    folder: Path,
    placeholder: str,
    augmentation_tokens: Sequence[str] = (),
) -> None:
    """Write the LoRA, the placeholder and, in a file of their own, the augmentation tokens."""
    adapters.save_lora(pipe, folder)
    tokens.save_tokens(pipe, [placeholder], folder / PLACEHOLDER_FILE)
    if augmentation_tokens:
        tokens.save_tokens(pipe, list(augmentation_tokens), folder / AUGMENTATION_FILE)


def load(pipe: StableDiffusionPipeline, folder: Path) -> None:
    """Put what `save` wrote onto a fresh pipeline, through diffusers' own loaders.

    The augmentation tokens stay out; `tokens.load_tokens` brings them in.
    Raises ValueError when something did not arrive.
    """
    adapters.load_lora(pipe, folder)
    tokens.load_tokens(pipe, folder / PLACEHOLDER_FILE)
