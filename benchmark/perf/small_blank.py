"""Stable Diffusion 1.5's architecture scaled down: every kind of layer, a tenth of the width."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmark.backbones.architectures import ARCHITECTURES, Network, build_network
from benchmark.backbones.clip_vocabulary import tokenizer_files

RESOLUTION = 64
TEXT_WIDTH = 64
SCALED: dict[str, dict[str, Any]] = {
    "unet": {
        "sample_size": RESOLUTION // 8,
        "block_out_channels": (32, 64, 128, 128),
        "cross_attention_dim": TEXT_WIDTH,
    },
    "text_encoder": {
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": 4 * TEXT_WIDTH,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "projection_dim": TEXT_WIDTH,
    },
    "vae": {"sample_size": RESOLUTION, "block_out_channels": (32, 32, 64, 64)},
}
"""What replaces the published configuration's values."""


def write_small_blank(folder: Path) -> None:
    """The pipeline with seeded random weights and CLIP's real vocabulary, in diffusers' format."""
    import torch
    from diffusers import PNDMScheduler, StableDiffusionPipeline
    from transformers import CLIPTokenizer

    architecture = ARCHITECTURES["sd15"]
    with tempfile.TemporaryDirectory() as scratch:
        for file, content in tokenizer_files(architecture.tokenizers["tokenizer"]).items():
            (Path(scratch) / file).write_text(content, encoding="utf-8")
        tokenizer = CLIPTokenizer.from_pretrained(scratch)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        networks = {
            part: build_network(scaled(architecture.networks[part], changes))
            for part, changes in SCALED.items()
        }
    StableDiffusionPipeline(
        **networks,
        tokenizer=tokenizer,
        scheduler=PNDMScheduler.from_config(dict(architecture.scheduler)),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def scaled(network: Network, changes: dict[str, Any]) -> Network:
    """The network with some values of its configuration replaced."""
    return replace(network, config={**network.config, **changes})
