"""What the text encoders tell the UNet: one encoder in Stable Diffusion, two in SDXL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Conditioning:
    """states: [n, context, width]; pooled: [n, width of the second encoder], SDXL alone."""

    states: Tensor
    pooled: Tensor | None = None


def text_encoders(pipe: Any) -> list[tuple[Any, Any]]:
    """The pipeline's (tokenizer, text encoder) pairs: one, or two in SDXL."""
    pairs = [(pipe.tokenizer, pipe.text_encoder)]
    if getattr(pipe, "text_encoder_2", None) is not None:
        pairs.append((pipe.tokenizer_2, pipe.text_encoder_2))
    return pairs


def encode(
    pipe: Any, prompts: Sequence[str], whole: bool = False, expand: bool = True
) -> Conditioning:
    """Encode prompts as the pipeline itself does, new tokens in their short form.

    Stable Diffusion reads the last hidden states after the final layer norm; SDXL reads the
    last but one of both encoders, side by side, and the second one's pooled output. Prompts are
    padded to the full context. A prompt that is too long is cut, unless `whole`: ValueError.
    expand: False for prompts that spell out the vectors of new tokens already.
    """
    pairs = text_encoders(pipe)
    if expand:
        prompts = [pipe.maybe_convert_prompt(prompt, pipe.tokenizer) for prompt in prompts]
    if len(pairs) == 1:
        return Conditioning(_read(*pairs[0], prompts, whole)[0])
    outputs = [_read(*pair, prompts, whole, output_hidden_states=True) for pair in pairs]
    states = torch.cat([output.hidden_states[-2] for output in outputs], dim=-1)
    return Conditioning(states, outputs[-1][0])


def layers_read(pipe: Any) -> list[int]:
    """Per text encoder, how many of its layers the pipeline's reading depends on.

    SDXL reads the last but one hidden states of both encoders, and beside them the pooled output of
    the second alone: the first one's last layer reaches nothing.
    """
    counts = [encoder.config.num_hidden_layers for _, encoder in text_encoders(pipe)]
    return counts if len(counts) == 1 else [counts[0] - 1, *counts[1:]]


def pool_at_end_of_text(pipe: Any) -> None:
    """Let pooled outputs be read at the end of the text whatever tokens are added.

    The published configurations name 2 as the end of text, upon which transformers pools at the
    highest id of a prompt. That is the end of text until tokens are added, whose ids are higher:
    SDXL, which reads the pooled output, would then be told of the new token alone.
    """
    for tokenizer, text_encoder in text_encoders(pipe):
        for module in text_encoder.modules():
            if getattr(module, "eos_token_id", None) == 2:
                module.eos_token_id = tokenizer.eos_token_id


def hidden_states(pipe: Any, prompts: Sequence[str]) -> list[Tensor]:
    """What the UNet reads of each text encoder, [n, context, width] apiece."""
    states = encode(pipe, prompts).states
    widths = [encoder.config.hidden_size for _, encoder in text_encoders(pipe)]
    return list(torch.split(states, widths, dim=-1))


def encode_once(pipe: Any) -> Callable[[list[str]], Conditioning]:
    """An `encode` for frozen text encoders: no gradient, and every prompt is read only once."""
    kept: dict[str, Conditioning] = {}

    def encode_kept(prompts: list[str]) -> Conditioning:
        for prompt in dict.fromkeys(prompts):
            if prompt not in kept:
                with torch.no_grad():
                    kept[prompt] = encode(pipe, [prompt], whole=True)
        found = [kept[prompt] for prompt in prompts]
        pooled = [one.pooled for one in found if one.pooled is not None]
        states = torch.cat([one.states for one in found])
        return Conditioning(states, torch.cat(pooled) if pooled else None)

    return encode_kept


def _read(
    tokenizer: Any, text_encoder: Any, prompts: Sequence[str], whole: bool, **options: bool
) -> Any:
    length = tokenizer.model_max_length
    tokens = tokenizer(
        list(prompts), padding="max_length", truncation=True, max_length=length, return_tensors="pt"
    )
    if whole:
        for prompt in prompts:
            needed = len(tokenizer(prompt).input_ids)
            if needed > length:
                raise ValueError(
                    f'prompt "{prompt}" has {needed} tokens, the text encoder reads {length}: '
                    "give the new tokens fewer vectors"
                )
    return text_encoder(tokens.input_ids.to(text_encoder.device), **options)
