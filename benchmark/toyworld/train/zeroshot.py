"""Zero-shot accuracy of class, background and colour, as the toy CLIP tells them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark.toyworld.captions import plain_caption
from benchmark.toyworld.scenes import BACKGROUNDS, CLASS_NOUNS, COLORS
from benchmark.toyworld.train.autoencoder import as_pixels
from benchmark.toyworld.train.corpus import FACTS, Corpus

PLACES = tuple(name for name in BACKGROUNDS if name != "studio")


@dataclass(frozen=True)
class Reader:
    """A saved toy CLIP."""

    model: Any
    tokenize: Any

    @torch.inference_mode()
    def pictures(self, pictures: NDArray[np.uint8]) -> Tensor:
        """uint8 [n, 64, 64, 3] to unit rows [n, d]."""
        parts = [
            self.model.encode_image(as_pixels(pictures[start : start + 64]))
            for start in range(0, len(pictures), 64)
        ]
        return functional.normalize(torch.cat(parts).float(), dim=-1)

    @torch.inference_mode()
    def texts(self, texts: list[str]) -> Tensor:
        """[n, d], the texts' embeddings, as 32-bit rows of length 1."""
        return functional.normalize(self.model.encode_text(self.tokenize(texts)).float(), dim=-1)


def open_reader(folder: Path) -> Reader:
    """Opens what `clip.save` wrote, through open_clip's own loader."""
    name = f"local-dir:{folder}"
    model = open_clip.create_model(name, require_pretrained=True).eval()
    return Reader(model, open_clip.get_tokenizer(name))


def answers(
    reader: Reader, pictures: NDArray[np.uint8], facts: list[dict[str, str]]
) -> dict[str, list[str | None]]:
    """What the CLIP says each picture shows; None where the question cannot be asked.

    Class: "a dog" against all nouns. Background: its phrase against all phrases; the plain room
    has none. Colour: "a red dog" against all colours of the true noun.
    """
    rows = reader.pictures(pictures)
    nouns = reader.texts([plain_caption({"class": noun}) for noun in CLASS_NOUNS])
    places = reader.texts([BACKGROUNDS[place] for place in PLACES])
    colors = {
        noun: reader.texts([plain_caption({"class": noun, "color": c}) for c in COLORS])
        for noun in CLASS_NOUNS
    }
    said: dict[str, list[str | None]] = {"class": [], "background": [], "color": []}
    for row, true in zip(rows, facts, strict=True):
        said["class"].append(CLASS_NOUNS[int((nouns @ row).argmax())])
        place = PLACES[int((places @ row).argmax())]
        said["background"].append(place if true["background"] in PLACES else None)
        color = tuple(COLORS)[int((colors[true["class"]] @ row).argmax())]
        said["color"].append(color if true["color"] in COLORS else None)
    return said


def accuracies(
    reader: Reader, pictures: NDArray[np.uint8], facts: list[dict[str, str]]
) -> dict[str, float]:
    """Share of right answers for "class", "background" and "color"."""
    said = answers(reader, pictures, facts)
    return {
        key: float(
            np.mean([a == f[key] for a, f in zip(found, facts, strict=True) if a is not None])
        )
        for key, found in said.items()
    }


def facts_of(corpus: Corpus) -> list[dict[str, str]]:
    """The facts of all drawings, decoded."""
    return [
        {key: names[int(row[k])] for k, (key, names) in enumerate(FACTS.items())}
        for row in corpus.facts
    ]
