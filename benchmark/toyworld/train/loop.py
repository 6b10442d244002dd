"""The loop that all three trainings share: a planned number of steps, saved so that it can go on.

What step k sees depends on (seed, k) alone. A run that was stopped and continued is the run that
was not, and a run planned by minutes is repeated exactly by giving its number of steps.
"""

from __future__ import annotations

import csv
import math
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from types import FrameType

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from benchmark import atomic

TRIAL_STEPS = 30
SECONDS_BETWEEN_CHECKPOINTS = 110.0
Loss = Callable[[int, torch.Generator], tuple[Tensor, dict[str, float]]]


@dataclass(frozen=True)
class Recipe:
    """How a stage is optimized."""

    name: str
    rate: float
    warmup: int
    """Steps of linear warm-up, at least `TRIAL_STEPS`, so that the trial needs no total."""
    decay_share: float
    """Share of the steps, at the end, in which the rate falls to 0 along a cosine."""
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.01
    clip: float = 1.0
    ema: float = 0.0
    """Decay of the moving average of the weights; 0: none is kept."""


@dataclass(frozen=True)
class Plan:
    """The part of the schedule that is fixed once the total is known."""

    steps: int
    decay_from: int

    def factor(self, step: int, warmup: int) -> float:
        """Multiplier of the rate at a step counted from 0."""
        rising = min(1.0, (step + 1) / warmup)
        if step < self.decay_from:
            return rising
        done = (step - self.decay_from) / max(1, self.steps - self.decay_from)
        return rising * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


@dataclass(frozen=True)
class Order:
    """What the command line asks of a training."""

    work: Path
    seed: int = 0
    minutes: float = 10.0
    steps: int | None = None
    """Overrides `minutes`."""
    finish: int | None = None
    """Go from the checkpoint straight into a final decay of this many steps."""


class Training:
    """Weights, their moving average and the optimizer's state, on disk at least every 2 minutes."""

    def __init__(self, recipe: Recipe, order: Order, models: dict[str, nn.Module]) -> None:
        self.recipe, self.order, self.models = recipe, order, models
        self.folder = order.work / recipe.name
        self.parameters = {
            f"{name}.{key}": parameter
            for name, model in models.items()
            for key, parameter in model.named_parameters()
        }
        self.optimizer = torch.optim.AdamW(
            list(self.parameters.values()),
            lr=recipe.rate,
            betas=recipe.betas,
            weight_decay=recipe.weight_decay,
            fused=True,
        )
        self.average = {k: p.detach().clone() for k, p in self.parameters.items() if recipe.ema}
        self.step = 0
        self.seconds = 0.0
        self.plan: Plan | None = None
        self._stop = False
        self._load()

    def run(self, loss_of: Loss, sheet: Callable[[], None] | None = None) -> bool:
        """Trains to the end of the plan; False when a signal ended it early (state is saved).

        `sheet` is called about every ten minutes.
        """
        previous = signal.signal(signal.SIGTERM, self._ask_to_stop)
        if self.plan is None:
            self.plan = Plan(1 << 40, 1 << 40) if self.order.steps is None else self._planned()
        saved = drawn = started = time.monotonic()
        before, trial, total_loss = self.seconds, [], 0.0
        try:
            while self.step < self.plan.steps and not self._stop:
                begin = time.monotonic()
                value, figures = self._one_step(loss_of)
                trial.append(time.monotonic() - begin)
                total_loss = value if not total_loss else 0.98 * total_loss + 0.02 * value
                self.seconds = before + time.monotonic() - started
                if self.plan.steps == 1 << 40 and len(trial) == TRIAL_STEPS:
                    self.plan = self._planned(median(trial[5:]))
                if self.step % 50 == 0 or self.step == self.plan.steps:
                    self._log(total_loss, figures)
                if time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                    self._save()
                    saved = time.monotonic()
                if sheet and time.monotonic() - drawn > 600:
                    sheet()
                    drawn = time.monotonic()
        finally:
            signal.signal(signal.SIGTERM, previous)
        self._save()
        return not self._stop

    def averaged(self) -> dict[str, Tensor]:
        """The weights to use: the moving average where one is kept."""
        return self.average or {k: p.detach() for k, p in self.parameters.items()}

    def _one_step(self, loss_of: Loss) -> tuple[float, dict[str, float]]:
        assert self.plan is not None
        recipe = self.recipe
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.rate * self.plan.factor(self.step, recipe.warmup)
        generator = torch.Generator().manual_seed((self.order.seed << 32) + self.step)
        loss, figures = loss_of(self.step, generator)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.optimizer.param_groups[0]["params"], recipe.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        if self.average:
            decay = min(recipe.ema, (1 + self.step) / (10 + self.step))
            with torch.no_grad():
                torch._foreach_lerp_(
                    list(self.average.values()), list(self.parameters.values()), 1 - decay
                )
        return float(loss.detach()), figures

    def _planned(self, step_seconds: float | None = None) -> Plan:
        if step_seconds is None:
            steps = self.order.steps or 0
        else:
            left = self.order.minutes * 60 - TRIAL_STEPS * step_seconds
            steps = TRIAL_STEPS + max(0, round(left / step_seconds))
            print(f"{self.recipe.name}: {step_seconds:.3f} s a step, {steps} steps", flush=True)
        return Plan(steps, round(steps * (1 - self.recipe.decay_share)))

    def _ask_to_stop(self, signum: int, frame: FrameType | None) -> None:
        self._stop = True

    def _log(self, loss: float, figures: dict[str, float]) -> None:
        row = {"step": self.step, "seconds": round(self.seconds, 1), "loss": round(loss, 5)}
        row |= {key: round(value, 5) for key, value in figures.items()}
        path = self.folder / "log.csv"
        new = not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)
        print(f"{self.recipe.name}: {row}", flush=True)

    def _save(self) -> None:
        assert self.plan is not None
        tensors: dict[str, Tensor] = {}
        for name, model in self.models.items():
            tensors |= {f"model.{name}.{k}": v for k, v in model.state_dict().items()}
        tensors |= {f"average.{key}": value for key, value in self.average.items()}
        for key, parameter in self.parameters.items():
            for slot, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{slot}.{key}"] = value
        # The step's number lies in the tensors' file, so that the two can never disagree.
        state = {"step": self.step, "seconds": self.seconds, "plan": asdict(self.plan)}
        tensors["step"] = torch.tensor(self.step)
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.folder / "checkpoint.unfinished"
        save_file({k: v.detach().contiguous() for k, v in tensors.items()}, fresh)
        fresh.replace(self.folder / "checkpoint.safetensors")
        atomic.write_json(self.folder / "state.json", state)

    def _load(self) -> None:
        path = self.folder / "checkpoint.safetensors"
        state = atomic.read_json(self.folder / "state.json")
        if not path.exists() or state is None:
            return
        tensors = load_file(path)
        self.step = int(tensors.pop("step"))
        self.seconds = float(state["seconds"])
        plan = Plan(**state["plan"])
        self.plan = plan if plan.steps < 1 << 40 else None
        # A decay that has begun is kept: a finish that was killed goes on as it was.
        if self.order.finish is not None and self.step <= plan.decay_from:
            self.plan = replace(plan, steps=self.step + self.order.finish, decay_from=self.step)
        for name, model in self.models.items():
            prefix = f"model.{name}."
            model.load_state_dict(
                {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
            )
        for key in self.average:
            self.average[key].copy_(tensors[f"average.{key}"])
        for key, parameter in self.parameters.items():
            slots = ("step", "exp_avg", "exp_avg_sq")
            if f"optimizer.step.{key}" in tensors:
                self.optimizer.state[parameter] = {
                    slot: tensors[f"optimizer.{slot}.{key}"].clone() for slot in slots
                }
