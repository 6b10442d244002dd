"""Byte-pair encoding in the format of CLIP's tokenizer, over the words of the toy world."""

from __future__ import annotations

import itertools
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from benchmark import atomic
from benchmark.paths import data_root
from benchmark.toyworld.captions import ADJECTIVES, IDENTIFIERS, OPENINGS
from benchmark.toyworld.models import TEXT_LENGTH
from benchmark.toyworld.scenes import CLASS_NOUNS

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

VOCABULARY = 1200
START, END = "<|startoftext|>", "<|endoftext|>"
# Words of the methods' prompts that no drawing's caption holds.
METHOD_PHRASES = (
    "grayscale zoom in far away bright dark black and white flip flipped mirrored rotated crop",
    "cropped hole close up very small on the left on the right at the top at the bottom grid of",
    "photo collage of collage photo of photos of the shifted blurry blurred character style",
)


def train(work: Path) -> CLIPTokenizer:
    """Writes `work/tokenizer` and returns it as diffusers will load it.

    Every byte is in the vocabulary, alone and at the end of a word, so any text can be encoded.
    """
    words = _split_words(_texts(work))
    bytes_ = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(bytes_) * 2 - 2,
        min_frequency=1,
        show_progress=False,
        initial_alphabet=[],
        end_of_word_suffix="</w>",
    )
    tokenizer.train_from_iterator(words, trainer)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.model.save(folder)
        lines = (Path(folder) / "merges.txt").read_text(encoding="utf-8").splitlines()
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#")]
    # CLIP's order: bytes, bytes that end a word, merges, then the two special tokens.
    names = [*bytes_, *(b + "</w>" for b in bytes_), *("".join(pair) for pair in merges)]
    names = [*dict.fromkeys(names), START, END]
    vocabulary = {name: i for i, name in enumerate(names)}
    _save(work / "tokenizer", vocabulary, merges)
    return load(work)


def load(work: Path) -> CLIPTokenizer:
    """The tokenizer that `train` wrote into the folder `work`."""
    from transformers import CLIPTokenizer

    tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(work / "tokenizer")
    return tokenizer


def encode(tokenizer: CLIPTokenizer, texts: list[str]) -> Any:
    """Token ids, int64 tensor [n, 32], padded with the end token."""
    return tokenizer(
        texts,
        padding="max_length",
        max_length=TEXT_LENGTH,
        truncation=True,
        return_tensors="pt",
    ).input_ids


def _texts(work: Path) -> Iterable[str]:
    import json

    with (work / "data" / "train.jsonl").open() as file:
        for line in itertools.islice(file, 20000):
            yield from (c["text"] for c in json.loads(line)["captions"])
    # Rare words become whole tokens when they are frequent enough here.
    rare = [*METHOD_PHRASES, *IDENTIFIERS, *ADJECTIVES, *OPENINGS, *CLASS_NOUNS]
    for text in [*rare, *_dreambench_prompts()]:
        yield from itertools.repeat(text, 200)


def _dreambench_prompts() -> list[str]:
    found: list[str] = []

    def strings(value: object) -> None:
        if isinstance(value, str):
            found.append(value.replace("{subject}", " "))
        elif isinstance(value, dict):
            for child in value.values():
                strings(child)
        elif isinstance(value, list):
            for child in value:
                strings(child)

    strings(tomllib.loads((data_root() / "dreambench" / "prompts.toml").read_text()))
    return found


def _split_words(texts: Iterable[str]) -> Iterable[str]:
    """Words as CLIP's tokenizer splits them, in its byte alphabet."""
    clean = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    split = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(pattern=_clip_pattern(), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    counts: Counter[str] = Counter()
    for text, number in Counter(texts).items():
        for word, _ in split.pre_tokenize_str(clean.normalize_str(text)):
            counts[word] += number
    for word, number in counts.items():
        # Ranks matter, not counts: the same merges come from a hundredth of the corpus.
        yield from itertools.repeat(word, max(1, number // 100))


def _clip_pattern() -> Any:
    from tokenizers import Regex

    return Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")


def _save(folder: Path, vocabulary: dict[str, int], merges: list[tuple[str, ...]]) -> None:
    atomic.write_json(folder / "vocab.json", vocabulary)
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    atomic.write_text(folder / "merges.txt", "\n".join(lines) + "\n")
    end = vocabulary[END]
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    atomic.write_json(folder / "special_tokens_map.json", special)
    config = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": TEXT_LENGTH,
        "errors": "replace",
        "added_tokens_decoder": {
            str(i): {
                "content": token,
                "lstrip": False,
                "normalized": False,
                "rstrip": False,
                "single_word": False,
                "special": True,
            }
            for i, token in ((end - 1, START), (end, END))
        },
        **special,
    }
    atomic.write_json(folder / "tokenizer_config.json", config)
