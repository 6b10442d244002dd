"""New vocabulary entries of a pipeline: adding, training as rows, saving, loading.

A new token has a short form ("<subject>"), which prompts use, and one vector or more. The
tokenizer knows the vectors as "<subject>", "<subject>_1", "<subject>_2"...: the names that
diffusers gives them when it loads one tensor [vectors, width] under one key, and to which a
pipeline expands the short form by itself. An already expanded prompt would be expanded again.

Training touches the new rows only (`TokenRows`). The rest of the table is not even a parameter
of the optimizer, so neither weight decay nor rounding can reach it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline


@dataclass(frozen=True)
class NewToken:
    """A token of our own: its short form and the vocabulary ids of its vectors."""

    name: str
    ids: tuple[int, ...]


class TokenRows(nn.Module):
    """An embedding table whose new rows are parameters and whose other rows are frozen.

    rows: float32 parameter [new rows, width]; base: the whole table, untouched until `merge`.
    """

    remap: Tensor

    def __init__(self, base: nn.Embedding, ids: Sequence[int]) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.ids = tuple(ids)
        self.rows = nn.Parameter(base.weight.detach()[list(ids)].float().clone())
        remap = torch.full((base.num_embeddings,), -1, dtype=torch.long)
        remap[list(ids)] = torch.arange(len(self.ids))
        self.register_buffer("remap", remap.to(base.weight.device), persistent=False)

    @property
    def weight(self) -> Tensor:
        """The frozen table; transformers asks an embedding for its `weight`."""
        return self.base.weight

    def forward(self, ids: Tensor) -> Tensor:
        """Embed token ids [...] as [..., width]."""
        slot = self.remap[ids]
        own = self.rows[slot.clamp(min=0)]
        return torch.where((slot >= 0).unsqueeze(-1), own, self.base(ids))


def initial_rows(tokenizer: Any, text_encoder: Any, words: str, vectors: int = 0) -> Tensor:
    """The table's rows for the sub-words of `words`, [vectors, width].

    vectors: 0 for one row per sub-word; otherwise at most so many: the sub-words are split into
    that many runs of about equal length and each run is averaged.
    Raises ValueError when `words` is empty.
    """
    ids = tokenizer(words, add_special_tokens=False).input_ids
    if not ids:
        raise ValueError(f"initialiser {words!r}: expected at least one word")
    rows: Tensor = text_encoder.get_input_embeddings().weight.detach()[ids]
    if 0 < vectors < len(ids):
        rows = torch.stack([run.mean(dim=0) for run in torch.tensor_split(rows, vectors)])
    return rows.clone()


def add_token(tokenizer: Any, text_encoder: Any, name: str, rows: Tensor) -> NewToken:
    """Add one token with the given vectors [n, width] to the vocabulary and the table.

    Raises ValueError for a name that the tokenizer knows already or could not find again:
    upper-case letters are lowered and spaces split before tokens are looked up.
    """
    if name != name.lower() or any(letter.isspace() for letter in name) or not name:
        raise ValueError(f'token "{name}": expected lower-case letters without spaces')
    parts = [name if number == 0 else f"{name}_{number}" for number in range(len(rows))]
    if not tokenizer.get_vocab().keys().isdisjoint(parts):
        raise ValueError(f'token "{name}" is in the vocabulary already: choose another name')
    tokenizer.add_tokens(parts)
    table = text_encoder.get_input_embeddings()
    if len(tokenizer) > table.num_embeddings:
        # mean_resizing would draw the new rows at random from the global generator.
        text_encoder.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    ids = tuple(tokenizer.convert_tokens_to_ids(parts))
    _write_rows(text_encoder.get_input_embeddings(), ids, rows)
    return NewToken(name, ids)


def install(text_encoder: Any, tokens: Sequence[NewToken]) -> TokenRows:
    """Make the rows of these tokens trainable; optimise `.rows` of what comes back.

    An adapter freezes the encoder it is added to, so add adapters first.
    """
    ids = [token_id for token in tokens for token_id in token.ids]
    wrapper = TokenRows(text_encoder.get_input_embeddings(), ids)
    text_encoder.set_input_embeddings(wrapper)
    return wrapper


def merge(text_encoder: Any) -> None:
    """Write the trained rows into the table and put the table back in its place."""
    wrapper = text_encoder.get_input_embeddings()
    _write_rows(wrapper.base, wrapper.ids, wrapper.rows)
    text_encoder.set_input_embeddings(wrapper.base)


def token_rows(pipe: StableDiffusionPipeline, name: str) -> Tensor:
    """The vectors of a token that the pipeline knows, [n, width].

    Raises ValueError when it does not know the token.
    """
    known = pipe.tokenizer.get_added_vocab()
    if name not in known:
        raise ValueError(f'the pipeline has no token "{name}": train or load it first')
    ids = [known[name]]
    while f"{name}_{len(ids)}" in known:
        ids.append(known[f"{name}_{len(ids)}"])
    rows: Tensor = pipe.text_encoder.get_input_embeddings().weight.detach()[ids]
    return rows


def encode(pipe: StableDiffusionPipeline, prompts: Sequence[str], whole: bool = False) -> Tensor:
    """The text encoder's output for prompts in short form, [n, context, width].

    The last hidden states after the final layer norm, prompts padded to the full context, as in
    the pipeline itself. A prompt that is too long is cut, unless `whole`: then ValueError.
    """
    expanded = pipe.maybe_convert_prompt(list(prompts), pipe.tokenizer)
    length = pipe.tokenizer.model_max_length
    tokens = pipe.tokenizer(
        expanded, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
    )
    if whole:
        for prompt in expanded:
            needed = len(pipe.tokenizer(prompt).input_ids)
            if needed > length:
                raise ValueError(
                    f'prompt "{prompt}" has {needed} tokens, the text encoder reads {length}: '
                    "give the new tokens fewer vectors"
                )
    states: Tensor = pipe.text_encoder(tokens.input_ids.to(pipe.text_encoder.device))[0]
    return states


def save_tokens(pipe: StableDiffusionPipeline, names: Sequence[str], path: Path) -> None:
    """Write tokens as a textual inversion file, one key [n, width] per token.

    Stock `load_textual_inversion` takes a file with one key; for several use `load_tokens`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = {name: token_rows(pipe, name).cpu().contiguous() for name in names}
    save_file(rows, path)


def load_tokens(pipe: StableDiffusionPipeline, path: Path) -> list[str]:
    """Load every token of such a file through diffusers and check that its rows arrived.

    Returns the tokens' names. Raises ValueError when a row in the table is not the file's.
    """
    saved: Mapping[str, Tensor] = load_file(path)
    pipe.load_textual_inversion([{name: rows} for name, rows in saved.items()])
    for name, rows in saved.items():
        arrived = token_rows(pipe, name)
        if not torch.equal(arrived.cpu(), rows.to(arrived.dtype)):
            raise ValueError(f'{path}: token "{name}" did not arrive in the text encoder')
    return list(saved)


@torch.no_grad()
def _write_rows(table: nn.Embedding, ids: Sequence[int], rows: Tensor) -> None:
    table.weight[list(ids)] = rows.to(table.weight)
