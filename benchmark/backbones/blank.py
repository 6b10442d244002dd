"""Blank backbones: the true architecture and tokenizer with seeded random weights, no download.

Time, memory, sizes of checkpoints and counts of parameters are those of the real model; pictures
are noise. They are built at the first load into the cache folder, as float16 (SDXL takes 7 GB, in
float32 it would take 14), and loaded in whatever precision is asked for. Planning builds nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock

from benchmark.atomic import digest, new_folder, write_json, write_text
from benchmark.backbones.architectures import ARCHITECTURES, Architecture, build_network
from benchmark.backbones.backbone import Backbone, general_captions
from benchmark.backbones.clip_vocabulary import tokenizer_files
from benchmark.errors import UserError
from benchmark.paths import cache_root

SEED = 0
RECIPE_VERSION = 1
"""Raised when a change of the code below changes the weights."""
BYTES_PER_PARAMETER = 2

BLANK = {f"blank-{name}": architecture for name, architecture in ARCHITECTURES.items()}


def open_blank(name: str) -> Backbone:
    """One of `BLANK`. Its revision is of the recipe: another torch may draw other weights."""
    architecture = BLANK[name]
    revision = recipe_revision(architecture)
    folder = cache_root() / "blank" / f"{name}-{revision}"
    note = f"random weights in the architecture of {architecture.title}: its pictures are noise"
    return Backbone(
        name,
        folder,
        revision,
        architecture.resolution,
        note,
        general_captions(),
        build=partial(build, name, folder),
    )


def recipe_revision(architecture: Architecture) -> str:
    """12 hex digits over the configurations, the seed and the recipe's version."""
    return digest([asdict(architecture), SEED, RECIPE_VERSION], 12)


def build(name: str, folder: Path) -> None:
    """Writes the pipeline into `folder` unless it is there; other processes wait meanwhile.

    UserError when it does not fit on the disk.
    """
    if folder.is_dir():
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            if not folder.is_dir():
                _check_space(BLANK[name], folder.parent)
                with new_folder(folder) as fresh:
                    _write(BLANK[name], fresh)
    except OSError as error:
        raise UserError(
            f"backbone {name!r} cannot be built in {folder.parent} ({error}); make room there "
            "or set TBBENCH_CACHE to a folder that has it"
        ) from error


def _check_space(architecture: Architecture, place: Path) -> None:
    needed = architecture.parameters * BYTES_PER_PARAMETER
    free = shutil.disk_usage(place).free
    if free < needed:
        raise OSError(f"{needed / 1e9:.1f} GB needed, {free / 1e9:.1f} GB free")


def _write(architecture: Architecture, folder: Path) -> None:
    """The pipeline in diffusers' format, one network after the other to spare memory."""
    index: dict[str, Any] = {
        "_class_name": architecture.pipeline,
        "_diffusers_version": version("diffusers"),
    }
    for part, network in architecture.networks.items():
        with _random_half_precision(f"{SEED} {part}"):
            build_network(network).save_pretrained(folder / part)
        index[part] = [network.library, network.kind]
    for part, padding in architecture.tokenizers.items():
        for file, content in tokenizer_files(padding).items():
            write_text(folder / part / file, content)
        index[part] = ["transformers", "CLIPTokenizer"]
    write_json(folder / "scheduler" / "scheduler_config.json", architecture.scheduler)
    index["scheduler"] = ["diffusers", architecture.scheduler["_class_name"]]
    write_json(folder / "model_index.json", index)


@contextmanager
def _random_half_precision(seed: str) -> Iterator[None]:
    """Networks made inside have float16 weights from that seed; torch's state is put back after."""
    import torch

    before = torch.get_default_dtype()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(digest(seed, 15), 16))
        torch.set_default_dtype(torch.float16)
        try:
            yield
        finally:
            torch.set_default_dtype(before)
