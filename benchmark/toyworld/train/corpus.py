"""Drawings with captions on disk: how they are made and how they are read.

Picture number i of a split depends on (seed, split, i) alone, so the corpus is the same whatever
the number of processes. A killed run goes on after the last finished part.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark import atomic
from benchmark.toyworld.captions import caption
from benchmark.toyworld.draw import draw
from benchmark.toyworld.sampling import random_scene
from benchmark.toyworld.scenes import (
    BACKGROUNDS,
    CLASS_NOUNS,
    COLORS,
    FINISHES,
    LIGHTS,
    OUTFITS,
    PATTERNS,
    VIEWS,
)

SIZE = 64
CAPTIONS = 6
PART = 1000
FACTS: dict[str, tuple[str, ...]] = {
    "class": CLASS_NOUNS,
    "color": (*COLORS, "unseen"),
    "pattern": PATTERNS,
    "accent": (*COLORS, "unseen"),
    "background": tuple(BACKGROUNDS),
    "outfit": tuple(OUTFITS),
    "finish": FINISHES,
    "view": VIEWS,
    "light": LIGHTS,
}
Codes = NDArray[np.int8]


@dataclass(frozen=True)
class Corpus:
    """n drawings; facts and states are coded by position in `FACTS`, -1 where nothing is stated."""

    pictures: NDArray[np.uint8]
    """[n, 64, 64, 3]"""
    facts: Codes
    """[n, 9]"""
    texts: list[list[str]]
    """n x 6 captions"""
    states: Codes
    """[n, 6, 9]"""


def code(facts: dict[str, str]) -> list[int]:
    """Facts as one number for each key of `FACTS`."""
    return [names.index(facts[key]) if key in facts else -1 for key, names in FACTS.items()]


def build(work: Path, counts: dict[str, int], seed: int, processes: int) -> None:
    """Draws the splits that are not there yet; counts maps a split's name to its size."""
    for split, count in counts.items():
        if (work / "data" / f"{split}.npy").exists():
            continue
        parts = work / "data" / f"{split}-parts"
        parts.mkdir(parents=True, exist_ok=True)
        jobs = [
            (parts, f"{seed}:{split}", start, min(start + PART, count))
            for start in range(0, count, PART)
        ]
        missing = [job for job in jobs if not (parts / f"{job[2]:07d}.npy").exists()]
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            for done, _ in enumerate(pool.imap_unordered(_draw_part, missing), start=1):
                print(f"data: {split}: part {done} of {len(missing)}", flush=True)
        _join(parts, work / "data", split, count)


def _draw_part(job: tuple[Path, str, int, int]) -> None:
    folder, seed, start, stop = job
    pictures = np.empty((stop - start, SIZE, SIZE, 3), np.uint8)
    lines = []
    for i in range(start, stop):
        rng = random.Random(f"{seed}:{i}")
        scene = random_scene(rng)
        pictures[i - start] = np.asarray(draw(scene, SIZE))
        said = [caption(scene, rng) for _ in range(CAPTIONS)]
        lines.append(
            json.dumps(
                {
                    "facts": scene.facts(),
                    "captions": [{"text": c.text, "states": c.states} for c in said],
                }
            )
        )
    atomic.write_text(folder / f"{start:07d}.jsonl", "\n".join(lines) + "\n")
    unfinished = folder / f"{start:07d}.unfinished"
    with unfinished.open("wb") as file:
        np.save(file, pictures)
    unfinished.replace(folder / f"{start:07d}.npy")


def _join(parts: Path, folder: Path, split: str, count: int) -> None:
    """One array and one JSONL of all parts; the array's final name appears last."""
    unfinished = folder / f"{split}.unfinished"
    whole = np.lib.format.open_memmap(
        unfinished, mode="w+", dtype=np.uint8, shape=(count, SIZE, SIZE, 3)
    )
    text = []
    for start in range(0, count, PART):
        whole[start : start + PART] = np.load(parts / f"{start:07d}.npy")
        text.append((parts / f"{start:07d}.jsonl").read_text())
    whole.flush()
    atomic.write_text(folder / f"{split}.jsonl", "".join(text))
    unfinished.replace(folder / f"{split}.npy")
    shutil.rmtree(parts)


def open_corpus(work: Path, split: str) -> Corpus:
    """A split that `build` has drawn."""
    folder = work / "data"
    records = [json.loads(line) for line in (folder / f"{split}.jsonl").open()]
    return Corpus(
        pictures=np.load(folder / f"{split}.npy", mmap_mode="r"),
        facts=np.array([code(r["facts"]) for r in records], np.int8),
        texts=[[c["text"] for c in r["captions"]] for r in records],
        states=np.array([[code(c["states"]) for c in r["captions"]] for r in records], np.int8),
    )
