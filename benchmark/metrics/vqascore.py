"""VQAScore (prompt alignment): does a visual question answering model say yes?

The probability of "Yes" to "Does this figure show TEXT?" (Lin et al., arXiv 2404.01291, section 3),
with the prompt in which the class noun stands for the subject: 0 to 1, higher is better. One value
per picture.

The package `t2v_metrics` wants other versions of transformers than this one, so it lives in an
environment of its own, which `TBBENCH_VQASCORE_PYTHON` names by its interpreter, and runs there as
a process of its own, one for every cell. It brings a model of 11 billion parameters: think of a
GPU with 40 GB. This project's tests put a small package in its place; the real one has not been run
by them.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from PIL import Image

from benchmark import vqascore_process
from benchmark.errors import UserError
from benchmark.metrics.encoders import Picture
from benchmark.metrics.evidence import scores

KIND = "pixels"
EMITS = {"vqascore": "higher"}
ENCODER = "clip-flant5-xxl"
VARIABLE = "TBBENCH_VQASCORE_PYTHON"
FIX = (
    "make an environment with `pip install t2v-metrics` and name its interpreter: "
    f"export {VARIABLE}=.../bin/python; or leave 'vqascore' out of scoring.metrics"
)


def check() -> None:
    """UserError unless the environment is named and has the package."""
    code = "import importlib.util as u, sys; sys.exit(u.find_spec('t2v_metrics') is None)"
    try:
        found = subprocess.run([_interpreter(), "-c", code], capture_output=True, text=True)
    except OSError as error:
        raise UserError(f"metric 'vqascore': {VARIABLE}: {error}; {FIX}") from error
    if found.returncode:
        raise UserError(
            f"metric 'vqascore': {_interpreter()} has no package t2v_metrics: run "
            f"`{_interpreter()} -m pip install t2v-metrics`, or leave 'vqascore' out of "
            "scoring.metrics"
        )


def score(rows: pd.DataFrame, images: Sequence[Picture], device: str) -> pd.DataFrame:
    """One row per picture. Raises RuntimeError with its last words when the process fails."""
    with tempfile.TemporaryDirectory() as folder:
        files = [_file(image, Path(folder) / f"{n}.png") for n, image in enumerate(images)]
        values = _ask(Path(folder), files, list(rows["prompt"]), device)
    known = rows[["prompt_id", "prompt", "seed", "image"]].to_dict("records")
    return scores(
        {**{str(name): value for name, value in row.items()}, "metric": "vqascore", "value": value}
        for row, value in zip(known, values, strict=True)
    )


def _ask(folder: Path, files: Sequence[Path], texts: Sequence[str], device: str) -> list[float]:
    request, answer = folder / "request.json", folder / "answer.json"
    pairs = [[str(file.resolve()), text] for file, text in zip(files, texts, strict=True)]
    content = {"model": ENCODER, "device": device, "pairs": pairs}
    request.write_text(json.dumps(content), encoding="utf-8")
    script = str(Path(vqascore_process.__file__).resolve())
    command = [_interpreter(), script, str(request), str(answer)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        print(done.stderr)
        raise RuntimeError(f"VQAScore's process failed: {said[-1]}")
    values: list[float] = json.loads(answer.read_text(encoding="utf-8"))
    if len(values) != len(files):
        raise RuntimeError(f"VQAScore's process gave {len(values)} scores of {len(files)}")
    return values


def _file(image: Picture, where: Path) -> Path:
    if not isinstance(image, Image.Image):
        return image
    image.save(where)
    return where


def _interpreter() -> str:
    named = os.environ.get(VARIABLE)
    if not named:
        raise UserError(f"metric 'vqascore' runs in an environment of its own: {FIX}")
    return named
