"""The cross-attention's key and value weights: training, saving and loading them alone.

Custom Diffusion (Kumari et al., arXiv 2212.04488, section 3.2): of all the UNet's weights, those
that read the text change most when a model is fine-tuned, so they are trained and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


def layers_of(pipe: Any) -> dict[str, nn.Linear]:
    """The layers, without bias, by the names that the UNet's state has for their weights."""
    return {
        f"{name}.weight": layer
        for name, layer in pipe.unet.named_modules()
        if name.endswith((".attn2.to_k", ".attn2.to_v"))
    }


@contextmanager
def start_of_text_held(pipe: Any) -> Iterator[None]:
    """No gradient passes through the keys and values of the first token, start-of-text.

    It is the same in every prompt, so what it says is not to change for one subject's sake.
    """

    def hold(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return torch.cat([output[:, :1].detach(), output[:, 1:]], dim=1)

    hooks = [layer.register_forward_hook(hold) for layer in layers_of(pipe).values()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def save(pipe: Any, path: Path) -> None:
    """Write a file for stock `unet.load_state_dict(load_file(path), strict=False)`.

    diffusers has a format of its own for Custom Diffusion, but `unet.load_attn_procs` passes
    over such a file without a word.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    layers = layers_of(pipe)
    save_file({name: layer.weight.detach().cpu() for name, layer in layers.items()}, path)


def load(pipe: Any, path: Path) -> None:
    """Load such a file and check that every weight arrived.

    Raises ValueError when the file holds anything but the weights of this UNet's layers.
    """
    saved, layers = load_file(path), layers_of(pipe)
    for name in sorted(saved.keys() | layers.keys()):
        found = list(saved[name].shape) if name in saved else "nothing"
        expected = list(layers[name].weight.shape) if name in layers else "nothing"
        if found != expected:
            raise ValueError(f"{path}: {name}: expected {expected}, found {found}")
    pipe.unet.load_state_dict(saved, strict=False)
    for name, layer in layers.items():
        if not torch.equal(layer.weight.cpu(), saved[name].to(layer.weight.dtype)):
            raise ValueError(f"{path}: {name} did not arrive in the UNet")
