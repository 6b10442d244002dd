"""How good generated pictures are, as the toy CLIP reads them, on prompts unseen in training."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline

from benchmark import atomic
from benchmark.toyworld.captions import plain_caption
from benchmark.toyworld.sampling import held_out_combination
from benchmark.toyworld.scenes import CLASS_NOUNS, COLORS
from benchmark.toyworld.train.corpus import open_corpus
from benchmark.toyworld.train.diffusion import generate
from benchmark.toyworld.train.sheets import save_sheet
from benchmark.toyworld.train.zeroshot import (
    PLACES,
    accuracies,
    answers,
    facts_of,
    open_reader,
)

STEPS = 25


def unseen_prompts(count: int, seed: int) -> list[dict[str, str]]:
    """Facts of prompts whose (class, background, colour) no training drawing had.

    Raises ValueError where there are fewer than `count`.
    """
    every = [
        {"class": noun, "background": place, "color": color}
        for noun in CLASS_NOUNS
        for place in PLACES
        for color in COLORS
        if held_out_combination(noun, place, color)
    ]
    return random.Random(seed).sample(every, count)


def measure(work: Path, count: int, guidance: float, seed: int) -> None:
    """Writes `work/quality.json` and sheets; accuracies are shares in [0, 1]."""
    reader = open_reader(work / "clip" / "model")
    kind: Any = StableDiffusionPipeline
    pipe = kind.from_pretrained(work / "backbone", torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    facts = unseen_prompts(count, seed)
    pictures = generate(pipe, [plain_caption(f) for f in facts], guidance, STEPS, seed)
    held_out = open_corpus(work, "held-out")
    figures = {
        "generated": accuracies(reader, pictures, facts),
        "drawings": accuracies(reader, held_out.pictures, facts_of(held_out)),
        "prompts": count,
        "guidance": guidance,
        "steps": STEPS,
        "seed": seed,
    }
    said = answers(reader, pictures, facts)
    wrong = [
        {"prompt": plain_caption(f), "picture": i, "seen": {k: said[k][i] for k in said}}
        for i, f in enumerate(facts)
        if any(said[k][i] != f[k] for k in said)
    ]
    atomic.write_json(work / "quality.json", figures)
    atomic.write_json(work / "quality-wrong.json", wrong)
    save_sheet(work / "quality.png", pictures, columns=20)
    print(f"quality: {figures}", flush=True)
