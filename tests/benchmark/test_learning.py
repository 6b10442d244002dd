"""What every method is for, shown on the toy world: one photo teaches it the subject.

Eight subjects get easier to denoise in views that training never saw, and generated pictures come
nearer to those views, both by more than chance over subjects allows.

The denoising error is that of the subject's own pixels in the noisier half of the timesteps, where
a network has to know what it is looking for; prompts name the view's surroundings. DreamBooth is
trained more gently for it: at the ready run's rate, which its pictures need on so small a network,
all its weights fit the one photo so closely that other views gain nothing.
"""

from dataclasses import replace
from io import StringIO

import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console
from torch.nn.functional import adaptive_avg_pool2d

from benchmark.backbones import open_backbone
from benchmark.cell import Circumstances, set_up
from benchmark.config import load_config
from benchmark.runner import run_benchmark
from benchmark.stats import compare
from benchmark.toyworld.draw import draw
from benchmark.toyworld.scenes import BACKGROUNDS
from benchmark.toyworld.subjects import SUBJECTS, views
from methods import get_method, method_names
from textboost.conditioning import encode
from textboost.loop import Latents, denoising_error, noise_scheduler

pytestmark = [pytest.mark.slow, pytest.mark.long]

METHODS = [name for name in method_names() if get_method(name).trains]
# As the ready run but for fewer pictures and one encoder: training is what takes the time.
CHANGES = [
    'prompts=["in-the-jungle", "in-the-snow"]',
    "generation.seeds=[0]",
    'scoring.metrics=["fidelity"]',
    'scoring.image_encoders=["toy-clip"]',
    "scoring.text_encoders=[]",
    'execution.device="cpu"',
]


GENTLY = 'methods=[{name="dreambooth", preset="toy", settings={learning_rate=1e-4, steps=30}}]'


def finished(folder, *changes):
    """`tbbench run toy-full`, in short."""
    config = load_config("toy-full", [*CHANGES, *changes])
    outcome = run_benchmark(config, folder, Console(file=StringIO()))
    assert outcome.failures == []
    return outcome.run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("learning") / "run")


@pytest.fixture(scope="module")
def gentle_run(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("learning") / "gentle", GENTLY)


def subject_pixels(scene, side):
    """Where the view shows the subject, [1, 1, side, side]: what no change of place changes."""
    places = [replace(scene, background=name) for name in ("in-the-jungle", "in-the-snow")]
    one, two = (np.asarray(draw(place), dtype=np.int16) for place in places)
    same = torch.from_numpy((one == two).all(axis=-1)).float()[None, None]
    return (adaptive_avg_pool2d(same, side) > 0.5).float()


def error_on(scenes, pipe, prompts):
    """Log denoising error of the subject over noise and timesteps that training never drew."""
    generator = torch.Generator().manual_seed(4321)
    shown = [(None, draw(scene)) for scene in scenes for _ in range(8)]
    latents = Latents(pipe, generator).sample(shown)
    noise = torch.randn(latents.shape, generator=generator)
    timesteps = torch.linspace(500, 990, 8).long().repeat(len(scenes))
    masks = [subject_pixels(scene, latents.shape[-1]) for scene in scenes]
    repeated = torch.cat(masks).repeat_interleave(8, dim=0)
    assert 0.1 < repeated.mean() < 0.6
    with torch.no_grad():
        errors = denoising_error(
            pipe,
            noise_scheduler(pipe),
            latents,
            noise,
            timesteps,
            encode(pipe, [prompt for prompt in prompts for _ in range(8)]),
            repeated,
        )
    # By timestep the errors span a factor of ten: their logarithms weigh all alike.
    return errors.view(-1, 8).mean(dim=0).log().mean().item()


@pytest.fixture(scope="module")
def errors(run, gentle_run):
    """The error on unseen views, by method and subject, in the form that `compare` takes."""
    rows = []
    usual = [(run, cell) for cell in run.planned if cell.method in ("base", *METHODS)]
    gentle = [(gentle_run, cell) for cell in gentle_run.planned]
    for where, cell in [pair for pair in usual if pair[1].method != "dreambooth"] + gentle:
        bench = set_up(where.folder(cell.key), cell, Circumstances())
        pipe = open_backbone("toy").load("cpu", "fp32")
        if bench.method.trains:
            bench.method.load(pipe, bench.task, bench.settings, bench.folder.checkpoint)
        unseen = [
            view for name, view in views(SUBJECTS[cell.subject]).items() if name in cell.unseen
        ]
        prompts = [
            bench.method.prompt(
                f"a photo of a {{subject}} {place}".strip(), bench.task, bench.settings
            )
            for place in (BACKGROUNDS[view.background] for view in unseen)
        ]
        value = error_on(unseen, pipe, prompts)
        rows.append({"method": cell.method, "subject": cell.subject, "value": value})
    return pd.DataFrame(rows).assign(train_seed=0, prompt_id="photo", seed=0, metric="error")


def test_every_method_is_in_the_ready_run(run):
    assert {cell.method for cell in run.planned} == set(method_names())
    assert len({cell.subject for cell in run.planned}) == 8


@pytest.mark.parametrize("method", METHODS)
def test_held_out_views_get_easier_to_denoise(errors, method):
    found = compare(errors, ["metric"], "base").set_index("method").loc[method]
    assert found.subjects == 8
    assert found.high < 0


@pytest.mark.parametrize("method", METHODS)
def test_unseen_fidelity_rises_over_base(run, method):
    results = run.results()
    fidelity = results[(results.metric == "fidelity") & (results.reference == "unseen")]
    found = compare(fidelity, ["metric", "reference"], "base").set_index("method").loc[method]
    assert found.subjects == 8
    assert found.low > 0
