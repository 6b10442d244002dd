"""The networks of Stable Diffusion 1.5, 2.1-base and SDXL, written down by hand.

They need neither weights nor a hub: `build_network` under `torch.device("meta")` gives the exact
shapes in seconds, and `blank.py` fills them with random numbers. Values are those of the published
configurations; the libraries' defaults are the same where nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.backbones.clip_vocabulary import CONTEXT, END


@dataclass(frozen=True)
class Network:
    """One network of a pipeline."""

    library: str
    """`diffusers` or `transformers`."""
    kind: str
    """Name of its class there."""
    config: Mapping[str, Any]
    parameters: int
    """How many weights it has, exactly."""


@dataclass(frozen=True)
class Architecture:
    """All that a pipeline is, but for its weights."""

    title: str
    pipeline: str
    resolution: int
    """Side in pixels of the pictures it was trained on."""
    networks: Mapping[str, Network]
    """Folder of the pipeline -> what is in it."""
    tokenizers: Mapping[str, str]
    """Folder of the pipeline -> the word that prompts are filled up with."""
    scheduler: Mapping[str, Any]
    """Content of scheduler_config.json."""

    @property
    def parameters(self) -> int:
        """How many weights all networks have together."""
        return sum(network.parameters for network in self.networks.values())


def build_network(network: Network) -> Any:
    """The network with the weights that its library starts it with, on torch's current device."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    if network.library == "transformers":
        kinds = {
            "CLIPTextModel": CLIPTextModel,
            "CLIPTextModelWithProjection": CLIPTextModelWithProjection,
        }
        return kinds[network.kind](CLIPTextConfig(**network.config))
    diffusers_kinds = {"AutoencoderKL": AutoencoderKL, "UNet2DConditionModel": UNet2DConditionModel}
    return diffusers_kinds[network.kind](**network.config)


def _unet(parameters: int, **config: Any) -> Network:
    return Network("diffusers", "UNet2DConditionModel", config, parameters)


def _vae(**config: Any) -> Network:
    levels = 4
    common = {
        "block_out_channels": (128, 256, 512, 512),
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "layers_per_block": 2,
        "latent_channels": 4,
        "norm_num_groups": 32,
    }
    return Network("diffusers", "AutoencoderKL", common | config, 83_653_863)


def _text(
    kind: str, parameters: int, width: int, layers: int, heads: int, activation: str, out: int
) -> Network:
    """A text encoder. Its end of text is the tokenizer's, where the published files say 2: that
    makes transformers pool at the highest id, which is wrong once tokens are added."""
    config = {
        "vocab_size": 49408,
        "max_position_embeddings": CONTEXT,
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "hidden_act": activation,
        "projection_dim": out,
        "bos_token_id": 49406,
        "eos_token_id": 49407,
        "pad_token_id": 1,
    }
    return Network("transformers", kind, config, parameters)


_NOISE = {
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
}
_PNDM = {"_class_name": "PNDMScheduler", **_NOISE}
_EULER = {
    "_class_name": "EulerDiscreteScheduler",
    **_NOISE,
    "interpolation_type": "linear",
    "timestep_spacing": "leading",
    "use_karras_sigmas": False,
}
_CLIP_L = _text("CLIPTextModel", 123_060_480, 768, 12, 12, "quick_gelu", 768)

ARCHITECTURES = {
    "sd15": Architecture(
        title="Stable Diffusion 1.5",
        pipeline="StableDiffusionPipeline",
        resolution=512,
        networks={
            "unet": _unet(
                859_520_964, sample_size=64, cross_attention_dim=768, attention_head_dim=8
            ),
            "text_encoder": _CLIP_L,
            "vae": _vae(sample_size=512, scaling_factor=0.18215),
        },
        tokenizers={"tokenizer": END},
        scheduler=_PNDM,
    ),
    "sd21-base": Architecture(
        title="Stable Diffusion 2.1-base",
        pipeline="StableDiffusionPipeline",
        resolution=512,
        networks={
            "unet": _unet(
                865_910_724,
                sample_size=64,
                cross_attention_dim=1024,
                attention_head_dim=(5, 10, 20, 20),
                use_linear_projection=True,
            ),
            "text_encoder": _text("CLIPTextModel", 340_387_840, 1024, 23, 16, "gelu", 512),
            "vae": _vae(sample_size=768, scaling_factor=0.18215),
        },
        tokenizers={"tokenizer": "!"},
        scheduler=_PNDM,
    ),
    "sdxl": Architecture(
        title="SDXL 1.0 base",
        pipeline="StableDiffusionXLPipeline",
        resolution=1024,
        networks={
            "unet": _unet(
                2_567_463_684,
                sample_size=128,
                block_out_channels=(320, 640, 1280),
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
                transformer_layers_per_block=(1, 2, 10),
                attention_head_dim=(5, 10, 20),
                cross_attention_dim=2048,
                use_linear_projection=True,
                addition_embed_type="text_time",
                addition_time_embed_dim=256,
                projection_class_embeddings_input_dim=2816,
            ),
            "text_encoder": _CLIP_L,
            "text_encoder_2": _text(
                "CLIPTextModelWithProjection", 694_659_840, 1280, 32, 20, "gelu", 1280
            ),
            "vae": _vae(sample_size=1024, scaling_factor=0.13025),
        },
        tokenizers={"tokenizer": END, "tokenizer_2": "!"},
        scheduler=_EULER,
    ),
}
