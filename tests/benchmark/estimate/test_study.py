"""The feasibility study's figures for SD 1.5 and 2.1-base at 512 px in fp16, one steady step.

Its scripts differ from this project's methods in five places, which are put back here so that the
same thing is compared: the text encoder is held in float32, the UNet runs outside autocast where it
is frozen, TextBoost's VAE is in float32 with a second text encoder as the teacher, where the study
says so AdamW has the whole embedding table, and on SD 2.1 DreamBooth's frozen text encoder reads
its prompts in every step. Peaks are within 2 %, FLOPs within 1 %.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch._subclasses import FakeTensorMode

from benchmark.estimate.counts import full_settings
from benchmark.estimate.cuda_rules import cuda_autocast
from benchmark.estimate.live import CUDA_GRANULARITY
from benchmark.estimate.made_up import made_up_task
from benchmark.estimate.question import with_batch
from benchmark.estimate.rehearsal import Rehearsal, rehearse
from benchmark.estimate.weightless import converting, faking, fill, pipeline_of_shapes, replaced
from methods import get_method, prior_preservation
from methods.interface import Compute
from textboost import tokens
from textboost.conditioning import encode

pytestmark = pytest.mark.long

GIB = 2**30
QKV = ["q_proj", "k_proj", "v_proj"]


def rehearsed(
    method: str,
    batch: int,
    *,
    backbone: str = "sd15",
    as_in_study: bool = True,
    whole_table: bool = False,
    cached: bool = False,
    settings: dict[str, object] | None = None,
    **compute: object,
) -> Rehearsal:
    values = full_settings(method, "paper", settings or {})
    values, _ = with_batch(values, batch)
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    empty = faking(mode)
    pipe = fill(pipeline_of_shapes(backbone), "fp16", empty)
    task = made_up_task(512, Compute(precision="fp16", **compute))
    with converting(empty), cuda_autocast():
        if as_in_study:
            pipe.text_encoder.float()
            outside_autocast(pipe)
        if as_in_study and method == "textboost":
            pipe.vae.float()
            weights = sum(weight.numel() for weight in pipe.text_encoder.parameters())
            teacher = empty(torch.empty(weights, device="meta"), torch.float16)
            pipe.text_encoder.teacher = nn.Parameter(teacher, requires_grad=False)
        install, merge = tokens.install, tokens.merge
        if whole_table:
            install, merge = whole_tables, lambda pipe: None
        with replaced(tokens, "install", install), replaced(tokens, "merge", merge):
            return rehearse(
                get_method(method),
                pipe,
                task,
                values,
                fake=mode,
                granularity=CUDA_GRANULARITY,
                cached_latents=cached,
            )


def outside_autocast(pipe) -> None:
    """A frozen UNet is called in half precision; weights in float32 inside it see float32."""
    forward = pipe.unet.forward

    def plain(*args, **kwargs):
        with torch.autocast("cpu", enabled=False):
            return forward(*args, **kwargs)

    pipe.unet.forward = plain
    for name, layer in pipe.unet.named_modules():
        if name.endswith(("attn2.to_k", "attn2.to_v")):
            layer.register_forward_pre_hook(lambda one, args: (args[0].to(one.weight.dtype),))
            layer.register_forward_hook(lambda one, args, made: made.half())


def whole_tables(pipe, new):
    """The optimizer gets all rows of the table, as in the usual implementations."""
    table = pipe.text_encoder.get_input_embeddings()
    table.weight.requires_grad_(True)
    return [SimpleNamespace(rows=table.weight, ids=new[0].ids[0], base=table)]


def encode_always(pipe):
    """A frozen text encoder that remembers nothing."""

    def read(prompts):
        with torch.no_grad():
            return encode(pipe, prompts, whole=True)

    return read


def check(found: Rehearsal, peak: float | None, phases: str, teraflops: float | None) -> None:
    """peak in GiB, phases: those that may hold it; None is what the study does not give."""
    if peak is not None:
        assert found.peak_bytes / GIB == pytest.approx(peak, rel=0.02)
        assert found.peak_phase in phases
    if teraflops is not None:
        assert sum(found.flops.values()) / 1e12 == pytest.approx(teraflops, rel=0.01)


# Where forward and backward peak within a few MB of each other, the phase may be either.
EITHER = "forward or backward"
TEXTBOOST = {"method": "textboost", "batch": 8, "settings": {"targets": QKV}}


def test_textboost():
    rows = rehearsed(**TEXTBOOST)
    check(rows, 8.86, EITHER, 23.25)
    assert rows.peak_split["weights"] / GIB == pytest.approx(2.60, abs=0.01)
    assert rows.peak_split["activations"] / GIB == pytest.approx(6.26, rel=0.02)
    assert rows.peak_split["optimizer"] < 5e6
    cached = rehearsed(**TEXTBOOST, cached=True)
    check(cached, 8.84, EITHER, 14.31)
    again = rehearsed(**TEXTBOOST, gradient_checkpointing=True)
    check(again, 7.63, "vae", 27.95)


def test_textboost_with_the_whole_table():
    table = rehearsed(**TEXTBOOST, whole_table=True)
    check(table, 9.15, EITHER, 23.25)
    assert table.peak_split["optimizer"] / GIB == pytest.approx(0.28, abs=0.01)
    one = rehearsed(
        **{**TEXTBOOST, "batch": 1, "settings": {"targets": QKV, "prior_batch_size": 1}},
        whole_table=True,
    )
    check(one, 3.95, EITHER, 2.91)


def test_plain_attention():
    check(rehearsed(**TEXTBOOST, attention="math"), 34.25, "backward", None)


def test_dreambooth():
    for options, peak, phase, gradients, teraflops in (
        ({"optimizer": "foreach"}, 16.40, "optimizer", 3.20, 7.20),
        ({"gradient_checkpointing": True}, 13.45, "backward", 3.16, 8.39),
        ({}, 13.94, "forward", 0.0, 7.20),
    ):
        found = rehearsed("dreambooth", 2, as_in_study=False, **options)
        # The prompts of a frozen encoder are read once here and in every step there: its 0.4 %.
        check(found, peak, phase, teraflops)
        assert found.peak_split["gradients"] / GIB == pytest.approx(gradients, abs=0.01)
        assert found.peak_split["optimizer"] / GIB == pytest.approx(6.40, abs=0.01)
        assert found.flops["text_encoder"] == 0
    check(rehearsed("dreambooth", 8, as_in_study=False), 20.97, "forward", 28.80)


def test_textual_inversion_and_custom_diffusion():
    check(rehearsed("textual-inversion", 1, whole_table=True), 3.39, EITHER, 2.87)
    check(rehearsed("textual-inversion", 8, whole_table=True), 8.53, EITHER, 22.92)
    check(rehearsed("custom-diffusion", 4, whole_table=True), 5.80, EITHER, 11.47)
    check(rehearsed("custom-diffusion", 8, whole_table=True), 8.77, EITHER, 22.95)


def test_sd21_base():
    other = {"backbone": "sd21-base", "whole_table": True}
    check(rehearsed(**TEXTBOOST, **other), 11.32, EITHER, 24.54)
    check(rehearsed("textual-inversion", 8, **other), 9.68, EITHER, 23.45)
    check(rehearsed("custom-diffusion", 4, **other), 7.09, EITHER, 11.74)
    dreambooth = {"backbone": "sd21-base", "as_in_study": False, "optimizer": "foreach"}
    with replaced(prior_preservation, "encode_once", encode_always):
        check(rehearsed("dreambooth", 2, **dreambooth), 16.92, "optimizer", 7.27)
    # Ours reads each prompt once, and lies below by what the text encoder takes: 1.3 %.
    ours = rehearsed("dreambooth", 2, **dreambooth)
    check(ours, 16.92, "optimizer", None)
    assert sum(ours.flops.values()) / 1e12 == pytest.approx(0.987 * 7.27, rel=0.003)
