"""Shapes of the toy world's networks: a Stable Diffusion in small, and a CLIP beside it.

Heavy libraries are imported inside the functions; importing this module costs nothing. What
comes from diffusers is `Any`: its classes carry no types that a checker could use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import CLIPTextModel

PICTURE_SIZE = 64
LATENT_SIZE = 16
TEXT_LENGTH = 32
TEXT_WIDTH = 128


def new_autoencoder() -> Any:
    """64 px pictures <-> 4 x 16 x 16 latents. No attention: shapes here are local."""
    from diffusers import AutoencoderKL

    autoencoder: Any = AutoencoderKL
    return autoencoder(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(32, 48, 64),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=PICTURE_SIZE,
        mid_block_add_attention=False,
    )


def new_text_encoder(vocabulary: int, bos: int, eos: int) -> CLIPTextModel:
    """A causal text transformer; texts end, and are padded, with `eos`."""
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=TEXT_WIDTH,
            intermediate_size=4 * TEXT_WIDTH,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=TEXT_LENGTH,
            hidden_act="quick_gelu",
            bos_token_id=bos,
            eos_token_id=eos,
            pad_token_id=eos,
        )
    )


def new_unet() -> Any:
    """The denoiser: 5.6 million parameters, attention at 8 x 8 and 4 x 4 only."""
    from diffusers import UNet2DConditionModel

    unet: Any = UNet2DConditionModel
    return unet(
        sample_size=LATENT_SIZE,
        in_channels=4,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=(64, 96, 128),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=(2, 3, 4),  # diffusers reads these as numbers of heads, each 32 wide
        norm_num_groups=16,
    )


def new_scheduler() -> Any:
    """Stable Diffusion's noise schedule with DPM-Solver++ of order 2."""
    from diffusers import DPMSolverMultistepScheduler

    scheduler: Any = DPMSolverMultistepScheduler
    return scheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="epsilon",
        algorithm_type="dpmsolver++",
        solver_order=2,
        steps_offset=1,
        timestep_spacing="leading",
    )


def clip_config(vocabulary: int, eos: int) -> dict[str, Any]:
    """Contents of open_clip_config.json.

    The end token is found by its id: open_clip's default takes the largest id of a text, and
    methods that add tokens make larger ones.
    """
    return {
        "model_cfg": {
            "embed_dim": 128,
            "vision_cfg": {
                "image_size": PICTURE_SIZE,
                "layers": [1, 2, 2, 1],
                "width": 16,
                "head_width": 64,
            },
            "text_cfg": {
                "context_length": TEXT_LENGTH,
                "vocab_size": vocabulary,
                "hf_tokenizer_name": "tokenizer",
                "width": 128,
                "heads": 4,
                "layers": 3,
                "pool_type": "eos",
                "eos_id": eos,
                "pad_id": eos,
            },
        },
        "preprocess_cfg": {
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "interpolation": "bicubic",
            "resize_mode": "shortest",
        },
    }
