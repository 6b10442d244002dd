"""TextBoost around a pipeline: one function that trains, one that saves, one that loads.

import textboost

concept = textboost.Concept(photos=(photo,), class_noun="dog", descriptor="corgi")
textboost.train(pipe, [concept], captions=["a house by the sea", ...])
pipe("a photo of a <subject> dog in the snow")
textboost.save(pipe, folder)

textboost.load(a_fresh_pipe, folder)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from textboost import adapters, augmentation, causal, timesteps, tokens
from textboost.compute import Compute, TrainResult
from textboost.conditioning import Conditioning, encode, hidden_states, layers_read, text_encoders
from textboost.loop import Batch, Latents, adamw, run, training
from textboost.losses import knowledge_preservation
from textboost.photos import cropped, shrunk, shuffled
from textboost.prompts import TEMPLATES, fill
from textboost.recipe import Recipe

# Not needed to generate the subject; prompts may use these tokens as well.
AUGMENTATION_FOLDER = "augmentation_tokens"
INDEX_FILE = "textboost.json"
# Photos are augmented at four times the resolution at most. The smallest crop is 28% of a side,
# so no detail is lost that training could see, and large photos cost no more than small ones.
AUGMENTATION_SCALE = 4


@dataclass(frozen=True)
class Concept:
    """One thing to learn: photos (RGB, any size), what it is, and what kind of that it is."""

    photos: tuple[Image.Image, ...]
    class_noun: str
    descriptor: str = ""

    def initialiser(self, with_class: bool) -> str:
        """The words that the new token starts from."""
        if self.descriptor and not with_class:
            return self.descriptor
        return f"{self.descriptor} {self.class_noun}".strip()


def subject_words(recipe: Recipe, concepts: Sequence[Any]) -> list[str]:
    """What prompts call each concept: "<subject> dog"; a style has no class noun.

    concepts: anything with a `class_noun`.
    """
    names = tokens.placeholders(recipe.placeholder, len(concepts))
    if recipe.templates == "style":
        return names
    return [f"{name} {concept.class_noun}" for name, concept in zip(names, concepts, strict=True)]


def train(
    pipe: Any,
    concepts: Sequence[Concept],
    *,
    recipe: Recipe | None = None,
    captions: Sequence[str] = (),
    seed: int = 0,
    resolution: int | None = None,
    compute: Compute | None = None,
    report: Callable[[int, int, float], None] = lambda step, steps, loss: None,
) -> TrainResult:
    """Teach the pipeline's text encoder the concepts; the pipeline is changed in place.

    captions: general prompts whose meaning is to stay. resolution: side of the square training
    pictures in pixels; None: what the UNet was made for. report(step, steps, loss): called
    after every step. Raises ValueError where the recipe asks for what is not there.
    """
    recipe, compute = recipe or Recipe(), compute or Compute()
    if recipe.adapter not in ("lora", *causal.ADAPTERS):
        known = ", ".join(("lora", *causal.ADAPTERS))
        raise ValueError(f'adapter "{recipe.adapter}": expected {known}')
    if recipe.adapter != "lora" and (recipe.knowledge_preservation or recipe.fixed_start):
        raise ValueError(
            'knowledge_preservation and fixed_start are for adapter "lora": '
            "causal adapters leave prompts without the new token as they are"
        )
    if recipe.knowledge_preservation and not captions:
        raise ValueError("knowledge_preservation needs captions: general prompts to preserve")
    side = resolution or pipe.unet.config.sample_size * pipe.vae_scale_factor
    changes = augmentation.SETS[recipe.augmentation]
    templates = TEMPLATES[recipe.templates]
    rng = Random(seed)
    prior_rng = Random(seed)  # its own, so that no technique shifts another's draws
    generator = torch.Generator().manual_seed(seed)
    with training(pipe):
        # Trained: the adapter, starting from no change; the concepts' tokens, starting from
        # their descriptions ("red backpack"), and the augmentation tokens, starting from what
        # they name.
        names = tokens.placeholders(recipe.placeholder, len(concepts))
        adapter, tables = begin(
            pipe,
            recipe,
            placeholders={
                name: concept.initialiser(recipe.class_in_start)
                for name, concept in zip(names, concepts, strict=True)
            },
            augmentation_tokens=_named(recipe),
            generator=generator,
        )

        # Shown: changed photos, under prompts that name the changes.
        words = subject_words(recipe, concepts)
        shown_at = round(side * changes.margin)
        pool = [
            (number, shrunk(photo, min(min(photo.size), AUGMENTATION_SCALE * side)))
            for number, concept in enumerate(concepts)
            for photo in concept.photos
        ]
        latents = Latents(pipe, generator)
        order = shuffled(len(pool), rng)

        def batch() -> Batch:
            shown, prompts = [], []
            for _ in range(recipe.batch_size):
                number, photo = pool[next(order)]
                changed = augmentation.augment(photo, rng, changes, recipe.augmentation_probability)
                template = rng.choice(templates)
                # A quoted token is filled in last, when all other tokens are spelled out.
                prompt = template if recipe.quoted_prompt else fill(template, words[number])
                named = augmentation.caption(prompt, changed.tokens, rng, changes)
                prompt = named if recipe.augmentation_tokens else prompt
                if recipe.quoted_prompt:
                    prompt = quoted(pipe, prompt, names[number])
                shown.append((None, cropped(shrunk(changed.image, shown_at), side, rng)))
                prompts.append(prompt)
            return Batch(latents.sample(shown), prompts)

        # General prompts keep their meaning.
        class_prompts = [fill(t, concept.class_noun) for t in templates for concept in concepts]

        def preservation() -> Tensor:
            prompts = prior_batch(
                captions,
                class_prompts,
                recipe.prior_batch_size,
                prior_rng,
                recipe.null_probability,
                recipe.class_probability,
            )
            return recipe.preservation_weight * preservation_loss(pipe, prompts)

        def read(prompts: list[str]) -> Conditioning:
            return encode(pipe, prompts, whole=True, expand=not recipe.quoted_prompt)

        limits = [row_limit(table, recipe.max_row_norm) for table in tables]
        with fixed_start(pipe) if recipe.fixed_start else nullcontext():
            result = run(
                pipe,
                compute,
                steps=recipe.steps,
                optimizer=adamw(
                    [
                        (adapter, recipe.learning_rate),
                        ([table.rows for table in tables], recipe.token_learning_rate),
                    ],
                    compute,
                ),
                batch=batch,
                encode=read,
                generator=generator,
                timestep_weights=(
                    timesteps.snr_weighted if recipe.snr_sampling else timesteps.uniform
                ),
                extra_loss=preservation if recipe.knowledge_preservation else None,
                clipped=adapter,
                max_norm=recipe.max_gradient_norm,
                after_step=lambda: cut_rows(tables, limits),
                report=report,
            )
        tokens.merge(pipe)
    return result


def begin(
    pipe: Any,
    recipe: Recipe,
    *,
    placeholders: Mapping[str, str],
    augmentation_tokens: Mapping[str, str],
    generator: torch.Generator,
) -> tuple[list[nn.Parameter], list[tokens.TokenRows]]:
    """Add the adapter and the tokens; returns the adapter's parameters and the rows' tables.

    Both mappings: token -> the words it starts from. `tokens.merge` ends training: then the
    pipeline is in the state in which loading the saved files leaves a fresh one.
    Raises ValueError for a token that the tokenizer knows already.
    """
    wanted = [(name, words, recipe.vectors) for name, words in placeholders.items()]
    wanted += [(k, words, recipe.augmentation_vectors) for k, words in augmentation_tokens.items()]
    lora: list[nn.Parameter] = []
    if recipe.adapter == "lora":
        for (_, encoder), layers in zip(text_encoders(pipe), layers_read(pipe), strict=True):
            lora += adapters.add_lora(encoder, recipe.rank, recipe.targets, generator, layers)
    new = [
        tokens.add_token(pipe, name, tokens.initial_rows(pipe, words, most))
        for name, words, most in wanted
    ]
    tables = tokens.install(pipe, new)
    if recipe.adapter == "lora":
        return lora, tables
    return causal.attach(pipe, recipe.adapter, recipe.rank, list(placeholders), generator), tables


def preservation_loss(pipe: Any, prompts: Sequence[str]) -> Tensor:
    """How far the encoder has moved on prompts without new tokens; a scalar in 0..2.

    The teacher is the same encoder with its adapter switched off: on such prompts that is the
    encoder as it was pretrained, without a second copy in memory. With two encoders: the mean.
    """
    with torch.no_grad(), adapters.without_lora(pipe):
        teachers = hidden_states(pipe, prompts)
    students = hidden_states(pipe, prompts)
    losses = [knowledge_preservation(*pair) for pair in zip(students, teachers, strict=True)]
    return torch.stack(losses).mean()


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


def quoted(pipe: Any, prompt: str, name: str) -> str:
    """The release's prompt: vectors spelled out, the new token's as a printed Python list."""
    count = len(tokens.token_rows(pipe, name)[0])
    parts = [name if number == 0 else f"{name}_{number}" for number in range(count)]
    expanded: str = pipe.maybe_convert_prompt(prompt, pipe.tokenizer)
    return expanded.replace("{subject}", str(parts))


def row_limit(table: tokens.TokenRows, limit: float | str) -> Tensor | None:
    """The longest that a row may be, a scalar; None: any length."""
    if isinstance(limit, str):
        old = table.base.weight.detach()[: min(table.ids)]
        mean: Tensor = old.float().norm(dim=1).mean()
        return mean
    return torch.tensor(limit) if limit else None


@torch.no_grad()
def cut_rows(tables: Sequence[tokens.TokenRows], limits: Sequence[Tensor | None]) -> None:
    """Shorten the rows that are longer than their table's limit."""
    for table, limit in zip(tables, limits, strict=True):
        if limit is not None:
            norms = table.rows.norm(dim=1, keepdim=True)
            table.rows.mul_((limit / norms).clamp(max=1.0))


@contextmanager
def fixed_start(pipe: Any) -> Iterator[None]:
    """Hold the encoder's output for start-of-text, and all of the empty prompt's, as they are.

    Raises ValueError for SDXL, which the release does not know.
    """
    if len(text_encoders(pipe)) > 1:
        raise ValueError("fixed_start: the release trains one text encoder, this backbone has two")
    tokenizer, text_encoder = text_encoders(pipe)[0]
    with torch.no_grad(), adapters.without_lora(pipe):
        empty = encode(pipe, [""]).states[0]

    def hold(_: Any, given: tuple[Any, ...], output: Any) -> Any:
        is_empty = (given[0][:, 1] == tokenizer.eos_token_id)[:, None, None]
        at_start = torch.zeros_like(empty, dtype=torch.bool)
        at_start[0] = True
        constant = empty.to(output[0].dtype)
        output.last_hidden_state = torch.where(is_empty | at_start, constant, output[0])
        return output

    hook = text_encoder.register_forward_hook(hold)
    try:
        yield
    finally:
        hook.remove()


def save(pipe: Any, folder: Path | str, recipe: Recipe | None = None, concepts: int = 1) -> None:
    """Write the adapter, the placeholders and, in a folder of their own, the augmentation tokens.

    With "lora" stock diffusers loads all of it; `textboost.json` says what `load` finds here.
    """
    recipe, folder = recipe or Recipe(), Path(folder)
    names = tokens.placeholders(recipe.placeholder, concepts)
    for number, name in enumerate(names):
        tokens.save_token(pipe, name, folder / tokens.placeholder_file(number))
    for name in _named(recipe):
        tokens.save_token(pipe, name, folder / AUGMENTATION_FOLDER / f"{name[1:-1]}.safetensors")
    if recipe.adapter == "lora":
        adapters.save_lora(pipe, folder)
    else:
        causal.save(pipe, folder)
    index = {"adapter": recipe.adapter, "placeholders": names}
    (folder / INDEX_FILE).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def load(pipe: Any, folder: Path | str) -> list[str]:
    """Put what `save` wrote onto a fresh pipeline; returns the placeholders.

    The augmentation tokens stay out; `tokens.load_token` brings one in.
    Raises ValueError when something did not arrive.
    """
    folder = Path(folder)
    index = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))
    names: list[str] = index["placeholders"]
    if index["adapter"] == "lora":
        adapters.load_lora(pipe, folder)
    for number, name in enumerate(names):
        tokens.load_token(pipe, name, folder / tokens.placeholder_file(number))
    if index["adapter"] != "lora":
        causal.load(pipe, folder, index["adapter"], names)
    return names


def _named(recipe: Recipe) -> Mapping[str, str]:
    """The augmentation tokens that training uses, with the words they start from."""
    used = recipe.augmentation_tokens and recipe.augmentation_probability > 0
    return augmentation.SETS[recipe.augmentation].tokens if used else {}
