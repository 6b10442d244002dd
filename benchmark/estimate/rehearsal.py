"""A method's own training for two steps, watched: FLOPs, live bytes and where they peak.

Nothing is imitated: `method.train` runs with its own loop on the pipeline it is given. On fake
tensors that costs neither memory nor arithmetic, on real ones it is a measurement; both are watched
in the same way. The first step warms up: the optimizer gets its state, and what is read once in a
training is read. The second is like all that would follow, and is watched.

While the method sets itself up all tensors are fake. In its loop only those are that depend on a
weight: what the loop decides by (the loss's value, the gradient scaler, the schedule) stays real.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.optim.optimizer import register_optimizer_step_pre_hook

from benchmark.estimate.flops import FlopsByComponent
from benchmark.estimate.live import LiveBytes
from benchmark.estimate.weightless import replaced
from textboost import loop
from textboost.conditioning import text_encoders

if TYPE_CHECKING:
    from methods import Method, Task

STEPS = 2
PHASES = ("vae", "forward", "backward", "optimizer")
WEIGHTS, GRADIENTS, OPTIMIZER = "weights", "gradients", "optimizer"


@dataclass(frozen=True)
class Rehearsal:
    """What was seen of a steady step.

    flops: by component, "vae", "text_encoder", "unet" and "other". peak_split: bytes of weights,
    gradients, optimizer and activations (with temporaries and data) at the instant of the peak.
    pictures: how many a step shows. vae_dtype: the VAE's while training; SDXL's is taken to
    float32. seconds: of a step, meaningful on real tensors alone.
    """

    trainable_parameters: int
    flops: Mapping[str, int]
    peak_bytes: int
    peak_phase: str
    peak_split: Mapping[str, int]
    pictures: int
    vae_dtype: torch.dtype
    seconds: float


class NothingToWatchError(ValueError):
    """The method does not train by the loop that all methods share."""


def rehearse(
    method: Method,
    pipe: Any,
    task: Task,
    settings: Any,
    *,
    fake: FakeTensorMode | None = None,
    granularity: int = 1,
    cached_latents: bool = False,
) -> Rehearsal:
    """Train two steps and say what the steady one took.

    fake: the mode that the pipeline's weights are fake in; None: they are real. granularity: see
    `LiveBytes`. cached_latents: no picture goes through the VAE; otherwise every one does, also
    those whose latents the method would keep.
    Raises ValueError where the method cannot train the pipeline.
    """
    watch = _Watch(pipe, granularity)
    settings = replace(settings, steps=STEPS)
    with ExitStack() as stack:
        set_up = stack.enter_context(ExitStack())
        if fake is not None:
            set_up.enter_context(fake)

        def begin_loop(pipe: Any) -> Any:
            set_up.close()
            watch.begin(0)
            return noise_scheduler(pipe)

        noise_scheduler = loop.noise_scheduler
        stack.enter_context(replaced(loop, "noise_scheduler", begin_loop))
        stack.enter_context(replaced(loop.Latents, "sample", _sampling(cached_latents)))
        stack.enter_context(watch.phases())
        stack.callback(watch.end)
        task = replace(task, report=lambda step, steps, loss: watch.begin(step))
        result = method.train(pipe, task, settings)
    if watch.live is None or watch.flops is None:
        raise NothingToWatchError(f"{method.name} does not train by the methods' common loop")
    flops = dict(watch.flops.flops)
    if cached_latents:
        flops["vae"] = 0
    split = dict.fromkeys((WEIGHTS, GRADIENTS, OPTIMIZER, "activations"), 0)
    return Rehearsal(
        trainable_parameters=result.trainable_parameters,
        flops=flops,
        peak_bytes=watch.live.peak,
        peak_phase=watch.live.peak_phase,
        peak_split=split | dict(watch.live.peak_split),
        pictures=max(result.step_pictures),
        vae_dtype=watch.vae_dtype,
        seconds=result.step_seconds[1],
    )


class _Watch:
    """What is looked at in which step."""

    def __init__(self, pipe: Any, granularity: int) -> None:
        self.live: LiveBytes | None = None
        self.flops: FlopsByComponent | None = None
        self.vae_dtype = pipe.vae.dtype
        self._pipe = pipe
        self._granularity = granularity
        self._networks = [pipe.vae, pipe.unet, *(encoder for _, encoder in text_encoders(pipe))]
        self._optimizer: torch.optim.Optimizer | None = None
        self._step = ExitStack()

    def begin(self, done: int) -> None:
        """So many steps are done: put away what watched the last one, take what the next needs."""
        self.end()
        if done != 1:
            return
        vae = self._pipe.vae
        components = {
            # The loop calls `vae.encode`, which calls these.
            "vae": [part for part in (vae.encoder, vae.quant_conv) if part is not None],
            "text_encoder": [encoder for _, encoder in text_encoders(self._pipe)],
            "unet": [self._pipe.unet],
        }
        self.vae_dtype = vae.dtype
        self.flops = FlopsByComponent(components)
        self.live = LiveBytes(self._granularity)
        self._see_what_stays(self.live)
        self._step.enter_context(self.flops)
        self._step.enter_context(self.live)
        self.live.phase = "forward"

    def end(self) -> None:
        self._step.close()

    def _see_what_stays(self, live: LiveBytes) -> None:
        for network in self._networks:
            live.label(network.parameters(), WEIGHTS)
            live.label(network.buffers(), WEIGHTS)
        if self._optimizer is not None:  # there is one after the first step
            for state in self._optimizer.state.values():
                tensors = (value for value in state.values() if isinstance(value, Tensor))
                live.label(tensors, OPTIMIZER)

        def name_gradient(parameter: Tensor) -> None:
            if parameter.grad is not None:
                live.label([parameter.grad], GRADIENTS)

        for network in self._networks:
            for parameter in network.parameters():
                if parameter.requires_grad:
                    hook = parameter.register_post_accumulate_grad_hook(name_gradient)
                    self._step.callback(hook.remove)

    def _set(self, phase: str) -> None:
        if self.live is not None:
            self.live.phase = phase

    @contextmanager
    def phases(self) -> Iterator[None]:
        """Meanwhile the phase is known, and the optimizer."""

        def stepping(optimizer: torch.optim.Optimizer, *_: Any) -> None:
            self._optimizer = optimizer
            self._set("optimizer")

        def seen(unet: nn.Module, args: tuple[Any, ...]) -> None:
            self._set("forward")

        vae, unet = self._pipe.vae, self._pipe.unet
        hooks = [
            register_optimizer_step_pre_hook(stepping),
            unet.register_forward_pre_hook(seen),
        ]
        encode, backward = vae.encode, torch.autograd.backward
        try:
            with (
                replaced(vae, "encode", self._during("vae", encode, "forward")),
                replaced(
                    torch.autograd, "backward", self._during("backward", backward, "optimizer")
                ),
            ):
                yield
        finally:
            del vae.encode
            for hook in hooks:
                hook.remove()

    def _during(
        self, phase: str, function: Callable[..., Any], following: str
    ) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self._set(phase)
            try:
                return function(*args, **kwargs)
            finally:
                self._set(following)

        return call


def _sampling(cached: bool) -> Callable[..., Tensor]:
    """In place of `Latents.sample`: the n-th picture of a step is always a new one, or never."""
    sample = loop.Latents.sample

    def sample_so(latents: loop.Latents, photos: Any) -> Tensor:
        given = [(n if cached else None, photo) for n, (_, photo) in enumerate(photos)]
        return sample(latents, given)

    return sample_so
