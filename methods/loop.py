"""The training loop that all methods share, and what belongs to every step of it.

A method says what is trained (the optimizer), what is shown (`batch`) and how prompts are
encoded (`encode`); noise, timesteps, target, precision, clipping and timing are the same for
all. All randomness comes from one `torch.Generator` on the CPU and the method's own
`random.Random`, so training with the same seed gives the same weights, bit for bit, on the same
machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor, nn

from methods.interface import Task, TrainResult
from methods.photos import pixels
from textboost.timesteps import sample, uniform

if TYPE_CHECKING:  # a run is planned from the methods' settings, without diffusers
    from diffusers import DDPMScheduler, StableDiffusionPipeline

# The forward pass's type by the task's precision; trained weights stay in float32 throughout.
AUTOCAST = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Batch:
    """What one step shows. latents: [n, channels, height, width], scaled, float32.

    weights: each picture's share of the loss, [n]; None: equal shares that sum to 1.
    """

    latents: Tensor
    prompts: list[str]
    weights: Tensor | None = None


class Latents:
    """The VAE's view of photos: a fresh sample of the posterior each time.

    The posterior of a photo that comes again unchanged is kept (128 kB at 512 px), so that the
    VAE runs once per photo and not once per step.
    """

    def __init__(self, pipe: StableDiffusionPipeline, generator: torch.Generator) -> None:
        self._vae: Any = pipe.vae
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


def noise_scheduler(pipe: StableDiffusionPipeline) -> DDPMScheduler:
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
def training(pipe: StableDiffusionPipeline, *trained: nn.Module) -> Iterator[None]:
    """Freeze everything, hold the trained networks in float32, and tidy up at the end.

    Afterwards nothing requires a gradient and the networks have their old type again.
    """
    networks: tuple[Any, ...] = (pipe.vae, pipe.unet, pipe.text_encoder)
    for network in networks:
        network.requires_grad_(False).eval()
    types = [next(network.parameters()).dtype for network in trained]
    for network, dtype in zip(trained, types, strict=True):
        if dtype != torch.float32:
            network.float()
    try:
        yield
    finally:
        for network, dtype in zip(trained, types, strict=True):
            if dtype != torch.float32:
                network.to(dtype)
        for network in networks:
            network.requires_grad_(False)
            for parameter in network.parameters():
                parameter.grad = None


def adamw(groups: Sequence[tuple[Sequence[nn.Parameter], float]]) -> torch.optim.AdamW:
    """AdamW as all the published recipes set it, with (parameters, learning rate) groups."""
    return torch.optim.AdamW(
        [{"params": list(parameters), "lr": rate} for parameters, rate in groups],
        betas=(0.9, 0.999),
        weight_decay=1e-2,
        eps=1e-8,
    )


def denoising_error(
    pipe: StableDiffusionPipeline,
    scheduler: DDPMScheduler,
    latents: Tensor,
    noise: Tensor,
    timesteps: Tensor,
    states: Tensor,
) -> Tensor:
    """Mean squared error of the UNet's prediction, one number per picture, [n], float32."""
    unet: Any = pipe.unet
    noisy = scheduler.add_noise(latents, noise, timesteps)
    predicted = unet(noisy.to(unet.dtype), timesteps, states.to(unet.dtype)).sample
    velocity = scheduler.config.prediction_type == "v_prediction"
    target = scheduler.get_velocity(latents, noise, timesteps) if velocity else noise
    errors: Tensor = (predicted.float() - target.float()).square().mean(dim=(1, 2, 3))
    return errors


def run(
    pipe: StableDiffusionPipeline,
    task: Task,
    *,
    steps: int,
    optimizer: torch.optim.Optimizer,
    batch: Callable[[], Batch],
    encode: Callable[[list[str]], Tensor],
    generator: torch.Generator,
    timestep_weights: Callable[[Tensor], Tensor] = uniform,
    extra_loss: Callable[[], Tensor] | None = None,
    clipped: Sequence[nn.Parameter] = (),
    max_norm: float = 1.0,
) -> TrainResult:
    """Train for `steps` steps and return what happened.

    Loss: the pictures' denoising errors, weighted, plus `extra_loss()`. timestep_weights: from
    the schedule's cumulative alphas to the timesteps' probabilities. clipped: the parameters
    whose joint gradient norm is cut to `max_norm`.
    Raises ValueError for an unknown precision, ArithmeticError when the loss is not finite.
    """
    if task.precision not in AUTOCAST:
        raise ValueError(f'precision "{task.precision}": expected {", ".join(AUTOCAST)}')
    device = torch.device(task.device)
    low = AUTOCAST[task.precision]
    scaler = torch.amp.GradScaler(device.type, enabled=low is torch.float16)
    scheduler = noise_scheduler(pipe)
    probabilities = timestep_weights(scheduler.alphas_cumprod)
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    losses: list[float] = []
    seconds: list[float] = []
    for step in range(1, steps + 1):
        started = _now(device)
        shown = batch()
        count = len(shown.prompts)
        noise = torch.randn(shown.latents.shape, generator=generator).to(device)
        timesteps = sample(probabilities, count, generator).to(device)
        weights = torch.full((count,), 1.0 / count) if shown.weights is None else shown.weights
        with torch.autocast(device.type, low, enabled=low is not None):
            states = encode(shown.prompts)
            errors = denoising_error(pipe, scheduler, shown.latents, noise, timesteps, states)
            loss = (errors * weights.to(device)).sum()
            if extra_loss is not None:
                loss = loss + extra_loss()
        torch.autograd.backward(scaler.scale(loss))
        if clipped:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(clipped, max_norm)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        seconds.append(_now(device) - started)
        if not torch.isfinite(loss):
            raise ArithmeticError(f"step {step}: the loss is {losses[-1]}; lower the rate")
        task.report(step, steps, losses[-1])
    return TrainResult(sum(parameter.numel() for parameter in trained), losses, seconds)


def _now(device: torch.device) -> float:
    """Seconds, read when the device has finished what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
