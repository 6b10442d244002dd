"""Predictions for people: tables and bars for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from benchmark.estimate.ask import GIB, Answer, Fit, Refusal
from benchmark.estimate.question import MEMORY_NOTE, Prediction

BAR = 30
MEMORY_FOOTNOTE = f"peak: predicted {MEMORY_NOTE}; not measured"
FOOTNOTES = (
    "parameters, checkpoint: exact, counted by the method's own code (a subject such as a corgi "
    "dog)",
    "TFLOPs: analytic, matrix products, convolutions and attention of a step, forward and backward",
    MEMORY_FOOTNOTE,
    "rest: activations, temporaries and the data",
)


def conditions(answers: Sequence[Answer]) -> str:
    """What all of the answers depend on, in one line; their batches stand in the table."""
    found = [one for one in answers if isinstance(one, Prediction)]
    first = found[0]
    vae = "VAE not run" if first.cached_latents else f"VAE in {first.vae_precision}"
    checkpointing = "UNet checkpointed" if first.checkpointing else "no checkpointing"
    pixels = "/".join(str(side) for side in sorted({one.resolution for one in found}))
    return (
        f"{first.backbone}, {pixels} px, {first.precision}, {vae}, attention {first.attention}, "
        f"AdamW {first.optimizer}, {checkpointing}"
    )


def table(answers: Sequence[Answer]) -> Table:
    """One row per prediction; those that cannot be are named, `reasons` says why."""
    made = Table(box=None, pad_edge=False, title=conditions(answers), title_justify="left")
    made.add_column("method", no_wrap=True)
    for heading in ("batch", "parameters", "checkpoint", "TFLOPs", "peak GiB"):
        made.add_column(heading, justify="right", no_wrap=True)
    made.add_column("at", no_wrap=True)
    for one in answers:
        if isinstance(one, Refusal):
            made.add_row(Text(one.question.method), "-", "not possible")
            continue
        made.add_row(
            Text(labelled(one.method, one.preset)),
            batch_text(one),
            f"{one.trainable_parameters:,}",
            size_text(one.checkpoint_bytes),
            f"{one.flops_per_step / 1e12:.2f}",
            f"[bold]{one.peak_bytes / GIB:.2f}",
            one.peak_phase,
        )
    return made


def split_table(answers: Sequence[Answer]) -> Table:
    """What the peak is made of, and who computes what."""
    found = [one for one in answers if isinstance(one, Prediction)]
    title = "GiB at the instant of the peak, and TFLOPs, by part"
    made = Table(box=None, pad_edge=False, title=title, title_justify="left")
    made.add_column("method", no_wrap=True)
    parts = {"weights": "weights", "gradients": "grads", "optimizer": "Adam", "activations": "rest"}
    components = {"vae": "VAE", "text_encoder": "text", "unet": "UNet"}
    for heading in (*parts.values(), *components.values()):
        made.add_column(heading, justify="right", no_wrap=True)
    for one in found:
        made.add_row(
            Text(labelled(one.method, one.preset)),
            *(f"{one.peak_split[part] / GIB:.2f}" for part in parts),
            *(f"{one.flops[component] / 1e12:.2f}" for component in components),
        )
    return made


def bars(answers: Sequence[Answer], name: str) -> Table:
    """The curve of a sweep over `name`, "batch" or "resolution": a bar for each prediction."""
    found = [one for one in answers if isinstance(one, Prediction)]
    most = max(one.peak_bytes for one in found)
    made = Table(box=None, pad_edge=False, title=conditions(answers), title_justify="left")
    made.add_column("method", no_wrap=True)
    made.add_column(name, justify="right")
    made.add_column("peak GiB", justify="right", no_wrap=True)
    made.add_column("TFLOPs", justify="right", no_wrap=True)
    made.add_column("", no_wrap=True)
    for one in answers:
        if isinstance(one, Refusal):
            made.add_row(
                Text(one.question.method), str(getattr(one.question, name)), "not possible"
            )
            continue
        made.add_row(
            Text(labelled(one.method, one.preset)),
            str(getattr(one, name)),
            f"{one.peak_bytes / GIB:.2f}",
            f"{one.flops_per_step / 1e12:.2f}",
            "█" * max(1, round(BAR * one.peak_bytes / most)),
        )
    return made


def fit_table(found: Sequence[Fit], gibibytes: float) -> Table:
    """Which batches fit into a GPU, with and without checkpointing."""
    title = f"largest batch of 1, 2, 4, 8 whose predicted peak fits {gibibytes:g} GiB"
    made = Table(box=None, pad_edge=False, title=title, title_justify="left")
    made.add_column("method")
    made.add_column("checkpointing")
    for heading in ("batch", "peak GiB", "next batch needs"):
        made.add_column(heading, justify="right", no_wrap=True)
    for one in found:
        above = f"{one.above.batch}: {one.above.peak_bytes / GIB:.2f} GiB" if one.above else ""
        if one.refusal:
            batch, peak = "not possible", ""
        elif one.fitting is None:
            batch, peak = "none", ""
        else:
            batch, peak = batch_text(one.fitting), f"{one.fitting.peak_bytes / GIB:.2f}"
        made.add_row(
            Text(labelled(one.method, one.preset)),
            "UNet" if one.checkpointing else "no",
            batch,
            peak,
            above,
        )
    return made


def reasons(answers: Sequence[Answer]) -> list[str]:
    """Why those that are not possible are not, each reason once."""
    return list(dict.fromkeys(one.reason for one in answers if isinstance(one, Refusal)))


def labelled(method: str, preset: str) -> str:
    """The method, with its preset unless that is the paper's."""
    return method if preset == "paper" else f"{method}:{preset}"


def batch_text(one: Prediction) -> str:
    """How many pictures a step shows: "8", or with class pictures "4+4"."""
    if not one.class_pictures:
        return str(one.batch)
    return f"{one.batch - one.class_pictures}+{one.class_pictures}"


def size_text(count: int) -> str:
    """Bytes in decimal units, as disks and downloads are measured."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count} B"
