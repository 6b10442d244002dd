"""A Stable Diffusion pipeline of random weights, small enough to train inside a test."""

from __future__ import annotations

import json
from pathlib import Path
from string import ascii_lowercase, digits

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

CONTEXT = 32
RESOLUTION = 32
# Words that are one token each; all others are spelled letter by letter.
WORDS = ("dog", "red", "photo", "of", "the", "clean", "nice", "weird", "large", "cropped", "close")
WORDS += ("bright", "rendering", "rendition", "sks", "small", "cool", "dirty", "dark", "jungle")
START, END = "<|startoftext|>", "<|endoftext|>"


def build_tiny_pipeline(folder: Path) -> Path:
    """Write a pipeline in diffusers' format: 32 px pictures, 16 x 16 latents, context of 32."""
    torch.manual_seed(0)
    tokenizer = _tokenizer(folder.parent / f"{folder.name}-vocabulary")
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=CONTEXT,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    with torch.no_grad():  # the default, 0.02, leaves next to nothing of what prompts say
        text_encoder.get_input_embeddings().weight.normal_(std=0.5)
    unet = UNet2DConditionModel(
        sample_size=RESOLUTION // 2,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=8,
        norm_num_groups=4,
    )
    with torch.no_grad():  # random cross-attention hardly listens: make prompts matter
        for name, weight in unet.named_parameters():
            if "attn2.to_v" in name or "attn2.to_out.0.weight" in name:
                weight.mul_(4.0)
    vae = AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=RESOLUTION,
        scaling_factor=0.5,
    )
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


def open_tiny_pipeline(folder: Path) -> StableDiffusionPipeline:
    """A fresh pipeline from such a folder, through the stock loader."""
    pipe = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _tokenizer(folder: Path) -> CLIPTokenizer:
    """CLIP's tokenizer with letters for a vocabulary and a few words put together from them."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = [*ascii_lowercase, *digits, *",.-'"]
    tokens = letters + [f"{letter}</w>" for letter in letters]
    merges: list[str] = []
    for word in WORDS:
        pieces = [*word[:-1], f"{word[-1]}</w>"]
        made = pieces[0]
        for piece in pieces[1:]:
            if f"{made} {piece}" not in merges:
                merges.append(f"{made} {piece}")
            made += piece
            if made not in tokens:
                tokens.append(made)
    tokens += [START, END]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]))
    return CLIPTokenizer.from_pretrained(folder, model_max_length=CONTEXT, pad_token=END)
