"""Counts against the study's table, and against checkpoints that are really written."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmark.errors import UserError
from benchmark.estimate import Counts, exact_counts
from benchmark.estimate.counts import full_settings, layout
from methods import get_method, method_names
from tests.methods.support import task
from tests.tiny import open_tiny_pipeline

TRAINED = [name for name in method_names() if get_method(name).trains]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path))


# (method, preset) -> per backbone the parameters and the tensors' bytes in fp32 and fp16, as the
# study has them. Its Custom Diffusion and DreamBooth bytes are rounded to four digits.
STUDY = {
    ("textboost", "release"): {
        "sd15": (232_704, 930_816, 465_408),
        "sd21-base": (580_608, 2_322_432, 1_161_216),
    },
    ("textual-inversion", "paper"): {
        "sd15": (768, 3_072, 1_536),
        "sd21-base": (1_024, 4_096, 2_048),
    },
    ("custom-diffusion", "paper"): {
        "sd15": (19_170_048, 76.68e6, 38.34e6),
        "sd21-base": (25_560_064, 102.24e6, 51.12e6),
    },
    ("dreambooth", "paper"): {
        "sd15": (859_520_964, 3.438e9, 1.719e9),
        "sd21-base": (865_910_724, 3.464e9, 1.732e9),
    },
}


@pytest.mark.long
@pytest.mark.parametrize(("method", "preset"), STUDY)
def test_the_studys_table(method, preset):
    for backbone, (parameters, fp32, fp16) in STUDY[method, preset].items():
        counts = exact_counts(method, backbone, preset)
        assert counts.trainable_parameters == parameters
        exactly = 0 if isinstance(fp32, int) else 2e-4
        assert counts.payload_bytes_fp32 == pytest.approx(fp32, rel=exactly, abs=0)
        assert counts.payload_bytes_fp16 == pytest.approx(fp16, rel=3 * exactly, abs=0)
        assert counts.payload_bytes == counts.payload_bytes_fp32
        assert 0 < counts.checkpoint_bytes - counts.payload_bytes < 100_000


def test_the_low_rank_adapters_alone_are_the_studys_first_row():
    without = {"augmentation_tokens": False, "vectors": 1}
    counts = exact_counts("textboost", "sd15", "release", without)
    assert counts.trainable_parameters - 768 == 221_184
    assert counts.payload_bytes_fp16 - 2 * 768 == 442_368


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("method", TRAINED)
def test_bytes_are_those_of_a_checkpoint_that_is_written(
    method, precision, tiny_backbone, tmp_path
):
    counts = exact_counts(method, str(tiny_backbone), "toy", precision=precision)
    chosen, settings = get_method(method), full_settings(method, "toy", {}, steps=0)
    pipe = open_tiny_pipeline(tiny_backbone)
    if precision == "fp16":
        pipe = pipe.to(torch.float16)
    # The counts are of a corgi dog, which this small vocabulary spells letter by letter.
    given = task(class_noun="dog", descriptor="corgi")
    result = chosen.train(pipe, given, settings)
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    chosen.save(pipe, given, settings, folder)
    written = [file for file in folder.rglob("*") if file.is_file() and file.suffix != ".md"]
    assert counts.checkpoint_bytes == sum(file.stat().st_size for file in written)
    assert counts.trainable_parameters == result.trainable_parameters
    assert counts.payload_bytes == counts.payload_elements * (2 if precision == "fp16" else 4)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a process's size is counted otherwise")
def test_ten_gigabytes_are_counted_without_being_there():
    program = """
from benchmark.estimate.counts import exact_counts
from benchmark.estimate.weightless import pipeline_of_shapes
from benchmark.host_memory import peak

pipe = pipeline_of_shapes("sdxl")
before = peak()
print(exact_counts("dreambooth", "sdxl").payload_bytes, peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    payload, grown = map(int, done.stdout.split())
    assert payload > 10e9
    assert grown < 2e8


def test_a_file_with_several_types_is_laid_out_as_safetensors_does(tmp_path):
    from safetensors.torch import save_file

    tensors = {
        "b": torch.zeros(3, 5),
        "a": torch.zeros(7, dtype=torch.float16),
        "ü": torch.zeros(2, dtype=torch.int64),
        "scalar": torch.zeros(()),
    }
    save_file(tensors, tmp_path / "x.safetensors", metadata={"format": "pt"})
    described = [
        ("b", "F32", (3, 5)),
        ("a", "F16", (7,)),
        ("ü", "I64", (2,)),
        ("scalar", "F32", ()),
    ]
    header, payload = layout(described, {"format": "pt"})
    assert payload == 60 + 14 + 16 + 4
    assert header + payload == (tmp_path / "x.safetensors").stat().st_size


def test_a_control_counts_nothing():
    assert exact_counts("base", "sd15") == Counts(0, 0, 0, 0)


def test_counts_are_kept_until_the_code_changes(tiny_backbone, monkeypatch):
    first = exact_counts("textual-inversion", str(tiny_backbone))
    made_up = Counts(1, 2, 3, 4)
    monkeypatch.setattr("benchmark.estimate.counts._count", lambda *_: made_up)
    assert exact_counts("textual-inversion", str(tiny_backbone)) == first
    assert exact_counts("textual-inversion", str(tiny_backbone), settings={"vectors": 2}) == made_up
    monkeypatch.setattr("methods.code_version", lambda name: "another")
    assert exact_counts("textual-inversion", str(tiny_backbone)) == made_up


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("textbost", "sd15"), "did you mean 'textboost'"),
        (("textboost", "sdxxl"), "did you mean 'sdxl'"),
        (("textboost", "sd15", "papers"), "did you mean 'paper'"),
        (("textboost", "sd15", "paper", {"rnak": 2}), "did you mean 'rank'"),
        (("textboost", "owner/model"), "a folder made by diffusers"),
        (("custom-diffusion", "sdxl"), "custom-diffusion does not train sdxl"),
    ],
)
def test_a_mistake_is_one_line(arguments, words):
    with pytest.raises(UserError, match=r"^[^\n]*$") as raised:
        exact_counts(*arguments)
    assert words in str(raised.value)


def test_a_folder_without_configurations_is_named(tmp_path):
    Path(tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(UserError, match="expected StableDiffusionPipeline or"):
        exact_counts("textboost", str(tmp_path))
