"""How many parameters a method trains, counted by its own code on the true architecture.

The networks are built without weights (torch's meta device) and the method trains them for no
step at all, so the count is exact and needs neither a download nor memory.
"""

from __future__ import annotations

import dataclasses
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.atomic import digest, read_json
from benchmark.backbones.architectures import ARCHITECTURES, Architecture, build_network
from benchmark.backbones.clip_vocabulary import tokenizer_files
from benchmark.cache_folder import remember
from benchmark.paths import cache_root

if TYPE_CHECKING:
    from methods import Task

# A subject whose description is two words of CLIP's vocabulary, as most of DreamBench's are.
DESCRIPTOR, CLASS_NOUN = "corgi", "dog"


def trainable_parameters(method: str, preset: str, architecture: str) -> int | None:
    """The count for one preset on one of `ARCHITECTURES`; None where the method refuses it.

    Remembered in the cache folder until the method's code changes.
    """
    from methods import code_version, get_method

    chosen = get_method(method)
    if not chosen.trains:
        return 0
    settings: Mapping[str, Any] = chosen.presets[preset]
    question = [
        code_version(method),
        dict(settings),
        dataclasses.asdict(ARCHITECTURES[architecture]),
    ]
    path = cache_root() / "parameters" / f"{digest(question, 24)}.json"
    known = read_json(path)
    if known is None:
        known = {"parameters": _count(method, preset, ARCHITECTURES[architecture])}
        remember(path, known)
    count: int | None = known["parameters"]
    return count


def _count(method: str, preset: str, architecture: Architecture) -> int | None:
    from methods import get_method

    chosen = get_method(method)
    settings = chosen.Settings(**{**chosen.presets[preset], "steps": 0})
    pipe = meta_pipeline(architecture)
    try:
        return chosen.train(pipe, _task(architecture.resolution), settings).trainable_parameters
    except ValueError:
        return None


def meta_pipeline(architecture: Architecture) -> Any:
    """The pipeline with its real tokenizers and networks of shapes alone."""
    import torch
    from transformers import CLIPTokenizer

    parts: dict[str, Any] = {}
    with torch.device("meta"):
        for name, network in architecture.networks.items():
            parts[name] = build_network(network)
    with tempfile.TemporaryDirectory() as folder:
        for name, padding in architecture.tokenizers.items():
            for file, content in tokenizer_files(padding).items():
                path = Path(folder) / name / file
                path.parent.mkdir(exist_ok=True)
                path.write_text(content, encoding="utf-8")
            parts[name] = CLIPTokenizer.from_pretrained(Path(folder) / name)
    return put_together(architecture.pipeline, dict(architecture.scheduler), parts)


def put_together(pipeline: str, scheduler: dict[str, Any], parts: dict[str, Any]) -> Any:
    """The pipeline of that class. scheduler: DDPM's configuration; parts: networks, tokenizers."""
    import diffusers

    ddpm = diffusers.DDPMScheduler.from_config(scheduler)
    with warnings.catch_warnings():
        # diffusers advises on the scheduler, which no network of shapes steps.
        warnings.simplefilter("ignore", FutureWarning)
        if pipeline == "StableDiffusionXLPipeline":
            return diffusers.StableDiffusionXLPipeline(
                scheduler=ddpm, add_watermarker=False, **parts
            )
        return diffusers.StableDiffusionPipeline(
            scheduler=ddpm,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
            **parts,
        )


def _task(resolution: int) -> Task:
    from PIL import Image

    from methods import Task
    from methods.interface import Compute

    return Task(
        subject="subject",
        class_noun=CLASS_NOUN,
        descriptor=DESCRIPTOR,
        live=True,
        photos=(Image.new("RGB", (8, 8)),),
        seed=0,
        resolution=resolution,
        compute=Compute(),
        prior_prompts=("a house",),
        prior_images=lambda prompt, count: [],
        draw=None,
        report=lambda step, steps, loss: None,
    )
