"""The tiny pipeline as an SDXL: a second text encoder, and a UNet that reads both."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTextModelWithProjection, CLIPTokenizer

WIDTH = 16


def build_tiny_xl(tiny: StableDiffusionPipeline, tokenizer: Path, folder: Path) -> Path:
    """Write the pipeline in diffusers' format. tokenizer: the tiny pipeline's folder of it."""
    torch.manual_seed(1)
    config = tiny.text_encoder.config
    config.projection_dim = WIDTH
    second = CLIPTextModelWithProjection(config).eval()
    with torch.no_grad():  # as in the tiny pipeline, so that prompts differ
        second.get_input_embeddings().weight.normal_(std=0.5)
    unet = UNet2DConditionModel(
        sample_size=tiny.unet.config.sample_size,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=2 * WIDTH,
        attention_head_dim=8,
        norm_num_groups=4,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=WIDTH + 6 * 8,
    )
    with torch.no_grad():
        for name, weight in unet.named_parameters():
            if "attn2.to_v" in name or "attn2.to_out.0.weight" in name:
                weight.mul_(4.0)
    StableDiffusionXLPipeline(
        vae=tiny.vae,
        text_encoder=tiny.text_encoder,
        text_encoder_2=second,
        tokenizer=tiny.tokenizer,
        tokenizer_2=CLIPTokenizer.from_pretrained(tokenizer),
        unet=unet,
        scheduler=tiny.scheduler,
        add_watermarker=False,
    ).save_pretrained(folder)
    return folder


def open_tiny_xl(folder: Path) -> StableDiffusionXLPipeline:
    """A fresh pipeline from such a folder, through the stock loader."""
    pipe = StableDiffusionXLPipeline.from_pretrained(
        folder, local_files_only=True, add_watermarker=False
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe
