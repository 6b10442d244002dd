"""`tbbench estimate` on the tiny backbone: tables, JSON, curves and mistakes."""

import json
from xml.etree import ElementTree

import pytest
from PIL import Image
from typer.testing import CliRunner

from benchmark.cli import app
from benchmark.errors import UserError


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """One for the whole file, so that nothing is predicted twice."""
    return tmp_path_factory.mktemp("predictions")


@pytest.fixture
def estimate(cache, tiny_backbone, monkeypatch):
    monkeypatch.setenv("TBBENCH_CACHE", str(cache))

    def call(*arguments, methods="textual-inversion,dreambooth"):
        options = ["--backbone", str(tiny_backbone), "--methods", methods, "--precision", "fp32"]
        environment = {"COLUMNS": "80"}
        return CliRunner().invoke(app, ["estimate", *options, *arguments], env=environment)

    return call


def test_the_table_says_what_kind_each_figure_is(estimate):
    shown = estimate("--batch", "2")
    assert shown.exit_code == 0, shown.output
    text = " ".join(shown.output.split())  # the folder's name decides where lines are broken
    for words in ("attention sdpa", "AdamW fused", "VAE in fp32", "32 px", "1+1"):
        assert words in text
    # At 80 columns nothing that identifies a row or a figure is cut.
    for words in ("exact", "analytic", "predicted live tensor bytes, without CUDA context"):
        assert words in text
    for words in ("textual-inversion", "dreambooth", "parameters", "checkpoint", "peak GiB"):
        assert words in shown.output
    assert "…" not in shown.output


def test_json_holds_the_contract_alone_on_stdout(estimate):
    shown = estimate("--batch", "2", "--json")
    one, two = json.loads(shown.stdout)
    assert [one["method"], two["method"]] == ["textual-inversion", "dreambooth"]
    assert (two["batch"], two["class_pictures"]) == (2, 1)
    assert set(one["peak_split"]) == {"weights", "gradients", "optimizer", "activations"}
    assert two["trainable_parameters"] > one["trainable_parameters"] > 0


@pytest.mark.parametrize("name", ["curve.svg", "curve.png"])
def test_a_sweep_is_drawn(estimate, tmp_path, name):
    shown = estimate("--sweep", "batch=2,3", "--out", str(tmp_path / name))
    assert shown.exit_code == 0, shown.output
    assert "█" in shown.output
    assert "not possible" in shown.output  # dreambooth with 3 pictures
    assert "3 pictures cannot be halved" in shown.output
    if name.endswith("svg"):
        text = "".join(ElementTree.parse(tmp_path / name).getroot().itertext())
        assert "textual-inversion" in text
        assert "predicted peak (GiB)" in text
    else:
        with Image.open(tmp_path / name) as image:
            assert image.width > 500


def test_what_fits_a_gpu(estimate):
    everything = estimate("--gpu-memory", "24", methods="textual-inversion")
    assert everything.exit_code == 0, everything.output
    assert "leave room for these" in everything.output
    told = json.loads(estimate("--gpu-memory", "24", "--json", methods="textual-inversion").stdout)
    assert [one["largest_batch"] for one in told] == [8, 8]
    assert [one["checkpointing"] for one in told] == [False, True]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--out", "curve.svg"), "--out draws a sweep"),
        (("--sweep", "batch=1", "--out", "curve.pdf"), "ends in .svg or .png"),
        (("--sweep", "batch=1", "--gpu-memory", "8"), "give one of them"),
        (("--gpu-memory", "8", "--batch", "2"), "leave them out"),
        (("--attention", "flash"), "unknown attention 'flash'"),
        (("--batch", "3", "--methods", "dreambooth"), "cannot be halved"),
    ],
)
def test_a_mistake_is_one_line(estimate, arguments, words):
    shown = estimate(*arguments)
    assert isinstance(shown.exception, UserError)
    assert words in str(shown.exception)
    assert "\n" not in str(shown.exception)
