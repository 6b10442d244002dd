"""A method that goes wrong in the way its preset names: a plug-in that tests put on PYTHONPATH."""

import ctypes
import os
import signal
import time
from dataclasses import dataclass

import torch
from PIL import Image
from safetensors.torch import save_file

from methods.copy import Copy
from textboost.compute import TrainResult

FAULTS = (
    *("none", "segfault", "kill", "memory", "endless", "nan-loss", "exit", "secret"),
    *("black", "nan-picture", "unsteady", "put"),
)


@dataclass(frozen=True)
class Settings:
    fault: str = "none"


class Faulty(Copy):
    name = "faulty"
    summary = "goes wrong as it is told to"
    trains = True
    Settings = Settings
    presets = {"paper": {}} | {fault: {"fault": fault} for fault in FAULTS}

    def train(self, pipe, task, settings):
        losses = [0.5, 0.25]
        match settings.fault:
            case "segfault":
                ctypes.string_at(0)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "memory":
                torch.empty(1 << 60, dtype=torch.uint8)
            case "endless":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                time.sleep(600)
            case "nan-loss":
                losses = [0.5, float("nan")]
            case "exit":
                os._exit(7)
            case "secret":
                print("my token is", os.environ["SOME_TOKEN"])
                raise ValueError(f"refused with {os.environ['SOME_TOKEN']}")
            case "put":
                torch.zeros(4).put_(torch.tensor([1]), torch.tensor([1.0]))
        return TrainResult(4, losses, [0.1, 0.1], 0, [1, 1])

    def save(self, pipe, task, settings, folder):
        unsteady = settings.fault == "unsteady"
        noise = int.from_bytes(os.urandom(2)) / 2**16 + 0.001 if unsteady else 0.0
        save_file({"weight": torch.full((4,), 1.0 + noise)}, folder / "weight.safetensors")

    def load(self, pipe, task, settings, folder): ...

    def images(self, pipe, requests, task, settings, generate):
        made = super().images(pipe, requests, task, settings, generate)
        if settings.fault == "black":
            made[0] = Image.new("RGB", made[0].size)
        if settings.fault == "nan-picture":
            next(pipe.vae.decoder.parameters()).data.fill_(float("nan"))
            return generate(pipe, list(requests))
        if settings.fault == "unsteady":
            for place in range(20):  # many, or the scores might not notice
                made[1].putpixel((place, 9), tuple(os.urandom(3)))
        return made
