"""LoRA on the text encoder: adding, counting, saving and loading it in diffusers' format.

TextBoost v1, section on the text encoder's adaptation: rank 4 on every linear layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

# The six linear layers of a CLIP layer, as in the code of the paper's time.
ALL_LINEAR = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
FILE = "pytorch_lora_weights.safetensors"
PREFIX = "text_encoder."


def add_lora(
    text_encoder: Any,
    rank: int,
    targets: Sequence[str] = ALL_LINEAR,
    generator: torch.Generator | None = None,
) -> list[nn.Parameter]:
    """Add LoRA to the named linear layers and return its parameters, the only trainable ones.

    alpha = rank, so the product of the factors is added unscaled and a file without alpha loads
    right. A ~ N(0, 1/rank) drawn from `generator` (CPU), B = 0: the encoder's output is the same
    as before. Raises ValueError when no layer has such a name.
    """
    from peft import LoraConfig

    config = LoraConfig(
        r=rank, lora_alpha=rank, target_modules=list(targets), init_lora_weights="gaussian"
    )
    text_encoder.add_adapter(config)
    parameters = []
    for name, parameter in text_encoder.named_parameters():
        if "lora_A" in name:
            # peft draws from the global generator; draw again from ours.
            noise = torch.randn(parameter.shape, generator=generator) / rank
            with torch.no_grad():
                parameter.copy_(noise)
        if "lora_" in name:
            parameters.append(parameter)
    return parameters


@contextmanager
def without_lora(text_encoder: Any) -> Iterator[None]:
    """The encoder as it was before the adapter: the teacher, at no cost in memory."""
    text_encoder.disable_adapters()
    try:
        yield
    finally:
        text_encoder.enable_adapters()


def save_lora(pipe: StableDiffusionPipeline, folder: Path) -> None:
    """Write `pytorch_lora_weights.safetensors`, which `pipe.load_lora_weights(folder)` reads.

    The keys start with "text_encoder.text_model.", the form that every version of diffusers and
    the other tools of that ecosystem know; recent transformers would leave out "text_model.".
    """
    from diffusers.utils import convert_state_dict_to_diffusers

    folder.mkdir(parents=True, exist_ok=True)
    state = {f"text_model.{name}": value.cpu() for name, value in _state(pipe).items()}
    pipe.save_lora_weights(folder, text_encoder_lora_layers=convert_state_dict_to_diffusers(state))


def load_lora(pipe: StableDiffusionPipeline, folder: Path) -> None:
    """Load the file of `save_lora` through diffusers and check that every factor arrived.

    Raises ValueError when a factor in the encoder is not the file's.
    """
    from diffusers.utils import convert_state_dict_to_peft

    pipe.load_lora_weights(folder, weight_name=FILE)
    file = {
        key.removeprefix(PREFIX).removeprefix("text_model."): value
        for key, value in convert_state_dict_to_peft(load_file(folder / FILE)).items()
    }
    arrived = _state(pipe)
    same = arrived.keys() == file.keys() and all(
        torch.equal(value.cpu(), file[key].to(value.dtype)) for key, value in arrived.items()
    )
    if not same:
        raise ValueError(f"{folder / FILE}: the LoRA did not arrive in the text encoder")


def _state(pipe: StableDiffusionPipeline) -> dict[str, Tensor]:
    """The adapter's factors, "encoder.layers.0.self_attn.q_proj.lora_A.weight" and so on."""
    from peft import get_peft_model_state_dict

    encoder: Any = pipe.text_encoder
    adapter = encoder.active_adapters()[0]
    # Left to itself peft adds the whole embedding table, because it has grown.
    state: dict[str, Tensor] = get_peft_model_state_dict(
        encoder, adapter_name=adapter, save_embedding_layers=False
    )
    return {name.removeprefix("text_model."): value for name, value in state.items()}
