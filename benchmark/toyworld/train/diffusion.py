"""The denoiser and its text encoder, trained together on cached latents, saved as a pipeline."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor, nn
from transformers import CLIPTokenizer

from benchmark import atomic
from benchmark.toyworld.models import new_scheduler, new_text_encoder, new_unet
from benchmark.toyworld.train import autoencoder
from benchmark.toyworld.train import tokenizer as tokens
from benchmark.toyworld.train.corpus import CAPTIONS, Corpus, open_corpus
from benchmark.toyworld.train.loop import Order, Recipe, Training
from benchmark.toyworld.train.sheets import save_sheet

BATCH = 32
RECIPE = Recipe("diffusion", rate=1e-3, warmup=200, decay_share=0.3, betas=(0.9, 0.99), ema=0.999)
UNCONDITIONAL_SHARE = 0.1
SNR_CAP = 5.0
SHEET_PROMPTS = (
    "a red dog in the snow",
    "a gray striped cat on the beach",
    "a green teapot on top of a wooden floor",
    "a blue backpack with the eiffel tower in the background",
    "a pink dotted vase on top of green grass with sunflowers around it",
    "a yellow clock in the jungle",
    "a brown boot on a cobblestone street",
    "a purple dog wearing a santa hat",
)


def train(order: Order) -> bool:
    """Trains and saves the pipeline `work/backbone`."""
    torch.manual_seed(order.seed)
    tokenizer = tokens.load(order.work)
    text_encoder = new_text_encoder(
        len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id
    ).train()
    unet = new_unet().to(memory_format=torch.channels_last).train()
    training = Training(RECIPE, order, {"unet": unet, "text_encoder": text_encoder})
    vae = autoencoder.load(order.work)
    scale = float(vae.config.scaling_factor)
    latents = np.load(order.work / "vae" / "latents.npy", mmap_mode="r")
    words = _caption_ids(tokenizer, open_corpus(order.work, "train"))
    empty = tokens.encode(tokenizer, [""])[0]
    alphas = new_scheduler().alphas_cumprod
    weights = (alphas / (1 - alphas)).clamp(max=SNR_CAP) / (alphas / (1 - alphas))

    def loss_of(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        chosen = torch.randint(len(latents), (BATCH,), generator=generator)
        which = torch.randint(CAPTIONS, (BATCH,), generator=generator)
        ids = words[chosen, which].long()
        ids[torch.rand(BATCH, generator=generator) < UNCONDITIONAL_SHARE] = empty
        stored = torch.from_numpy(latents[chosen.numpy()]).float()
        mean, deviation = stored[:, 0], stored[:, 1]
        clean = scale * (mean + deviation * torch.randn(mean.shape, generator=generator))
        noise = torch.randn(mean.shape, generator=generator)
        timesteps = stratified_timesteps(BATCH, len(alphas), generator)
        alpha = alphas[timesteps].view(-1, 1, 1, 1)
        noisy = (alpha.sqrt() * clean + (1 - alpha).sqrt() * noise).contiguous(
            memory_format=torch.channels_last
        )
        with torch.autocast("cpu", torch.bfloat16):
            context = text_encoder(ids).last_hidden_state
            guess = unet(noisy, timesteps, context, return_dict=False)[0]
        error = ((guess.float() - noise) ** 2).mean(dim=(1, 2, 3))
        loss = (weights[timesteps] * error).mean()
        return loss, {"mse": float(error.detach().mean())}

    def sheet() -> None:
        pipe = _pipeline(training, {"unet": unet, "text_encoder": text_encoder}, tokenizer, vae)
        pictures = generate(pipe, list(SHEET_PROMPTS) * 2, guidance=5.0, steps=15, seed=0)
        save_sheet(order.work / "diffusion" / f"sheet-{training.step:06d}.png", pictures, 8)

    if not training.run(loss_of, sheet):
        return False
    sheet()
    pipe = _pipeline(training, {"unet": unet, "text_encoder": text_encoder}, tokenizer, vae)
    with atomic.new_folder(order.work / "backbone") as folder:
        pipe.to(dtype=torch.float16).save_pretrained(folder, safe_serialization=True)
    return True


def stratified_timesteps(count: int, total: int, generator: torch.Generator) -> Tensor:
    """One timestep from each of `count` equal strata of [0, total), in random order."""
    places = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    order = torch.randperm(count, generator=generator)
    return (places[order] * total).long().clamp(max=total - 1)


def generate(
    pipe: Any, prompts: list[str], guidance: float, steps: int, seed: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """uint8 [n, 64, 64, 3]; picture i starts from noise of seed + i."""
    parts = []
    for start in range(0, len(prompts), 16):
        batch = prompts[start : start + 16]
        generators = [torch.Generator().manual_seed(seed + start + i) for i in range(len(batch))]
        found = pipe(
            batch,
            guidance_scale=guidance,
            num_inference_steps=steps,
            generator=generators,
            output_type="np",
        ).images
        parts.append(np.round(found * 255).astype(np.uint8))
    return np.concatenate(parts)


def _caption_ids(tokenizer: CLIPTokenizer, corpus: Corpus) -> Tensor:
    """Token ids of all captions, int16 [n, 6, 32]."""
    ids = [
        tokens.encode(tokenizer, [t for texts in corpus.texts[start : start + 1000] for t in texts])
        for start in range(0, len(corpus.texts), 1000)
    ]
    return torch.cat(ids).to(torch.int16).view(len(corpus.texts), CAPTIONS, -1)


def _pipeline(
    training: Training, models: dict[str, nn.Module], tokenizer: CLIPTokenizer, vae: nn.Module
) -> Any:
    """The averaged weights as a Stable Diffusion pipeline; the trained ones stay as they are."""
    average = training.averaged()
    parts = {}
    for name, model in models.items():
        part = copy.deepcopy(model).eval()
        part.load_state_dict(
            {k[len(name) + 1 :]: v for k, v in average.items() if k.startswith(f"{name}.")},
            strict=False,
        )
        parts[name] = part
    kind: Any = StableDiffusionPipeline
    pipe = kind(
        **parts,
        tokenizer=tokenizer,
        vae=copy.deepcopy(vae),
        scheduler=new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe
