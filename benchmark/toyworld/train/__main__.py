"""Command line of the trainings; run the stages in the order of `STAGES`."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from benchmark.paths import data_root
from benchmark.toyworld.train import corpus
from benchmark.toyworld.train.loop import Order

STAGES = {
    "data": "draw the corpus",
    "tokenizer": "train the tokenizer on its captions",
    "vae": "train the autoencoder and cache the latents",
    "clip": "train the toy CLIP",
    "diffusion": "train the denoiser and its text encoder, save the pipeline",
    "quality": "measure generated pictures with the toy CLIP",
    "publish": "put the models, their captions and their card into the project",
}
MINUTES = {"vae": 12.0, "clip": 10.0, "diffusion": 70.0}


def main() -> int:
    """Run the stage that the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmark.toyworld.train", description=__doc__)
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")
    for name, purpose in STAGES.items():
        stage = stages.add_parser(name, help=purpose, description=purpose)
        stage.add_argument("--work", type=Path, default=Path("toyworld-training"))
        stage.add_argument("--seed", type=int, default=0)
        if name == "data":
            stage.add_argument("--count", type=int, default=48000, help="drawings to train on")
            stage.add_argument("--held-out", type=int, default=1500)
            stage.add_argument("--processes", type=int, default=2)
        if name in MINUTES:
            plan = stage.add_mutually_exclusive_group()
            plan.add_argument("--minutes", type=float, default=MINUTES[name], help="planned time")
            plan.add_argument("--steps", type=int, help="planned steps, instead of minutes")
            plan.add_argument(
                "--finish",
                type=int,
                metavar="STEPS",
                help="go from the checkpoint straight into a final decay of so many steps",
            )
            stage.add_argument("--threads", type=int, default=2)
        if name == "quality":
            stage.add_argument("--count", type=int, default=300, help="prompts")
            stage.add_argument("--guidance", type=float, default=5.0)
        if name == "publish":
            stage.add_argument("--target", type=Path, default=data_root() / "toyworld")
            stage.add_argument("--note", default="", help="a sentence for the card's account")
    given = parser.parse_args()
    return 0 if _run(given) else 1


def _run(given: argparse.Namespace) -> bool:
    if given.stage == "data":
        counts = {"train": given.count, "held-out": given.held_out}
        corpus.build(given.work, counts, given.seed, given.processes)
        return True
    if given.stage == "tokenizer":
        from benchmark.toyworld.train import tokenizer

        print(f"tokenizer: {len(tokenizer.train(given.work))} tokens")
        return True
    if given.stage == "publish":
        from benchmark.toyworld.train.publish import publish

        publish(given.work, given.target, given.note)
        return True
    import torch

    if given.stage == "quality":
        from benchmark.toyworld.train import quality

        quality.measure(given.work, given.count, given.guidance, given.seed)
        return True
    torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)
    order = Order(given.work, given.seed, given.minutes, given.steps, given.finish)
    module = {"vae": "autoencoder", "clip": "clip", "diffusion": "diffusion"}[given.stage]
    stage = importlib.import_module(f"benchmark.toyworld.train.{module}")
    return bool(stage.train(order))


if __name__ == "__main__":
    sys.exit(main())
