"""v2's adapters: they change a prompt from the new token on and leave what stands before alone.

TextBoost v2 (arXiv 2409.08248v2), causality-preserved adaptation: behind the second linear layer
of every MLP of the text encoder, out = fc2(x) + m * (x W_down W_up). The mask m is 1 from the
first new token to the first end of text, and 0 elsewhere. Attention is causal, so all states in
front of the new token, and all of a prompt without one, are the pretrained ones bit for bit.

TextBoost++ adapts the text once more in front of every cross-attention of the UNet,
H + m * (H W_down W_up), for keys and values alike; the text encoder's last layer then has no
adapter, as in the authors' code.

Each mask is read off the prompt on its way through the text encoder. The UNet is not told which
prompts it is given: it takes those that `pipe.encode_prompt` or else the text encoder read last,
and refuses a batch that does not fit them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from textboost.conditioning import layers_read, text_encoders
from textboost.tokens import token_ids

ADAPTERS = ("causal", "causal+cross-attention")
FILE = "causal_adapters.safetensors"
# What an adapted layer's adapter is called, and what the files' keys end in.
NAME = "causal_adapter"


class Adapter(nn.Module):
    """x W_down W_up, without bias: W_down ~ N(0, 1/rank) from `generator` (CPU), W_up = 0.

    down: [inputs, rank], up: [rank, outputs], float32.
    """

    def __init__(
        self, inputs: int, outputs: int, rank: int, generator: torch.Generator, device: torch.device
    ) -> None:
        super().__init__()
        noise = torch.randn(inputs, rank, generator=generator, device="cpu") / rank
        self.down = nn.Parameter(noise.to(device))
        self.up = nn.Parameter(torch.zeros(rank, outputs, device=device))

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] to [..., outputs]."""
        change: Tensor = x.to(self.down.dtype) @ self.down @ self.up
        return change


class Reach:
    """Where the adapters act in what was read last: `mask`, bool [prompts, context, 1]."""

    def __init__(self, new_ids: Sequence[int], end_of_text: int) -> None:
        self._new_ids = torch.tensor(new_ids)
        self._end_of_text = end_of_text
        self.mask: Tensor | None = None

    def read(self, ids: Tensor) -> None:
        """Take the mask of token ids [prompts, context]."""
        is_new = torch.isin(ids, self._new_ids.to(ids.device))
        is_end = ids == self._end_of_text
        ended_before = is_end.cumsum(dim=1) - is_end.long() > 0
        self.mask = ((is_new.cumsum(dim=1) > 0) & ~ended_before).unsqueeze(-1)

    def where(self, x: Tensor) -> Tensor:
        """The mask for x, [batch, context, width]. Raises ValueError when it is another text's."""
        if self.mask is None or self.mask.shape[:2] != x.shape[:2]:
            known = "none" if self.mask is None else "x".join(map(str, self.mask.shape[:2]))
            raise ValueError(
                f"the adapters got states of {x.shape[0]}x{x.shape[1]} tokens, but read {known}: "
                "give the pipeline its prompts as text"
            )
        return self.mask.to(x.device)


def attach(
    pipe: Any, adapter: str, rank: int, names: Sequence[str], generator: torch.Generator
) -> list[nn.Parameter]:
    """Add the adapters for the new tokens `names` and return their float32 parameters.

    The pipeline makes the same pictures as before, until they are trained or loaded.
    Raises ValueError for an adapter that is not one of `ADAPTERS`, for a pipeline that has such
    adapters already, and for TextBoost++ on a pipeline with two text encoders.
    """
    if adapter not in ADAPTERS:
        raise ValueError(f'adapter "{adapter}": expected {" or ".join(ADAPTERS)}')
    if adapters(pipe):
        raise ValueError("the pipeline has causal adapters already: open a fresh one")
    pairs = text_encoders(pipe)
    with_unet = adapter == "causal+cross-attention"
    if with_unet and len(pairs) > 1:
        raise ValueError("TextBoost++ is defined for one text encoder, this backbone has two")
    reaches = []
    for (tokenizer, text_encoder), ids, read in zip(
        pairs, token_ids(pipe, names), layers_read(pipe), strict=True
    ):
        reach = Reach(ids, tokenizer.eos_token_id)
        text_encoder.register_forward_pre_hook(_reading(reach), with_kwargs=True)
        layers = [m for name, m in text_encoder.named_modules() if name.endswith("mlp.fc2")]
        for layer in layers[:-1] if with_unet else layers[:read]:
            _add(layer, layer.in_features, layer.out_features, rank, generator)
            layer.register_forward_hook(_behind(reach))
        reaches.append(reach)
    if with_unet:
        _read_by_pipeline(pipe, reaches[0])
        for name, attention in list(pipe.unet.named_modules()):
            if name.endswith("attn2"):
                width = attention.to_k.in_features
                _add(attention, width, width, rank, generator)
                attention.register_forward_pre_hook(_in_front(reaches[0]), with_kwargs=True)
    return [weight for one in adapters(pipe).values() for weight in one.parameters()]


def adapters(pipe: Any) -> dict[str, Adapter]:
    """The pipeline's adapters, by the names that they have in files."""
    networks = {"text_encoder": pipe.text_encoder, "unet": pipe.unet}
    networks["text_encoder_2"] = getattr(pipe, "text_encoder_2", None)
    return {
        # Recent transformers leaves out "text_model." where older ones have it.
        f"{network}.{name.removeprefix('text_model.').removesuffix(f'.{NAME}')}": module
        for network, modules in networks.items()
        if modules is not None
        for name, module in modules.named_modules()
        if isinstance(module, Adapter)
    }


def save(pipe: Any, folder: Path) -> None:
    """Write the adapters to `causal_adapters.safetensors`, two matrices for each."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(_weights(adapters(pipe)), folder / FILE)


def load(pipe: Any, folder: Path, adapter: str, names: Sequence[str]) -> None:
    """Put the adapters of `save` onto a pipeline that knows the new tokens `names`.

    Raises ValueError as `attach` does, and when the file was made for another backbone.
    """
    saved = load_file(folder / FILE)
    rank = next((down.shape[1] for key, down in saved.items() if key.endswith(".down")), 1)
    attach(pipe, adapter, rank, names, torch.Generator())
    own = _weights(adapters(pipe))
    if {k: w.shape for k, w in own.items()} != {k: w.shape for k, w in saved.items()}:
        raise ValueError(f"{folder / FILE}: made for another backbone than this pipeline's")
    for name, module in adapters(pipe).items():
        module.requires_grad_(False).to(getattr(pipe, name.partition(".")[0]).dtype)
        for part, weight in module.named_parameters():
            weight.copy_(saved[f"{name}.{part}"])


def _weights(found: Mapping[str, Adapter]) -> dict[str, Tensor]:
    return {
        f"{name}.{part}": weight.detach().cpu().contiguous()
        for name, module in found.items()
        for part, weight in module.named_parameters()
    }


def _add(
    layer: nn.Module, inputs: int, outputs: int, rank: int, generator: torch.Generator
) -> None:
    device = next(layer.parameters()).device
    layer.add_module(NAME, Adapter(inputs, outputs, rank, generator, device))


def _reading(reach: Reach) -> Any:
    """Before the text encoder: see what it is about to read."""

    def read(_: nn.Module, args: tuple[Any, ...], given: dict[str, Any]) -> None:
        reach.read(args[0] if args else given["input_ids"])

    return read


def _behind(reach: Reach) -> Any:
    """After fc2: add to its output, [prompts, context, width], where the mask is 1."""

    def add(layer: Any, args: tuple[Any, ...], output: Tensor) -> Tensor:
        changed = output + layer.get_submodule(NAME)(args[0]).to(output.dtype)
        return torch.where(reach.where(output), changed, output)

    return add


def _in_front(reach: Reach) -> Any:
    """Before a cross-attention: change the text that it attends to."""

    def change(
        attention: Any, args: tuple[Any, ...], given: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        states = given["encoder_hidden_states"]
        changed = states + attention.get_submodule(NAME)(states).to(states.dtype)
        changed = torch.where(reach.where(states), changed, states)
        return args, {**given, "encoder_hidden_states": changed}

    return change


def _read_by_pipeline(pipe: Any, reach: Reach) -> None:
    """Let the pipeline's own calls tell the UNet what they read, in the order it is given that.

    `encode_prompt` reads the prompts and then, for guidance, the negative ones; every one stands
    for `num_images_per_prompt` pictures, and the UNet is given the negative ones first.
    """
    encode_prompt = pipe.encode_prompt

    def encode_and_note(*args: Any, **given: Any) -> Any:
        reads: list[Tensor] = []

        def note(*_: Any) -> None:
            if reach.mask is not None:
                reads.append(reach.mask)

        reach.mask = None
        hook = pipe.text_encoder.register_forward_hook(note)
        try:
            states = encode_prompt(*args, **given)
        finally:
            hook.remove()
        # Embeddings in place of text leave no mask, and the UNet's adapters then say so.
        wanted = [part for part in states if part is not None]
        reach.mask = None
        if len(reads) == len(wanted):
            each = [
                mask.repeat_interleave(len(part) // len(mask), dim=0)
                for mask, part in zip(reads, wanted, strict=True)
            ]
            reach.mask = torch.cat(each[::-1])
        return states

    pipe.encode_prompt = encode_and_note
