"""CLIP's tokenizer, built from the list of merges that open_clip ships."""

from __future__ import annotations

import gzip
import json
from importlib.util import find_spec
from pathlib import Path

START, END = "<|startoftext|>", "<|endoftext|>"
CONTEXT = 77
MERGES = 49152 - 256 - 2
"""CLIP uses this many lines of the list: its vocabulary is that of 49152 words less the 256 bytes
and less two special words, and counts the bytes once more as ends of words."""


def tokenizer_files(padding: str) -> dict[str, str]:
    """File name -> content of a tokenizer in the form in which the hub's models have it.

    vocab.json and merges.txt are the published files to the byte. `padding` is the word that fills
    a prompt up: END in Stable Diffusion 1.5, "!" in 2.1.
    """
    merges = _merges()
    letters = _byte_letters()
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    words += ["".join(merge.split()) for merge in merges]
    words += [START, END]
    vocabulary = {word: number for number, word in enumerate(words)}
    config = {
        "add_prefix_space": False,
        "bos_token": START,
        "do_lower_case": True,
        "eos_token": END,
        "errors": "replace",
        "model_max_length": CONTEXT,
        "pad_token": padding,
        "tokenizer_class": "CLIPTokenizer",
        "unk_token": END,
    }
    return {
        "vocab.json": _as_json(vocabulary),
        "merges.txt": "\n".join(["#version: 0.2", *merges, ""]),
        "tokenizer_config.json": _as_json(config),
    }


def _as_json(content: dict[str, object] | dict[str, int]) -> str:
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _merges() -> list[str]:
    """Pairs of pieces that become one, the most frequent first: "i n"."""
    spec = find_spec("open_clip")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "bpe_simple_vocab_16e6.txt.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return lines.read().split("\n")[1 : 1 + MERGES]


def _byte_letters() -> list[str]:
    """A letter for each of the 256 bytes: itself where it prints, else one from 256 on."""
    printing = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1)]
    printing += range(ord("®"), ord("ÿ") + 1)
    others = 256 - len(printing)
    return [chr(number) for number in [*printing, *range(256, 256 + others)]]
