"""From the work folder into the project: the models, captions, and the card that tells of them."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

from PIL import Image

from benchmark import atomic
from benchmark.errors import UserError
from benchmark.toyworld.captions import caption
from benchmark.toyworld.sampling import random_scene

LIMIT_BYTES = 20_000_000
CAPTION_COUNT = 300
TRAINED = ("vae", "clip", "diffusion")


def publish(work: Path, target: Path, note: str) -> None:
    """Replaces the artifacts in `target`; the card ends its account of the training with `note`.

    UserError when something is missing or the whole is too large.
    """
    figures = {name: _json(work / name / "state.json") for name in TRAINED}
    quality = _json(work / "quality.json")
    reconstruction = _json(work / "vae" / "quality.json")
    for name, source in (("backbone", work / "backbone"), ("clip", work / "clip" / "model")):
        shutil.rmtree(target / name, ignore_errors=True)
        shutil.copytree(source, target / name)
    for config in target.glob("backbone/*/config.json"):
        # diffusers notes the folder that a part came from, which is nobody else's business.
        content = {k: v for k, v in _json(config).items() if k != "_name_or_path"}
        atomic.write_json(config, content)
    size = sum(f.stat().st_size for f in target.rglob("*") if f.is_file())
    if size > LIMIT_BYTES:
        raise UserError(f"{target} holds {size} bytes, more than {LIMIT_BYTES}: shrink a model")
    atomic.write_text(target / "captions.txt", "\n".join(_captions()) + "\n")
    with Image.open(work / "quality.png") as sheet:
        # The first five rows of twenty: what 100 unseen prompts look like.
        shown = sheet.crop((0, 0, sheet.width, sheet.height // 3))
        shown.resize((shown.width // 2, shown.height // 2)).save(target / "samples.png")
    atomic.write_text(target / "README.md", card(figures, quality, reconstruction, size, note))


def _captions() -> list[str]:
    rng = random.Random("captions of the toy world")
    return sorted({caption(random_scene(rng), rng).text for _ in range(CAPTION_COUNT)})


def _json(path: Path) -> dict[str, Any]:
    content = atomic.read_json(path)
    if content is None:
        raise UserError(f"{path} is missing; run the stages before this one first")
    return dict(content)


def card(
    trained: dict[str, dict[str, Any]],
    quality: dict[str, Any],
    reconstruction: dict[str, float],
    size: int,
    note: str,
) -> str:
    """The card, with the figures of this very training."""
    rows = "\n".join(
        f"| {name} | {state['step']:,} | {state['seconds'] / 60:.0f} min |"
        for name, state in trained.items()
    )
    kinds = ("class", "background", "color")
    generated = " | ".join(f"{quality['generated'][kind]:.1%}" for kind in kinds)
    drawings = " | ".join(f"{quality['drawings'][kind]:.1%}" for kind in kinds)
    command = "python -m benchmark.toyworld.train"
    steps = "\n".join(
        f"    {command} {name} --steps {state['plan']['steps']}" for name, state in trained.items()
    )
    return f"""# The toy world's models

Written by `{command} publish` from the training that made the files beside it.

- `backbone/`: a Stable-Diffusion-shaped pipeline for 64 px pictures; stock
  `StableDiffusionPipeline.from_pretrained` loads it.
- `clip/`: an open_clip model; `open_clip.create_model_and_transforms("local-dir:...")` loads it.
- `captions.txt`: general captions in words that the backbone knows.

{size / 1e6:.1f} MB together, half precision, safetensors. Both were trained from nothing on
drawings that `benchmark.toyworld` makes from a seed; no picture, text or weight comes from
elsewhere.

## Training

| stage | steps | time on 2 CPU cores |
|---|---|---|
{rows}

To do it again, the stages in this order (each goes on where it was stopped):

    {command} data
    {command} tokenizer
{steps}
    {command} quality
    {command} publish

{note}

## Quality

The autoencoder's reconstructions of held-out drawings: {reconstruction["psnr_mean"]:.1f} dB PSNR.
Zero-shot accuracy of the toy CLIP ({quality["prompts"]} prompts whose class, background and colour
never met in training; guidance {quality["guidance"]:g}, {quality["steps"]} steps of DPM-Solver++):

| | class | background | colour |
|---|---|---|---|
| generated pictures | {generated} |
| held-out drawings | {drawings} |

The first 100 of those prompts:

![generated pictures](samples.png)

## Limits

The numbers of this backbone say nothing about a photographic one. Never trained on, and so fit to
personalize with: the looks in `benchmark/toyworld/subjects.py` and one in eight combinations of
class, background and colour.
"""
