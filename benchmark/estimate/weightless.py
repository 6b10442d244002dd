"""A backbone's pipeline without its weights, in which a method's own code can run.

Shapes come from `benchmark.backbones.architectures`, or from the configurations in a folder. What
stands in for the weights has the right shape, type and layout, and no content: fake tensors, which
know only that, or memory that is reserved and never touched.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode

from benchmark.atomic import read_json
from benchmark.backbones.architectures import ARCHITECTURES, Architecture
from benchmark.backbones.folder import folder_resolution, pipeline_class
from benchmark.backbones.toy import toy_folder
from benchmark.errors import UserError
from benchmark.parameters import meta_pipeline, put_together
from benchmark.plugins import offers
from benchmark.subjects import unknown

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}

Empty = Callable[[Tensor, torch.dtype], Tensor]
"""What stands in for a weight: of the shape and layout of the one given, of the type given."""


def _sd21() -> Architecture:
    """2.1 for 768 px is 2.1-base trained on to predict the velocity."""
    base = ARCHITECTURES["sd21-base"]
    unet = base.networks["unet"]
    networks = {"unet": replace(unet, config={**unet.config, "sample_size": 96})}
    return replace(
        base,
        title="Stable Diffusion 2.1",
        resolution=768,
        networks={**base.networks, **networks},
        scheduler={**base.scheduler, "prediction_type": "v_prediction"},
    )


KNOWN = {
    "sd14": ARCHITECTURES["sd15"],
    **ARCHITECTURES,
    "sd21": _sd21(),
    **{f"blank-{name}": architecture for name, architecture in ARCHITECTURES.items()},
}
NAMES = (*KNOWN, "toy")


def resolution_of(backbone: str) -> int:
    """Side in pixels of the pictures that the backbone was made for; UserError if unknown."""
    if backbone in KNOWN:
        return KNOWN[backbone].resolution
    return folder_resolution(folder_of(backbone))


def pipeline_of_shapes(backbone: str) -> Any:
    """The pipeline with its tokenizers, all networks on torch's meta device, in float32.

    backbone: one of `NAMES` or a folder in diffusers' format, of which the configurations are
    read and the weights are not. UserError for anything else.
    """
    from diffusers.utils import logging

    # It warns that networks change their type, which they do not in a prediction.
    logging.set_verbosity_error()
    if backbone in KNOWN:
        return meta_pipeline(KNOWN[backbone])
    return _from_folder(backbone, folder_of(backbone))


def fill(pipe: Any, precision: str, empty: Empty, channels_last: bool = True) -> Any:
    """Put stand-ins for the weights into a pipeline of shapes, as the harness loads real ones.

    That is: all in one precision, the UNet and the VAE in the layout with channels last, nothing
    to be trained. Returns the pipeline.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()
    for name in ("unet", "vae", "text_encoder", "text_encoder_2"):
        network = getattr(pipe, name, None)
        if network is None:
            continue
        last = channels_last and name in ("unet", "vae")
        for values, key, value in _values(network):
            dtype = DTYPES[precision] if value.is_floating_point() else value.dtype
            if last and value.dim() == 4:
                value = value.to(memory_format=torch.channels_last)
            made = empty(value, dtype)
            is_weight = isinstance(values[key], nn.Parameter)
            values[key] = nn.Parameter(made, requires_grad=False) if is_weight else made
        network.eval()
    return pipe


@contextmanager
def converting(empty: Empty) -> Iterator[None]:
    """Meanwhile `Module.to` and its like put new stand-ins in place of stand-ins.

    torch's own refuses fake tensors, and would touch memory that has no content.
    """
    with replaced(nn.Module, "_apply", _converting(empty)):
        yield


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Meanwhile `owner.name` is `value`."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def untouched(like: Tensor, dtype: torch.dtype) -> Tensor:
    """Memory that is reserved only: it costs nothing until somebody writes to it.

    Mapped from the system for each tensor alone. The C library would place many side by side on its
    heap, give out what was written to before, and keep all of it afterwards.
    Whole numbers are indices and have to be valid ones: 0.
    """
    if not dtype.is_floating_point:
        return torch.zeros_like(like, dtype=dtype, device="cpu")
    size = like.numel() * dtype.itemsize
    if not size:
        return torch.empty_like(like, dtype=dtype, device="cpu")
    mapped = torch.frombuffer(mmap.mmap(-1, size, access=mmap.ACCESS_COPY), dtype=dtype)
    return mapped.as_strided(like.shape, like.stride())


def faking(mode: FakeTensorMode) -> Empty:
    """Fake tensors: shape, type and layout, and no memory."""

    def fake(like: Tensor, dtype: torch.dtype) -> Tensor:
        with mode:
            return torch.empty_strided(like.shape, like.stride(), dtype=dtype)

    return fake


def _converting(empty: Empty) -> Any:
    def apply(module: nn.Module, convert: Any, recurse: bool = True) -> nn.Module:
        for child in module.children() if recurse else ():
            apply(child, convert)
        for values, key, value in _own_values(module):
            with torch.no_grad():
                # Only the type can change: there is one device.
                dtype = convert(torch.empty(0, dtype=value.dtype)).dtype
                if dtype == value.dtype:
                    continue
                made = empty(value, dtype)
            if isinstance(value, nn.Parameter):
                made = nn.Parameter(made, requires_grad=value.requires_grad)
            values[key] = made
        return module

    return apply


def _values(network: nn.Module) -> Iterator[tuple[dict[str, Any], str, Tensor]]:
    for module in network.modules():
        yield from _own_values(module)


def _own_values(module: nn.Module) -> Iterator[tuple[dict[str, Any], str, Tensor]]:
    """A module's own weights and buffers: (where they are kept, name, value)."""
    for values in (module._parameters, module._buffers):
        yield from ((values, key, value) for key, value in [*values.items()] if value is not None)


def folder_of(backbone: str) -> Path:
    """The folder of `toy`, or the one named; UserError when there is no such folder.

    An installed package's backbone has none before its code has run, which may download weights.
    """
    if backbone == "toy":
        return toy_folder()
    folder = Path(backbone)
    for one in offers("backbone"):
        if one.name == backbone:
            raise UserError(
                f"backbone {backbone!r} cannot be predicted: what networks it has, {one.origin} "
                "alone knows, and running that may download weights; give the folder of a model "
                "with the same networks"
            )
    if not folder.is_dir():
        expected = "or a folder made by diffusers"
        raise UserError(f"{unknown('backbone', backbone, NAMES)}, {expected}")
    pipeline_class(backbone, folder)
    return folder


def _from_folder(name: str, folder: Path) -> Any:
    import diffusers
    import transformers

    index = read_json(folder / "model_index.json")
    parts: dict[str, Any] = {}
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        if index.get(part, [None])[0] is None:
            continue
        config = read_json(folder / part / "config.json")
        if config is None:
            raise UserError(f"backbone {name!r}: {folder / part} has no config.json")
        with torch.device("meta"):
            if part.startswith("text_encoder"):
                kinds = {"text_encoder": transformers.CLIPTextModel}
                kind = kinds.get(part, transformers.CLIPTextModelWithProjection)
                parts[part] = kind(transformers.CLIPTextConfig.from_dict(config))
                number = part.removeprefix("text_encoder")
                parts[f"tokenizer{number}"] = transformers.CLIPTokenizer.from_pretrained(
                    folder / f"tokenizer{number}", local_files_only=True
                )
            elif part == "unet":
                parts[part] = diffusers.UNet2DConditionModel.from_config(config)
            else:
                parts[part] = diffusers.AutoencoderKL.from_config(config)
    scheduler = read_json(folder / "scheduler" / "scheduler_config.json")
    return put_together(pipeline_class(name, folder), scheduler, parts)
