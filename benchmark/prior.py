"""Prior images: what the untouched backbone draws for a class prompt, made once and kept.

They lie in `cache_root()/prior/HASH`, where HASH covers everything that they depend on. Image i
depends on the class prompt and i alone, and images are always made in whole batches of one fixed
size, so asking for more of them later leaves the earlier ones as they are.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from benchmark.atomic import checksum, digest, write_bytes
from benchmark.backbones import Backbone
from benchmark.cache_folder import cache_folder
from benchmark.generate import Sampling, noise_seed, sample
from benchmark.pauses import pauses
from benchmark.records import read_intact, write_sealed
from benchmark.torch_environment import made_with

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

BATCH = 8


@dataclass
class PriorImages:
    """Gives out prior images and keeps account of what they cost."""

    backbone: Backbone
    sampling: Sampling
    device: str
    precision: str
    report: Callable[[int, int], None] = lambda done, total: None
    """Called with (images made, images to make)."""
    waited_seconds: float = 0.0
    """Time that calls of this object took, kept images or not."""
    made_seconds: float = 0.0
    """Time it took to make all images that were given out, whenever that was."""
    _given: dict[str, int] = field(default_factory=dict)

    def __call__(self, prompt: str, count: int) -> list[Image.Image]:
        """`count` pictures of `prompt`, RGB; those that are not in the cache are made now."""
        begin = time.perf_counter()
        with cache_folder("prior", digest(self._identity(prompt), 24)) as folder:
            kept = self._complete(folder, prompt, count)
            images = [Image.open(folder / f"{i:05d}.png").convert("RGB") for i in range(count)]
        already = self._given.get(prompt, 0)
        given = kept[already:count]
        self.made_seconds += sum(image["seconds"] for image in given)
        self._given[prompt] = max(already, count)
        self.waited_seconds += time.perf_counter() - begin
        return images

    def _identity(self, prompt: str) -> dict[str, Any]:
        return {
            "backbone": self.backbone.revision,
            "prompt": prompt,
            "sampling": asdict(self.sampling),
            "precision": self.precision,
            "made_with": made_with(__name__, self.device),
            "batch": BATCH,
        }

    def _complete(self, folder: Path, prompt: str, count: int) -> list[dict[str, Any]]:
        """Makes the batches that are missing or damaged. Returns sha256 and seconds by image."""
        identity = self._identity(prompt)
        kept = read_intact(folder / "prior.json")
        # Also by what it says of itself: a folder may have come to another one's name.
        mine = {name: kept.get(name) for name in identity} == identity
        record: list[dict[str, Any]] = kept.get("images", []) if mine else []
        total = -(-count // BATCH) * BATCH
        missing = [
            start
            for start in range(0, total, BATCH)
            if not all(_intact(folder, record, i) for i in range(start, start + BATCH))
        ]
        if not missing:
            return record
        record += [{} for _ in range(total - len(record))]
        # A pipeline of its own: the caller's may be half trained by now.
        pipe = self.backbone.load(self.device, self.precision)
        for done, start in enumerate(missing):
            self.report(done * BATCH, len(missing) * BATCH)
            self._make(pipe, folder, prompt, start, record)
            write_sealed(folder / "prior.json", identity | {"images": record})
        return record

    def _make(
        self,
        pipe: DiffusionPipeline,
        folder: Path,
        prompt: str,
        start: int,
        record: list[dict[str, Any]],
    ) -> None:
        indices = range(start, start + BATCH)
        seeds = [noise_seed("prior", prompt, i) for i in indices]
        images, seconds = _timed(lambda: sample(pipe, [prompt] * BATCH, seeds, self.sampling))
        for i, image in zip(indices, images, strict=True):
            path = folder / f"{i:05d}.png"
            content = io.BytesIO()
            image.save(content, "PNG")
            write_bytes(path, content.getvalue())
            record[i] = {
                "sha256": checksum(path),
                "seconds": seconds / BATCH,
            }


def _timed(make: Callable[[], list[Image.Image]]) -> tuple[list[Image.Image], float]:
    """What `make` gives and how many seconds it took; again where the process stood still in it."""
    while True:
        begin, pauses_before = time.perf_counter(), pauses()
        images = make()
        if pauses() == pauses_before:
            return images, time.perf_counter() - begin


def _intact(folder: Path, record: list[dict[str, Any]], index: int) -> bool:
    path = folder / f"{index:05d}.png"
    if index >= len(record) or not path.is_file():
        return False
    seconds = record[index].get("seconds")
    timed = isinstance(seconds, (int, float)) and 0 <= seconds < math.inf
    return timed and record[index].get("sha256") == checksum(path)
