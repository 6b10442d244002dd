"""Protocols: what they fix, what they show otherwise, and that the docs say the same."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from diffusers import StableDiffusionPipeline
from typer.testing import CliRunner

from benchmark.cli import app
from benchmark.collect import CELL_COLUMNS
from benchmark.config import load_config, parse_config, ready_runs, toml_text
from benchmark.encoder_sources import source_of
from benchmark.errors import UserError
from benchmark.generate import Sampling, sample
from benchmark.metrics import directions, metric_names
from benchmark.plan import plan
from benchmark.protocol_table import markdown
from benchmark.protocols import as_published, get_protocol, protocol_names, shown_directions
from reports.tables import headline, summary
from tests.reports.made_up import SUBJECTS, cell, cell_scores

DOCS = Path(__file__).parents[2] / "docs" / "explanation"
SMALL = """
name = "p"
title = "p"
subjects = ["spotted_dog"]
prompts = ["in-the-jungle"]

[[methods]]
name = "base"
"""


def test_published_settings():
    """The presets of the papers, one fact each that a table depends on."""
    made = {name: get_protocol(name).generation for name in protocol_names()}
    assert protocol_names()[0] == "strict"
    assert (made["dreambooth"]["steps"], made["dreambooth"]["sampler"]) == (50, "default")
    assert made["custom-diffusion"]["steps"] == 200
    assert made["custom-diffusion"]["guidance_scale"] == 6.0
    assert len(made["custom-diffusion"]["seeds"]) == 50
    assert made["textboost-v1"]["seeds"] == [0, 1, 2, 3]
    assert get_protocol("textboost-v1").scoring["text_encoders"] == ["clip-vit-l-14-336"]
    assert get_protocol("dreambench++").scoring["image_encoders"][0] == "dino-vits8"


@pytest.mark.parametrize("name", protocol_names())
def test_everything_a_protocol_names_exists(name):
    protocol = get_protocol(name)
    assert set(protocol.scoring["metrics"]) <= set(metric_names())
    for encoder in protocol.scoring["image_encoders"]:
        source_of(encoder)
    assert all(source_of(encoder).has_text for encoder in protocol.scoring["text_encoders"])
    config = parse_config(SMALL, "p.toml", protocol=name)
    assert config.generation.sampler == protocol.generation["sampler"]
    assert list(config.scoring.image_encoders) == protocol.scoring["image_encoders"]
    assert parse_config(toml_text(config), "config.toml") == config


def test_a_run_may_not_differ_from_the_protocol_it_names():
    table = SMALL.replace('title = "p"', 'title = "p"\nprotocol = "strict"')
    assert parse_config(table, "p.toml").generation.steps == 25
    assert parse_config(table, "p.toml", ["generation.batch_size=3"]).generation.batch_size == 3
    with pytest.raises(UserError, match=r"generation\.steps is 9, but protocol 'strict' fixes it"):
        parse_config(table, "p.toml", ["generation.steps=9"])
    with pytest.raises(UserError, match=r"scoring\.metrics is"):
        parse_config(table + '[scoring]\nmetrics = ["fidelity"]\n', "p.toml")
    with pytest.raises(UserError, match="did you mean 'strict'"):
        parse_config(SMALL, "p.toml", protocol="strikt")


def test_chosen_on_the_command_line_it_replaces_what_a_ready_run_says():
    for name in ready_runs():
        config = load_config(name, protocol="dreambooth")
        assert (config.generation.steps, config.protocol) == (50, "dreambooth")
    with pytest.raises(UserError, match="fixes it to 50"):
        load_config("quickstart", ["generation.steps=5"], protocol="dreambooth")


def test_the_protocol_is_in_the_key_and_in_every_row(monkeypatch):
    monkeypatch.setattr("benchmark.plan.encoder_revision", lambda name: "0" * 12)
    (strict,) = plan(parse_config(SMALL, "p.toml", protocol="strict"))
    values = toml_text(parse_config(SMALL, "p.toml", protocol="strict"))
    (same,) = plan(parse_config(values.replace('protocol = "strict"\n', ""), "p.toml"))
    assert (strict.protocol, same.protocol) == ("strict", "dpm++/25/7.5")
    assert strict.key != same.key


def test_results_keep_the_raw_cosine_and_tables_show_the_published_one():
    """Trap 4: scaling CLIP-T by 2.5 and clamping it at zero."""
    raw = pd.DataFrame(
        {
            "protocol": ["custom-diffusion", "custom-diffusion", "strict", "custom-diffusion"],
            "metric": ["alignment", "alignment", "alignment", "fidelity"],
            "value": [0.3, -0.1, 0.3, 0.7],
        }
    )
    shown = as_published(raw)
    pd.testing.assert_frame_equal(shown.iloc[:4], raw)
    added = shown.iloc[4:]
    assert set(added["metric"]) == {"alignment x2.5"}
    assert added["value"].tolist() == pytest.approx([0.75, 0.0])


def test_tables_judge_by_the_photos_that_the_protocol_compares_with():
    cells = [cell(method, name) for method in ("textboost", "dreambooth") for name in SUBJECTS]
    random = np.random.default_rng(0)
    scored = [
        cell_scores(made, random).assign(
            **{name: getattr(made, name) for name in CELL_COLUMNS}, protocol=made.protocol
        )
        for made in cells
    ]
    results = pd.concat(scored, ignore_index=True)
    judged = {column.reference for column in headline(summary(results)) if column.reference}
    assert judged == {"unseen"}
    table = summary(results.assign(protocol="custom-diffusion"))
    assert {column.reference for column in headline(table) if column.reference} == {"seen"}
    scaled = table[table["metric"] == "alignment x2.5"].set_index("label")["mean"]
    plain = table[table["metric"] == "alignment"].set_index("label")["mean"]
    assert len(scaled) > 1
    pd.testing.assert_series_equal(scaled, plain * 2.5)
    assert set(table.loc[table["metric"] == "alignment x2.5", "better"]) == {"higher"}
    assert set(shown_directions().values()) <= set(directions())


def test_ddim_with_eta_1_draws_fresh_noise_at_every_step(tiny_backbone):
    torch.set_num_threads(1)
    pipe = StableDiffusionPipeline.from_pretrained(tiny_backbone, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)

    def picture(sampler, steps=3):
        return sample(pipe, ["a dog"], [1], Sampling(steps, 6.0, sampler, 32))[0].tobytes()

    assert picture("ddim-eta1") != picture("ddim")
    assert picture("ddim-eta1") == picture("ddim-eta1")


def test_the_docs_are_written_from_the_files():
    assert (DOCS / "protocols.md").read_text(encoding="utf-8") == markdown()


def test_the_command_lists_them():
    shown = CliRunner().invoke(app, ["protocols"])
    assert shown.exit_code == 0
    assert all(name in shown.output for name in protocol_names())
