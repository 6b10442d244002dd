"""The cases of training: one step of each method on each of two small backbones."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.perf.case import Case
from benchmark.perf.small_blank import RESOLUTION, write_small_blank
from benchmark.perf.stepping import Stepper

if TYPE_CHECKING:
    from PIL import Image

    from benchmark.backbones import Backbone
    from methods import Task

METHODS = (
    "textboost",
    "textboost-v2",
    "textboost++",
    "textual-inversion",
    "dreambooth",
    "dreambooth-lora",
    "custom-diffusion",
)
BACKBONES = ("toy", "blank")
# Small steps, so that many fit into the time there is; more of them than are ever timed.
SMALL = {"batch_size": 2, "prior_batch_size": 2, "prior_images": 4, "steps": 100_000}
COUNTED_STEPS = 2


def photo(seed: int) -> Image.Image:
    """64 blocks of random colour, 64 px."""
    import numpy as np
    from PIL import Image

    blocks = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((RESOLUTION, RESOLUTION), Image.Resampling.NEAREST)


@lru_cache
def backbone(name: str) -> Backbone:
    """The toy backbone, or the small blank one, which is built once per process."""
    from benchmark.backbones import open_backbone

    if name == "toy":
        return open_backbone("toy")
    folder = tempfile.TemporaryDirectory()
    _kept.append(folder)
    write_small_blank(Path(folder.name))
    return open_backbone(folder.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []


@dataclass
class TrainingWork:
    """One step of a method's training as the unit."""

    method: str
    backbone: str
    folder: Path

    def __post_init__(self) -> None:
        self._stepper = Stepper(self._train_on)

    def unit(self) -> None:
        """Takes one step of training."""
        self._stepper.step()

    def close(self) -> None:
        """Ends the training."""
        self._stepper.close()

    def counts(self) -> dict[str, int]:
        """Of a training of two steps, its set-up included, and of the checkpoint it leaves."""
        from torch.utils.flop_counter import FlopCounterMode

        from benchmark.estimate.live import LiveBytes
        from methods import get_method

        method = get_method(self.method)
        settings = _settings(self.method, steps=COUNTED_STEPS)
        pipe, task = backbone(self.backbone).load("cpu", "fp32"), self._task(lambda: None)
        method.prepare(pipe, task, settings)
        with LiveBytes(granularity=1) as live:
            method.train(pipe, task, settings)
        pipe = backbone(self.backbone).load("cpu", "fp32")
        with FlopCounterMode(display=False) as flops:
            result = method.train(pipe, task, settings)
        method.save(pipe, task, settings, self.folder)
        files = [file for file in self.folder.rglob("*") if file.is_file() and file.suffix != ".md"]
        return {
            "peak_live_bytes": live.peak,
            "flops": flops.get_total_flops(),
            "trainable_parameters": result.trainable_parameters,
            "checkpoint_bytes": sum(file.stat().st_size for file in files),
        }

    def _train_on(self, after_step: Callable[[], None]) -> None:
        from methods import get_method

        method, settings = get_method(self.method), _settings(self.method)
        pipe, task = backbone(self.backbone).load("cpu", "fp32"), self._task(after_step)
        method.prepare(pipe, task, settings)
        method.train(pipe, task, settings)

    def _task(self, after_step: Callable[[], None]) -> Task:
        from methods import Task
        from textboost.compute import Compute

        return Task(
            subject="dog",
            class_noun="dog",
            descriptor="red",
            live=True,
            photos=(photo(0),),
            seed=0,
            resolution=RESOLUTION,
            compute=Compute(),
            prior_prompts=backbone(self.backbone).captions(),
            prior_images=lambda prompt, count: [photo(1 + number) for number in range(count)],
            draw=None,
            report=lambda step, steps, loss: after_step(),
        )


def _settings(method: str, **changes: int) -> Any:
    """The method's preset for the toy world, in small."""
    from methods import get_method

    made = get_method(method)
    known = {field.name for field in dataclasses.fields(made.Settings)}
    small = {name: value for name, value in (SMALL | changes).items() if name in known}
    return made.Settings(**{**made.presets["toy"], **small})


TRAINING = [
    Case(f"train/{method}/{name}", partial(TrainingWork, method, name))
    for method in METHODS
    for name in BACKBONES
]
