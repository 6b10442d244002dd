"""New vocabulary entries of a pipeline: adding, training as rows, saving, loading.

A new token has a short form ("<subject>"), which prompts use, and one vector or more. The
tokenizer knows the vectors as "<subject>", "<subject>_1", "<subject>_2"...: the names that
diffusers gives them when it loads one tensor [vectors, width] under one key, and to which a
pipeline expands the short form by itself. An already expanded prompt would be expanded again.

Training touches the new rows only (`TokenRows`). The rest of the table is not even a parameter
of the optimizer, so neither weight decay nor rounding can reach it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from textboost.conditioning import pool_at_end_of_text, text_encoders

# The keys that files for SDXL have, in the order of its text encoders.
SDXL_KEYS = ["clip_l", "clip_g"]


@dataclass(frozen=True)
class NewToken:
    """A token of our own: its short form and, per text encoder, the ids of its vectors."""

    name: str
    ids: tuple[tuple[int, ...], ...]


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
        own = self.rows[slot.clamp(min=0)].to(self.base.weight.dtype)
        return torch.where((slot >= 0).unsqueeze(-1), own, self.base(ids))


def placeholders(placeholder: str, count: int) -> list[str]:
    """The new tokens of so many concepts: "<subject>", "<subject-2>", "<subject-3>"..."""
    stem, bracket = placeholder.removesuffix(">"), ">" if placeholder.endswith(">") else ""
    return [placeholder] + [f"{stem}-{number}{bracket}" for number in range(2, count + 1)]


def placeholder_file(number: int) -> str:
    """The file of the placeholder of concept 0, 1, ..."""
    return (
        "learned_embeds.safetensors" if number == 0 else f"learned_embeds_{number + 1}.safetensors"
    )


def initial_rows(pipe: Any, words: str, vectors: int = 0) -> list[Tensor]:
    """Each table's rows for the sub-words of `words`, [vectors, width] apiece.

    vectors: 0 for one row per sub-word; otherwise at most so many: the sub-words are split into
    that many runs of about equal length and each run is averaged.
    Raises ValueError when `words` is empty.
    """
    found = []
    for tokenizer, text_encoder in text_encoders(pipe):
        ids = tokenizer(words, add_special_tokens=False).input_ids
        if not ids:
            raise ValueError(f"initialiser {words!r}: expected at least one word")
        rows: Tensor = text_encoder.get_input_embeddings().weight.detach()[ids]
        if 0 < vectors < len(ids):
            rows = torch.stack([run.mean(dim=0) for run in torch.tensor_split(rows, vectors)])
        found.append(rows.clone())
    return found


def add_token(pipe: Any, name: str, rows: Sequence[Tensor]) -> NewToken:
    """Add one token to the vocabularies and tables; rows: its vectors [n, width] in each.

    Raises ValueError for a name that the tokenizer knows already or could not find again:
    upper-case letters are lowered and spaces split before tokens are looked up.
    """
    if name != name.lower() or any(letter.isspace() for letter in name) or not name:
        raise ValueError(f'token "{name}": expected lower-case letters without spaces')
    pool_at_end_of_text(pipe)
    parts = [name if number == 0 else f"{name}_{number}" for number in range(len(rows[0]))]
    ids = []
    for (tokenizer, text_encoder), start in zip(text_encoders(pipe), rows, strict=True):
        if not tokenizer.get_vocab().keys().isdisjoint(parts):
            raise ValueError(f'token "{name}" is in the vocabulary already: choose another name')
        tokenizer.add_tokens(parts)
        table = text_encoder.get_input_embeddings()
        if len(tokenizer) > table.num_embeddings:
            # mean_resizing would draw the new rows at random from the global generator.
            text_encoder.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        ids.append(tuple(tokenizer.convert_tokens_to_ids(parts)))
        _write_rows(text_encoder.get_input_embeddings(), ids[-1], start)
    return NewToken(name, tuple(ids))


def install(pipe: Any, tokens: Sequence[NewToken]) -> list[TokenRows]:
    """Make the rows of these tokens trainable, one `TokenRows` per text encoder.

    Optimise their `.rows`. An adapter freezes the encoder it is added to: add adapters first.
    """
    wrappers = []
    for number, (_, text_encoder) in enumerate(text_encoders(pipe)):
        ids = [token_id for token in tokens for token_id in token.ids[number]]
        wrappers.append(TokenRows(text_encoder.get_input_embeddings(), ids))
        text_encoder.set_input_embeddings(wrappers[-1])
    return wrappers


def merge(pipe: Any) -> None:
    """Write the trained rows into the tables and put the tables back in their places."""
    for _, text_encoder in text_encoders(pipe):
        wrapper = text_encoder.get_input_embeddings()
        _write_rows(wrapper.base, wrapper.ids, wrapper.rows)
        text_encoder.set_input_embeddings(wrapper.base)


def token_ids(pipe: Any, names: Sequence[str]) -> list[list[int]]:
    """The ids of all vectors of these tokens, a list for each text encoder.

    Raises ValueError when the pipeline does not know a token.
    """
    found: list[list[int]] = []
    for tokenizer, _ in text_encoders(pipe):
        known = tokenizer.get_added_vocab()
        found.append([])
        for name in names:
            if name not in known:
                raise ValueError(f'the pipeline has no token "{name}": train or load it first')
            part, number = name, 0
            while part in known:
                found[-1].append(known[part])
                number += 1
                part = f"{name}_{number}"
    return found


def token_rows(pipe: Any, name: str) -> list[Tensor]:
    """The vectors of a token in each text encoder, [n, width] apiece.

    Raises ValueError when the pipeline does not know the token.
    """
    return [
        text_encoder.get_input_embeddings().weight.detach()[ids]
        for (_, text_encoder), ids in zip(text_encoders(pipe), token_ids(pipe, [name]), strict=True)
    ]


def save_token(pipe: Any, name: str, path: Path) -> None:
    """Write a token as a textual inversion file for stock `load_textual_inversion`.

    One key, the token's name, [n, width]; for SDXL the keys clip_l and clip_g.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = token_rows(pipe, name)
    keys = [name] if len(rows) == 1 else SDXL_KEYS
    # A clone: a slice would be written with the storage of the whole table behind it.
    save_file({key: row.cpu().clone() for key, row in zip(keys, rows, strict=True)}, path)


def load_token(pipe: Any, name: str, path: Path) -> None:
    """Load such a file through diffusers and check that the rows arrived.

    Raises ValueError when a row in a table is not the file's.
    """
    pool_at_end_of_text(pipe)
    saved = load_file(path)
    pairs = text_encoders(pipe)
    keys = [name] if len(pairs) == 1 else SDXL_KEYS
    if saved.keys() != set(keys):
        raise ValueError(f"{path}: expected {', '.join(keys)}, found {', '.join(saved)}")
    for key, (tokenizer, text_encoder) in zip(keys, pairs, strict=True):
        pipe.load_textual_inversion(
            saved[key], token=name, tokenizer=tokenizer, text_encoder=text_encoder
        )
    for key, arrived in zip(keys, token_rows(pipe, name), strict=True):
        if not torch.equal(arrived.cpu(), saved[key].to(arrived.dtype)):
            raise ValueError(f'{path}: token "{name}" did not arrive in the text encoder')


@torch.no_grad()
def _write_rows(table: nn.Embedding, ids: Sequence[int], rows: Tensor) -> None:
    table.weight[list(ids)] = rows.to(table.weight)
