"""The training loop that all methods share, and what belongs to every step of it.

A method says what is trained (the optimizer), what is shown (`batch`) and how prompts are
encoded (`encode`); noise, timesteps, target, precision, clipping and timing are the same for
all. All randomness comes from one `torch.Generator` on the CPU and the method's own
`random.Random`, so training with the same seed gives the same weights, bit for bit, on the same
machine.

Where only the text encoder or its tokens are trained, the UNet's activations are kept for the
backward pass all the same: the gradient passes through it on the way to the text. That is most of
the memory of a step; `Compute.gradient_checkpointing` trades it for time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from textboost.compute import Compute, TrainResult
from textboost.conditioning import Conditioning, text_encoders
from textboost.photos import pixels
from textboost.timesteps import sample, uniform

if TYPE_CHECKING:  # a run is planned from the methods' settings, without diffusers
    from diffusers import DDPMScheduler

# The forward pass's type by precision; trained weights stay in float32 throughout.
AUTOCAST = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Batch:
    """What one step shows. latents: [n, channels, height, width], scaled, float32.

    weights: each picture's share of the loss, [n]; None: equal shares that sum to 1.
    masks: where a picture counts, [n, 1, height, width], 0 or 1; None: everywhere.
    """

    latents: Tensor
    prompts: list[str]
    weights: Tensor | None = None
    masks: Tensor | None = None


class Latents:
    """The VAE's view of photos: a fresh sample of the posterior each time.

    The posterior of a photo that comes again unchanged is kept (128 kB at 512 px), so that the
    VAE runs once per photo and not once per step.
    """

    def __init__(self, pipe: Any, generator: torch.Generator) -> None:
        self._vae: Any = pipe.vae
        if len(text_encoders(pipe)) > 1 and self._vae.dtype == torch.float16:
            self._vae.float()  # SDXL's VAE overflows in fp16
        self._generator = generator
        self._kept: dict[Hashable, tuple[Tensor, Tensor]] = {}

    def sample(self, photos: Sequence[tuple[Hashable | None, Image.Image]]) -> Tensor:
        """Latents [n, channels, height, width] of (key, photo) pairs; key None: not kept."""
        new = {
            place if key is None else key: photo
            for place, (key, photo) in enumerate(photos)
            if key is None or key not in self._kept
        }
        moments = dict(zip(new, self._moments(list(new.values())), strict=True)) if new else {}
        self._kept.update({key: moments[key] for key, _ in photos if key in moments})
        chosen = [
            moments[place] if key is None else self._kept[key]
            for place, (key, _) in enumerate(photos)
        ]
        mean = torch.stack([pair[0] for pair in chosen])
        std = torch.stack([pair[1] for pair in chosen])
        noise = torch.randn(mean.shape, generator=self._generator).to(mean.device)
        latents: Tensor = (mean + std * noise) * self._vae.config.scaling_factor
        return latents

    @torch.no_grad()
    def _moments(self, photos: list[Image.Image]) -> Iterator[tuple[Tensor, Tensor]]:
        batch = pixels(photos).to(self._vae.device, self._vae.dtype)
        posterior = self._vae.encode(batch).latent_dist
        yield from zip(posterior.mean.float(), posterior.std.float(), strict=True)


def noise_scheduler(pipe: Any) -> DDPMScheduler:
    """The forward diffusion that the backbone was trained with.

    Raises ValueError where the backbone predicts neither the noise nor the velocity.
    """
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler.from_config(pipe.scheduler.config)
    kind = scheduler.config.prediction_type
    if kind not in ("epsilon", "v_prediction"):
        raise ValueError(f'scheduler predicts "{kind}": expected epsilon or v_prediction')
    return scheduler


@contextmanager
def training(pipe: Any, *trained: nn.Module) -> Iterator[None]:
    """Freeze everything, hold the networks that train as a whole in float32, tidy up at the end.

    The other networks stay in the pipeline's type; what is added to them (adapters, rows) is
    float32 by itself. Afterwards nothing requires a gradient and all has its old type again.
    """
    networks = [pipe.vae, pipe.unet, *(encoder for _, encoder in text_encoders(pipe))]
    types = [network.dtype for network in networks]
    for network in networks:
        network.requires_grad_(False).eval()
    for network in trained:
        network.float()
    try:
        yield
    finally:
        for network, dtype in zip(networks, types, strict=True):
            if any(parameter.dtype != dtype for parameter in network.parameters()):
                network.to(dtype)
            network.requires_grad_(False)
            for parameter in network.parameters():
                parameter.grad = None


def adamw(
    groups: Sequence[tuple[Sequence[nn.Parameter], float]], compute: Compute
) -> torch.optim.Optimizer:
    """AdamW as all the published recipes set it, with (parameters, learning rate) groups.

    betas 0.9 and 0.999, eps 1e-8, weight decay 1e-2, the rate constant from the first step: the
    defaults of diffusers' scripts for DreamBooth, Textual Inversion and Custom Diffusion, and of
    TextBoost's.

    Raises ValueError for the 8-bit variant where bitsandbytes is not installed.
    """
    rates = [{"params": list(parameters), "lr": rate} for parameters, rate in groups]
    settings: dict[str, Any] = {"betas": (0.9, 0.999), "weight_decay": 1e-2, "eps": 1e-8}
    if compute.optimizer == "8bit":
        try:
            from bitsandbytes.optim import AdamW8bit
        except ImportError as error:
            raise ValueError(
                'optimizer "8bit" needs bitsandbytes: pip install bitsandbytes'
            ) from error
        eight_bit: torch.optim.Optimizer = AdamW8bit(rates, **settings)
        return eight_bit
    return torch.optim.AdamW(
        rates,
        fused=compute.optimizer == "fused",
        foreach=compute.optimizer == "foreach",
        **settings,
    )


def denoising_error(
    pipe: Any,
    scheduler: DDPMScheduler,
    latents: Tensor,
    noise: Tensor,
    timesteps: Tensor,
    given: Conditioning,
    masks: Tensor | None = None,
) -> Tensor:
    """Mean squared error of the UNet's prediction, one number per picture, [n], float32.

    masks: [n, 1, height, width]; the mean is over the places where it is 1.
    """
    unet = pipe.unet
    noisy = scheduler.add_noise(latents, noise, timesteps)
    states = given.states.to(unet.dtype)
    predicted = unet(noisy.to(unet.dtype), timesteps, states, **_sizes(pipe, latents, given)).sample
    velocity = scheduler.config.prediction_type == "v_prediction"
    target = scheduler.get_velocity(latents, noise, timesteps) if velocity else noise
    errors: Tensor = (predicted.float() - target.float()).square().mean(dim=1, keepdim=True)
    if masks is None:
        return errors.mean(dim=(1, 2, 3))
    return (errors * masks).sum(dim=(1, 2, 3)) / masks.sum(dim=(1, 2, 3))


def _sizes(pipe: Any, latents: Tensor, given: Conditioning) -> dict[str, Any]:
    """What SDXL's UNet is told besides: the pooled text and that the photo is whole."""
    if given.pooled is None:
        return {}
    height, width = (side * pipe.vae_scale_factor for side in latents.shape[-2:])
    sizes = torch.tensor([[height, width, 0, 0, height, width]]).repeat(len(latents), 1)
    dtype, device = pipe.unet.dtype, latents.device
    told = {"text_embeds": given.pooled.to(dtype), "time_ids": sizes.to(device, dtype)}
    return {"added_cond_kwargs": told}


def run(
    pipe: Any,
    compute: Compute,
    *,
    steps: int,
    optimizer: torch.optim.Optimizer,
    batch: Callable[[], Batch],
    encode: Callable[[list[str]], Conditioning],
    generator: torch.Generator,
    timestep_weights: Callable[[Tensor], Tensor] = uniform,
    extra_loss: Callable[[], Tensor] | None = None,
    clipped: Sequence[nn.Parameter] = (),
    max_norm: float = 1.0,
    after_step: Callable[[], None] = lambda: None,
    report: Callable[[int, int, float], None] = lambda step, steps, loss: None,
) -> TrainResult:
    """Train for `steps` steps and return what happened.

    Loss: the pictures' denoising errors, weighted, plus `extra_loss()`. timestep_weights: from
    the schedule's cumulative alphas to the timesteps' probabilities. clipped: the parameters
    whose joint gradient norm is cut to `max_norm`. after_step: called when the optimizer has
    stepped. report(step, steps, loss): called at the end of every step.
    Raises ArithmeticError when the loss is not finite.
    """
    device = torch.device(compute.device)
    low = AUTOCAST[compute.precision]
    scaler = torch.amp.GradScaler(device.type, enabled=low is torch.float16)
    scheduler = noise_scheduler(pipe)
    probabilities = timestep_weights(scheduler.alphas_cumprod)
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    losses: list[float] = []
    seconds: list[float] = []
    pictures: list[int] = []
    skipped = 0
    with _attention(compute), _checkpointing(pipe, compute):
        for step in range(1, steps + 1):
            started = _now(device)
            shown = batch()
            count = len(shown.prompts)
            noise = torch.randn(shown.latents.shape, generator=generator).to(device)
            timesteps = sample(probabilities, count, generator).to(device)
            weights = torch.full((count,), 1.0 / count) if shown.weights is None else shown.weights
            loss = torch.zeros((), device=device)
            for part in _parts(count, compute.accumulation):
                masks = None if shown.masks is None else shown.masks[part].to(device)
                with torch.autocast(device.type, low, enabled=low is not None):
                    errors = denoising_error(
                        pipe,
                        scheduler,
                        shown.latents[part],
                        noise[part],
                        timesteps[part],
                        encode(shown.prompts[part]),
                        masks,
                    )
                    share = (errors * weights[part].to(device)).sum()
                    if extra_loss is not None and part.start == 0:
                        share = share + extra_loss()
                torch.autograd.backward(scaler.scale(share))
                loss += share.detach()
            if clipped:
                scaler.unscale_(optimizer)
                torch.nn.utils.clip_grad_norm_(clipped, max_norm)
            scale = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            skipped += scaler.get_scale() < scale
            optimizer.zero_grad(set_to_none=True)
            after_step()
            losses.append(loss.item())
            seconds.append(_now(device) - started)
            pictures.append(count)
            if not torch.isfinite(loss):
                raise ArithmeticError(f"step {step}: the loss is {losses[-1]}; lower the rate")
            report(step, steps, losses[-1])
    size = sum(parameter.numel() for parameter in trained)
    return TrainResult(size, losses, seconds, skipped, pictures)


def _parts(count: int, parts: int) -> Iterator[slice]:
    """0..count in at most `parts` runs of about equal length."""
    edges = [count * part // parts for part in range(parts + 1)]
    yield from (slice(a, b) for a, b in pairwise(edges) if a < b)


@contextmanager
def _attention(compute: Compute) -> Iterator[None]:
    with sdpa_kernel(SDPBackend.MATH) if compute.attention == "math" else nullcontext():
        yield


@contextmanager
def _checkpointing(pipe: Any, compute: Compute) -> Iterator[None]:
    if compute.gradient_checkpointing:
        pipe.unet.enable_gradient_checkpointing()
    try:
        yield
    finally:
        if compute.gradient_checkpointing:
            pipe.unet.disable_gradient_checkpointing()


def _now(device: torch.device) -> float:
    """Seconds, read when the device has finished what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()
