"""LoRA on text encoders and the UNet: adding, saving and loading it in diffusers' format.

TextBoost v1, section on the text encoder's adaptation: rank 4 on every linear layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from textboost.conditioning import text_encoders

FILE = "pytorch_lora_weights.safetensors"


def add_lora(
    network: Any,
    rank: int,
    targets: Sequence[str],
    generator: torch.Generator,
    layers: int | None = None,
) -> list[nn.Parameter]:
    """Add LoRA to the named linear layers and return its float32 parameters.

    layers: of a text encoder, only to that many from the input on.

    network: a text encoder or a UNet, whose own weights it freezes. alpha = rank, so the product
    of the factors is added unscaled and a file without alpha loads right. A ~ N(0, 1/rank) drawn
    from `generator` (CPU), B = 0: the network's output is the same as before.
    Raises ValueError when no layer has such a name.
    """
    from peft import LoraConfig

    config = LoraConfig(
        r=rank,
        lora_alpha=rank,
        target_modules=list(targets),
        init_lora_weights="gaussian",
        layers_to_transform=None if layers is None else list(range(layers)),
        layers_pattern=None if layers is None else "layers",
    )
    network.add_adapter(config)
    parameters = []
    for name, parameter in network.named_parameters():
        if "lora_" not in name:
            continue
        parameter.data = parameter.data.float()
        if "lora_A" in name:
            # peft draws from the global generator; draw again from ours.
            noise = torch.randn(parameter.shape, generator=generator) / rank
            with torch.no_grad():
                parameter.copy_(noise)
        parameters.append(parameter)
    return parameters


@contextmanager
def without_lora(pipe: Any) -> Iterator[None]:
    """The text encoders as they were before the adapter: the teacher, at no cost in memory."""
    for _, text_encoder in text_encoders(pipe):
        text_encoder.disable_adapters()
    try:
        yield
    finally:
        for _, text_encoder in text_encoders(pipe):
            text_encoder.enable_adapters()


def save_lora(pipe: Any, folder: Path) -> None:
    """Write `pytorch_lora_weights.safetensors`, which `pipe.load_lora_weights(folder)` reads.

    It holds the LoRA of the UNet and of the text encoders, of those that have one. The text
    encoders' keys start with "text_encoder.text_model.", the form that every version of
    diffusers and the other tools of that ecosystem know; recent transformers would leave out
    "text_model.".
    """
    from diffusers.utils import convert_state_dict_to_diffusers

    folder.mkdir(parents=True, exist_ok=True)
    layers = {}
    for name, network in _adapted(pipe).items():
        prefix = "" if name == "unet" else "text_model."
        state = {f"{prefix}{key}": value.cpu() for key, value in _state(network).items()}
        layers[f"{name}_lora_layers"] = convert_state_dict_to_diffusers(state)
    pipe.save_lora_weights(folder, **layers)


def load_lora(pipe: Any, folder: Path) -> None:
    """Load the file of `save_lora` through diffusers and check that every factor arrived.

    Raises ValueError when a factor in a network is not the file's.
    """
    from diffusers.utils import convert_state_dict_to_peft

    pipe.load_lora_weights(folder, weight_name=FILE)
    file = {
        key.replace(".text_model.", "."): value
        for key, value in convert_state_dict_to_peft(load_file(folder / FILE)).items()
    }
    arrived = {
        f"{name}.{key}": value
        for name, network in _adapted(pipe).items()
        for key, value in _state(network).items()
    }
    same = arrived.keys() == file.keys() and all(
        torch.equal(value.cpu(), file[key].to(value.dtype)) for key, value in arrived.items()
    )
    if not same:
        raise ValueError(f"{folder / FILE}: the LoRA did not arrive in the pipeline")


def _adapted(pipe: Any) -> dict[str, Any]:
    """The networks that carry an adapter, by the names that diffusers gives them in files."""
    networks = {"unet": pipe.unet, "text_encoder": pipe.text_encoder}
    networks["text_encoder_2"] = getattr(pipe, "text_encoder_2", None)
    return {k: v for k, v in networks.items() if getattr(v, "peft_config", None)}


def _state(network: Any) -> dict[str, Tensor]:
    """The adapter's factors, "encoder.layers.0.self_attn.q_proj.lora_A.weight" and so on."""
    from peft import get_peft_model_state_dict

    active = network.active_adapters
    names = active() if callable(active) else active
    # Left to itself peft adds the whole embedding table, because it has grown.
    state: dict[str, Tensor] = get_peft_model_state_dict(
        network, adapter_name=names[0], save_embedding_layers=False
    )
    return {name.removeprefix("text_model."): value for name, value in state.items()}
