"""The networks behind the scores. Each takes PIL images, and prepares them in the one right way:

turned upright, made RGB, the shorter side resized with Pillow's antialiased filter, the centre
cropped, all of it once and before anything becomes a tensor; sizes and colours as the network's
authors published them. Embeddings are 32-bit rows of length 1. The last bits of a row depend on
what is embedded with it: a row that was embedded before is taken from the cache
(`benchmark.embedding_cache`) only where it was so in the same company, so that no score depends on
what the cache happens to hold.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from benchmark.embedding_cache import EmbeddingCache, open_cache
from benchmark.encoder_sources import source_of, text_encoder_names, toy_clip_folder
from benchmark.errors import UserError
from benchmark.torch_environment import DRAW, made_with

if TYPE_CHECKING:
    import torch

    from benchmark.metrics.evidence import Rows

Picture = Image.Image | Path
"""A picture, or the file that holds it."""
RESAMPLING = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
PACKAGES = (*DRAW, "torchvision", "open_clip_torch", "timm")
"""That embed, or prepare what is embedded."""
DTYPE = "float32"
"""Of weights and of everything computed from them."""

_RECENT_PIXELS = 32_000_000
"""How many pixels of decoded files are held: 120 pictures of 512 by 512, 128 MB at the most."""
_RECENT: dict[bytes, Image.Image] = {}
"""SHA-256 of a file -> its picture, the one read longest ago first."""


@dataclass(frozen=True)
class Preparation:
    """What becomes of a picture before the network sees it."""

    resize: int
    """Pixels of the shorter side."""
    crop: int
    """Pixels of the square cut from the centre."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bicubic"
    """A key of `RESAMPLING`."""

    def __call__(self, image: Image.Image) -> NDArray[np.float32]:
        """The picture as [3, crop, crop], normalized."""
        upright = ImageOps.exif_transpose(image).convert("RGB")
        # As torchvision, which the published code calls, rounds: the size down, the offset to even.
        width, height = (self.resize * side // min(upright.size) for side in upright.size)
        resized = upright.resize((width, height), RESAMPLING[self.interpolation])
        left, top = round((width - self.crop) / 2), round((height - self.crop) / 2)
        square = resized.crop((left, top, left + self.crop, top + self.crop))
        pixels = np.array(square, dtype=np.float32)
        pixels /= 255.0
        pixels -= np.array(self.mean, np.float32)
        pixels /= np.array(self.std, np.float32)
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))


@dataclass(frozen=True)
class Encoder:
    """A network that turns images, and perhaps texts, into rows of one space."""

    name: str
    revision: str
    """First 12 hex digits of the SHA-256 of its files."""
    device: str
    prepare: Preparation
    embed_images: Callable[[torch.Tensor], torch.Tensor]
    """[b, 3, crop, crop] -> [b, d]"""
    embed_texts: Callable[[list[str]], torch.Tensor] | None
    """b texts -> [b, d]"""

    @property
    def has_text(self) -> bool:
        """Whether `texts` works."""
        return self.embed_texts is not None

    def images(
        self,
        images: Sequence[Picture],
        batch_size: int = 1,
        digests: Sequence[bytes] | None = None,
    ) -> Rows:
        """Embeddings [n, d] of images of any size and mode; files are read when their turn comes.

        One at a time, or as many as `batch_size`, which is faster for a list that is always asked
        for whole. `digests` are the images' own by `picture_digests`, for whoever has them already.
        """
        import torch

        def embed(chosen: Sequence[int]) -> torch.Tensor:
            pixels = torch.from_numpy(
                np.stack([self.prepare(decoded(images[index])) for index in chosen])
            )
            return self.embed_images(pixels.to(self.device))

        if digests is None:
            digests = picture_digests(images)
        return self._rows("image", digests, embed, batch_size)

    def texts(self, texts: Sequence[str]) -> Rows:
        """Embeddings [n, d] of texts, one at a time; UserError for one that knows images alone."""
        embed_texts = self.embed_texts
        if embed_texts is None:
            raise UserError(
                f"encoder {self.name!r} knows no text; scoring.text_encoders takes one of: "
                f"{', '.join(text_encoder_names())}"
            )

        def embed(chosen: Sequence[int]) -> torch.Tensor:
            return embed_texts([texts[index] for index in chosen])

        return self._rows("text", [text.encode() for text in texts], embed, 1)

    def _rows(
        self,
        kind: str,
        contents: Sequence[bytes],
        embed: Callable[[Sequence[int]], torch.Tensor],
        batch_size: int,
    ) -> Rows:
        """A row for every content: from the cache, or embedded once however often it is there."""
        cache = open_cache()
        about = [
            kind,
            self.name,
            self.revision,
            repr(self.prepare),
            DTYPE,
            *map(str, made_with(__name__, self.device, PACKAGES)),
        ]
        first = {content: index for index, content in reversed(list(enumerate(contents)))}
        distinct = sorted(first.values())
        batches = [
            distinct[start : start + batch_size] for start in range(0, len(distinct), batch_size)
        ]
        # Of a batch of one the company is the content itself.
        company = [
            hashlib.sha256(b"".join(contents[i] for i in batch)).hexdigest() for batch in batches
        ]
        keys = {
            index: EmbeddingCache.key([*about, together], contents[index])
            for batch, together in zip(batches, company, strict=True)
            for index in batch
        }
        kept = cache.read([*keys.values()])
        missing = [batch for batch in batches if any(keys[index] not in kept for index in batch)]
        fresh = dict(zip(chain(*missing), _unit_rows(missing, embed), strict=True))
        cache.write({keys[index]: row.astype("<f4").tobytes() for index, row in fresh.items()})
        rows = {
            contents[index]: fresh[index] if index in fresh else np.frombuffer(kept[key], "<f4")
            for index, key in keys.items()
        }
        return np.stack([rows[one] for one in contents]) if rows else np.zeros((0, 0), np.float32)


def picture_digests(pictures: Sequence[Picture]) -> list[bytes]:
    """Hash of everything an encoder can see of each picture: its upright pixels and their layout.

    A file whose bytes were hashed before is not decoded again: they decide its pixels.
    """
    cache = open_cache()
    files = {
        index: EmbeddingCache.key(["file"], picture.read_bytes())
        for index, picture in enumerate(pictures)
        if isinstance(picture, Path)
    }
    known = cache.read(list(files.values()))
    digests = []
    fresh = {}
    for index, picture in enumerate(pictures):
        digest = known.get(files[index]) if index in files else None
        if digest is None:
            upright = ImageOps.exif_transpose(decoded(picture)).convert("RGB")
            layout = b"%d %d " % upright.size
            digest = hashlib.sha256(layout + upright.tobytes()).digest()
            if index in files:
                fresh[files[index]] = digest
        digests.append(digest)
    cache.write(fresh)
    return digests


def decoded(picture: Picture) -> Image.Image:
    """The picture itself, read from its file where it is one. Not to be changed by the caller.

    A file's bytes that were decoded a moment ago are not decoded again: every encoder of a cell
    looks at the same pictures.
    """
    if isinstance(picture, Image.Image):
        return picture
    content = picture.read_bytes()
    key = hashlib.sha256(content).digest()
    found = _RECENT.get(key)
    if found is None:
        with Image.open(io.BytesIO(content)) as found:
            found.load()
        _RECENT[key] = found
        while sum(image.width * image.height for image in _RECENT.values()) > _RECENT_PIXELS:
            del _RECENT[next(iter(_RECENT))]
    return found


@lru_cache(maxsize=8)
def open_encoder(name: str, device: str = "cpu") -> Encoder:
    """Load an encoder, once per process. UserError for an unknown name or missing weights."""
    from benchmark import encoder_loaders as load

    source = source_of(name)
    if source.library == "timm":
        return load.open_timm(source, device)
    if source.library == "open_clip":
        return load.open_open_clip(source, device)
    if name == "toy-clip":
        return load.open_clip_folder(name, device, toy_clip_folder())
    return load.open_lite0(source, device)


def _unit_rows(
    batches: Sequence[Sequence[int]], embed: Callable[[Sequence[int]], torch.Tensor]
) -> Rows:
    """Embed the batches and give every row length 1; [0, 0] for none."""
    import torch

    if not batches:
        return np.zeros((0, 0), dtype=np.float32)
    if any(torch.is_autocast_enabled(kind) for kind in ("cpu", "cuda")):
        raise RuntimeError("a metric left autocast on: embeddings would be rounded, and kept so")
    # TF32 would round the features of a GPU to 10 bits and make them unlike those of a CPU.
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        parts = [embed(batch).float().cpu().numpy() for batch in batches]
    features = np.concatenate(parts).astype(np.float64)
    unit: Rows = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
    return unit
