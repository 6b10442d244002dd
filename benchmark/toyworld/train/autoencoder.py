"""The autoencoder: drawings to latents and back, and the latents of the whole corpus on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor

from benchmark import atomic
from benchmark.toyworld.models import new_autoencoder
from benchmark.toyworld.train.corpus import Corpus, open_corpus
from benchmark.toyworld.train.loop import Order, Recipe, Training
from benchmark.toyworld.train.sheets import save_sheet

BATCH = 8
# Pictures whose reconstructions the CLIP trains on.
RECONSTRUCTIONS = 8000
RECIPE = Recipe("vae", rate=1.5e-3, warmup=100, decay_share=0.6, betas=(0.9, 0.99), ema=0.998)


def train(order: Order) -> bool:
    """Trains, and saves `work/vae/model` with the scaling factor that gives latents of std 1."""
    torch.manual_seed(order.seed)
    model = new_autoencoder()
    corpus, held_out = open_corpus(order.work, "train"), open_corpus(order.work, "held-out")
    training = Training(RECIPE, order, {"vae": model})

    def loss_of(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        chosen = torch.randint(len(corpus.pictures), (BATCH,), generator=generator).numpy()
        pixels = as_pixels(corpus.pictures[np.sort(chosen)])
        with torch.autocast("cpu", torch.bfloat16):
            moments = model.quant_conv(model.encoder(pixels))
            mean, log_variance = moments.float().chunk(2, dim=1)
            log_variance = log_variance.clamp(-30, 20)
            noise = torch.randn(mean.shape, generator=generator)
            latents = mean + torch.exp(0.5 * log_variance) * noise
            shown = model.decoder(model.post_quant_conv(latents)).float()
        loss, squared = reconstruction_loss(shown, pixels)
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).mean()
        # Pixels lie in [-1, 1]: the peak is 2.
        quality = 10 * float(torch.log10(4 / squared.detach()))
        return loss + 3e-4 * divergence, {"psnr": quality, "kl": float(divergence.detach())}

    if not training.run(loss_of):
        return False
    with torch.no_grad():
        for key, value in training.averaged().items():
            training.parameters[key].copy_(value)
    model.eval()
    means, _ = encode(model, held_out)
    model.register_to_config(scaling_factor=float(1 / means.std()))
    with atomic.new_folder(order.work / "vae" / "model") as folder:
        model.save_pretrained(folder)
    report(order.work, model, held_out)
    cache_latents(order.work, model, corpus)
    return True


def reconstruction_loss(shown: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """L1 + 0.5 L1 of gradients (edges, thin lines) + 2 MSE; also the MSE alone."""
    error = shown - pixels
    squared = (error**2).mean()
    edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    return error.abs().mean() + 0.5 * edges + 2 * squared, squared


def load(work: Path) -> Any:
    """The saved autoencoder, ready to use."""
    kind: Any = AutoencoderKL
    return kind.from_pretrained(work / "vae" / "model").eval()


def as_pixels(pictures: NDArray[np.uint8]) -> Tensor:
    """uint8 [n, h, w, 3] to float [n, 3, h, w] in [-1, 1]."""
    pixels = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
    return pixels.to(torch.float32).div_(127.5).sub_(1).contiguous()


def as_pictures(pixels: Tensor) -> NDArray[np.uint8]:
    """The way back, rounded."""
    scaled = pixels.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    shown: NDArray[np.uint8] = scaled.permute(0, 2, 3, 1).contiguous().numpy()
    return shown


@torch.inference_mode()
def encode(model: Any, corpus: Corpus) -> tuple[Tensor, Tensor]:
    """Means and standard deviations of the latents, unscaled, half precision [n, 4, 16, 16]."""
    means, deviations = [], []
    for start in range(0, len(corpus.pictures), 64):
        with torch.autocast("cpu", torch.bfloat16):
            pixels = as_pixels(corpus.pictures[start : start + 64])
            moments = model.quant_conv(model.encoder(pixels)).float()
        mean, log_variance = moments.chunk(2, dim=1)
        means.append(mean.half())
        deviations.append(torch.exp(0.5 * log_variance.clamp(-30, 20)).half())
    return torch.cat(means).float(), torch.cat(deviations).float()


@torch.inference_mode()
def decode(model: Any, latents: Tensor) -> NDArray[np.uint8]:
    """Pictures of unscaled latents."""
    shown = []
    for start in range(0, len(latents), 64):
        with torch.autocast("cpu", torch.bfloat16):
            part = model.post_quant_conv(latents[start : start + 64])
            shown.append(as_pictures(model.decoder(part)))
    return np.concatenate(shown)


def cache_latents(work: Path, model: Any, corpus: Corpus) -> None:
    """Latents of the training drawings for the diffusion, reconstructions for the CLIP."""
    means, deviations = encode(model, corpus)
    np.save(work / "vae" / "latents.npy", torch.stack([means, deviations], 1).half().numpy())
    np.save(work / "vae" / "reconstructions.npy", decode(model, means[:RECONSTRUCTIONS]))


def report(work: Path, model: Any, corpus: Corpus) -> None:
    """Mean PSNR in dB on held-out drawings, and a sheet: drawings above, reconstructions below."""
    means, _ = encode(model, corpus)
    shown = decode(model, means)
    error = (shown.astype(np.float32) - corpus.pictures) ** 2
    quality = float(np.mean(10 * np.log10(255**2 / error.mean(axis=(1, 2, 3)))))
    pooled = float(10 * np.log10(255**2 / error.mean()))
    figures = {
        "psnr_mean": quality,
        "psnr_pooled": pooled,
        "scaling_factor": float(model.config.scaling_factor),
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    atomic.write_json(work / "vae" / "quality.json", figures)
    print(f"vae: {figures}", flush=True)
    rows = [corpus.pictures[:12], shown[:12], corpus.pictures[12:24], shown[12:24]]
    save_sheet(work / "vae" / "sheet.png", np.concatenate(rows), columns=12)
