"""Custom Diffusion: a new word, and how the UNet's cross-attention reads the text.

Kumari et al., "Multi-Concept Customization of Text-to-Image Diffusion", arXiv 2212.04488,
section 3; with the settings that diffusers publishes for it (examples/custom_diffusion) and, as
a variant, those of the authors' code (adobe-research/custom-diffusion).

AdamW (betas 0.9 and 0.999, eps 1e-8, weight decay 1e-2) at a constant rate without warm-up,
both public codes' defaults (`textboost.loop.adamw`).

Prior images are sampled in 50 steps at guidance 7.5 by the backbone's own scheduler, the
scripts's defaults; a run may choose otherwise under [prior], for all methods alike.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from PIL import Image
from torch import Tensor

from methods.interface import Method, Task, TrainResult, fill
from methods.model_card import token_lines
from textboost import keys_values, tokens
from textboost.conditioning import encode, text_encoders
from textboost.loop import Batch, Latents, adamw, run, training
from textboost.photos import cropped, mirrored, shrunk, shuffled
from textboost.rescaling import VARIANTS, Rescaled, random_scale, rescaled

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

FILE = "custom_diffusion.safetensors"
TEMPLATE = "photo of a {subject}"
# As DreamBooth's, so that the pictures kept for one method serve the other. diffusers' script
# asks for the bare class noun; the authors for "photo of a cat" (DDIM, 50 steps, guidance 6,
# eta 1), or they take real pictures with captions of their own from LAION.
CLASS_TEMPLATE = "a photo of {subject}"
# What the new words start from: rare pieces of CLIP's vocabulary. As text, "ktn" is two pieces.
RARE_PIECES = ((42170, "ktn"), (47629, "pll"), (43514, "ucd</w>"))


@dataclass(frozen=True)
class CustomDiffusionSettings:
    """Defaults: diffusers' published command on one GPU.

    variant: "diffusers", or "original" for the authors' code. It rescales photos by other rules
    (`textboost.rescaling.VARIANTS`); counts photos and class pictures alike, where diffusers'
    script with 4 latent channels counts a photo four times (`_factor`); and draws a step's
    `batch_size` pictures from one list of both, where the script shows so many of each.
    steps: 250 are published for two GPUs; the authors' README asks for 500 on one.
    learning_rate: 1e-5 x batch 2 x 2 for the class pictures (`scale_lr`).
    token_learning_rate: of the new words' rows; None: the same, as published.
    prior_images: pictures of the class by the untouched backbone, 0 for none; prior_weight:
    lambda. flip_probability: of showing a picture mirrored (`hflip`). augmentation: photos are
    rescaled at random. max_gradient_norm: over all that is trained; 0: nothing is cut.
    initialiser: words whose mean row the new words start from; "": the published rare pieces,
    but the class noun's last word where the vocabulary lacks them and for a fourth concept.
    """

    variant: str = "diffusers"
    steps: int = 500
    batch_size: int = 2
    learning_rate: float = 4e-5
    token_learning_rate: float | None = None
    max_gradient_norm: float = 1.0
    augmentation: bool = True
    flip_probability: float = 0.5
    prior_images: int = 200
    prior_weight: float = 1.0
    initialiser: str = ""
    placeholder: str = "<subject>"

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ValueError(f'variant "{self.variant}": expected {", ".join(VARIANTS)}')


class CustomDiffusion(Method):
    """Key and value weights of the cross-attention and one row per concept; else nothing."""

    name: ClassVar[str] = "custom-diffusion"
    summary: ClassVar[str] = "fine-tunes the cross-attention's keys and values and a new word"
    source: ClassVar[str] = "arXiv 2212.04488; diffusers examples/custom_diffusion"
    changes: ClassVar[str] = "to_k and to_v of the UNet's cross-attention, the new word's row"
    several_concepts: ClassVar[bool] = True
    Settings: ClassVar[type] = CustomDiffusionSettings
    presets: ClassVar[dict[str, dict[str, object]]] = {
        "paper": {},
        # The published commands in full, the pictures of both GPUs in one batch.
        "paper-two-gpus": {"steps": 250, "batch_size": 4, "learning_rate": 8e-5},
        "paper-two-concepts": {"steps": 500, "batch_size": 4, "learning_rate": 8e-5},
        # finetune_addtoken.yaml on two GPUs: 4 pictures each, rate 1e-5 x 8, no clipping.
        "original": {
            "variant": "original",
            "steps": 300,
            "batch_size": 8,
            "learning_rate": 8e-5,
            "max_gradient_norm": 0.0,
        },
        # Neither mirrored nor rescaled, as no drawing is that the toy backbone was trained on.
        "toy": {
            "steps": 120,
            "batch_size": 4,
            "learning_rate": 2e-3,
            "token_learning_rate": 5e-3,
            "augmentation": False,
            "flip_probability": 0.0,
            "prior_images": 24,
        },
    }

    def prepare(
        self, pipe: DiffusionPipeline, task: Task, settings: CustomDiffusionSettings
    ) -> None:
        """Have the pictures of each concept's class made."""
        _refuse_two_encoders(pipe)
        for concept in task.concepts:
            task.prior_images(fill(CLASS_TEMPLATE, concept.class_noun), settings.prior_images)

    def train(
        self, pipe: DiffusionPipeline, task: Task, settings: CustomDiffusionSettings
    ) -> TrainResult:
        """Denoise rescaled photos under the new word and, beside them, pictures of the class.

        Raises ValueError for a backbone with two text encoders (SDXL).
        """
        _refuse_two_encoders(pipe)
        rules = VARIANTS[settings.variant]
        rng = Random(task.seed)
        generator = torch.Generator().manual_seed(task.seed)
        layers = keys_values.layers_of(pipe).values()
        with training(pipe, *layers), keys_values.start_of_text_held(pipe):
            # Trained: W_k and W_v of every cross-attention, from where they are, and a row per
            # concept, V*, from a rare piece. (diffusers' script forgets the second concept's.)
            weights = [weight for layer in layers for weight in layer.parameters()]
            for weight in weights:
                weight.requires_grad_(True)
            new = [
                tokens.add_token(pipe, word, _initial_rows(pipe, task, settings, number))
                for number, (word, _) in enumerate(_files(task, settings))
            ]
            rows = [table.rows for table in tokens.install(pipe, new)]

            # Shown: photos at random sizes as "photo of a V* cat", and pictures that the backbone
            # made before, under the class prompt, so that the class stays what it was.
            side, cell = task.resolution, pipe.vae_scale_factor
            everywhere = torch.ones(1, side // cell, side // cell)
            draws = [(_in_turn(group, rng), count) for group, count in _groups(task, settings)]
            latents = Latents(pipe, generator)

            def batch() -> Batch:
                shown: list[tuple[Hashable | None, Image.Image]] = []
                prompts, masks, shares = [], [], []
                for sources, count in draws:
                    for source in islice(sources, count):
                        flip = rng.random() < settings.flip_probability
                        image = mirrored(source.image) if flip else source.image
                        if source.prior or not settings.augmentation:
                            made = Rescaled(cropped(image, side, rng), everywhere)
                        else:
                            scale = random_scale(side, rules, rng)
                            made = rescaled(image, scale, side, cell, rules, rng)
                        shown.append((source.key and (source.key, flip), made.image))
                        prompts.append(made.prefix + source.prompt)
                        masks.append(made.mask)
                        shares.append(_factor(pipe, source, settings) / count)
                share = torch.tensor(shares)
                return Batch(latents.sample(shown), prompts, share, torch.stack(masks))

            # Loss: the photos' masked error + prior_weight * the class pictures' mean error.
            rate, token_rate = settings.learning_rate, settings.token_learning_rate
            rates = [(weights, rate), (rows, rate if token_rate is None else token_rate)]
            result = run(
                pipe,
                task.compute,
                steps=settings.steps,
                optimizer=adamw(rates, task.compute),
                batch=batch,
                encode=lambda prompts: encode(pipe, prompts, whole=True),
                generator=generator,
                clipped=[*weights, *rows] if settings.max_gradient_norm else (),
                max_norm=settings.max_gradient_norm,
                report=task.report,
            )
            tokens.merge(pipe)
        return result

    def save(
        self,
        pipe: DiffusionPipeline,
        task: Task,
        settings: CustomDiffusionSettings,
        folder: Path,
    ) -> None:
        """The weights under the UNet's own names, and the rows, a file per concept."""
        keys_values.save(pipe, folder / FILE)
        for word, file in _files(task, settings):
            tokens.save_token(pipe, word, folder / file)

    def load(
        self,
        pipe: DiffusionPipeline,
        task: Task,
        settings: CustomDiffusionSettings,
        folder: Path,
    ) -> None:
        """Through stock `unet.load_state_dict` and `load_textual_inversion`."""
        keys_values.load(pipe, folder / FILE)
        for word, file in _files(task, settings):
            tokens.load_token(pipe, word, folder / file)

    def loading(
        self, pipe: DiffusionPipeline, task: Task, settings: CustomDiffusionSettings
    ) -> str:
        """The weights into the UNet as it is, and the new words."""
        weights = f'load_file(f"{{folder}}/{FILE}")'
        return "\n".join(
            [
                "from safetensors.torch import load_file",
                f"pipe.unet.load_state_dict({weights}, strict=False)",
                token_lines(pipe, _files(task, settings)),
            ]
        )

    def prompt(self, template: str, task: Task, settings: CustomDiffusionSettings) -> str:
        """ "a {subject} in the jungle" becomes "a <subject> dog in the jungle"."""
        return fill(template, " and ".join(_subject_words(task, settings)))


@dataclass(frozen=True)
class Source:
    """A picture and its prompt. prior: it shows the class. key: its name if shown unchanged."""

    image: Image.Image
    prompt: str
    prior: bool
    key: Hashable | None = None


def _groups(task: Task, settings: CustomDiffusionSettings) -> list[tuple[list[Source], int]]:
    """What a step draws from, and how many pictures of each."""
    rules, side = VARIANTS[settings.variant], task.resolution
    concepts = []
    for concept, words in zip(task.concepts, _subject_words(task, settings), strict=True):
        prompt = fill(CLASS_TEMPLATE, concept.class_noun)
        made = task.prior_images(prompt, settings.prior_images)
        if rules.central_square:
            made = [cropped(image, min(image.size)) for image in made]
        made = [shrunk(image, side, rules.resample) for image in made]
        # A square one leaves nothing to crop.
        keys = [(words, n) if image.width == image.height else None for n, image in enumerate(made)]
        priors = [Source(i, prompt, True, key) for i, key in zip(made, keys, strict=True)]
        photos = [Source(photo, fill(TEMPLATE, words), False) for photo in concept.photos]
        if not settings.augmentation:
            photos = [_as_it_is(one, (words, "photo", n), side) for n, one in enumerate(photos)]
        concepts.append((photos, priors))
    if settings.variant == "original":
        # One list per concept, with equally many of both; two concepts share a step's batch.
        share = max(1, settings.batch_size // len(concepts))
        return [
            ([*priors, *islice(cycle(photos), max(len(photos), len(priors)))], share)
            for photos, priors in concepts
        ]
    photos = [source for photos, _ in concepts for source in photos]
    priors = [source for _, priors in concepts for source in priors]
    return [(group, settings.batch_size) for group in (photos, priors) if group]


def _as_it_is(source: Source, key: Hashable, side: int) -> Source:
    """A photo that is never rescaled: only what sticks out of the square is cut, at random."""
    image = shrunk(source.image, side, VARIANTS["diffusers"].resample)
    square = image.width == image.height
    return replace(source, image=image, key=key if square else None)


def _in_turn(sources: Sequence[Source], rng: Random) -> Iterator[Source]:
    """All of them in a random order, then in another one, and so on."""
    return (sources[index] for index in shuffled(len(sources), rng))


def _factor(pipe: Any, source: Source, settings: CustomDiffusionSettings) -> float:
    """How many times the loop's error of this picture counts.

    That error is a mean over the latent channels. The published one is divided by a mask of one
    channel alone, which makes it the sum over them: `latent_channels` (4) times as much.
    """
    channels: int = pipe.vae.config.latent_channels
    if not source.prior:
        return channels
    # diffusers' script takes the plain mean for the class: photos and class count 4:1.
    return settings.prior_weight * (channels if settings.variant == "original" else 1)


def _initial_rows(
    pipe: Any, task: Task, settings: CustomDiffusionSettings, number: int
) -> list[Tensor]:
    """What the word of concept 0, 1, ... starts from, [1, width]."""
    [(tokenizer, text_encoder)] = text_encoders(pipe)
    if not settings.initialiser:
        for rare_id, piece in RARE_PIECES[number : number + 1]:
            if tokenizer.convert_ids_to_tokens(rare_id) == piece:
                return [text_encoder.get_input_embeddings().weight.detach()[[rare_id]].clone()]
    words = settings.initialiser or task.concepts[number].class_noun.split()[-1]
    return tokens.initial_rows(pipe, words, vectors=1)


def _subject_words(task: Task, settings: CustomDiffusionSettings) -> list[str]:
    """What prompts call each concept: "<subject> dog"."""
    names = tokens.placeholders(settings.placeholder, len(task.concepts))
    return [f"{name} {c.class_noun}" for name, c in zip(names, task.concepts, strict=True)]


def _files(task: Task, settings: CustomDiffusionSettings) -> list[tuple[str, str]]:
    """The new words with the names of their files."""
    names = tokens.placeholders(settings.placeholder, len(task.concepts))
    return [(name, tokens.placeholder_file(number)) for number, name in enumerate(names)]


def _refuse_two_encoders(pipe: Any) -> None:
    if len(text_encoders(pipe)) > 1:
        raise ValueError("custom-diffusion is published for one text encoder, not SDXL's two")
