"""Predicted bytes against how much a fresh process grows that really trains, in float32."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from torch._subclasses import FakeTensorMode

from benchmark.estimate.made_up import made_up_task
from benchmark.estimate.rehearsal import rehearse
from benchmark.estimate.weightless import converting, faking, fill, pipeline_of_shapes
from methods import get_method
from methods.interface import Compute
from tests.benchmark.estimate.grown_settings import settings_for

ROOT = Path(__file__).resolve().parents[3]


def scaled(tiny: Path, folder: Path, width: int) -> Path:
    """The tiny backbone's configurations with wider networks; no weights."""
    for file in tiny.rglob("*.json"):
        copy = folder / file.relative_to(tiny)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    changes = {
        "unet": {"block_out_channels": [width, 2 * width], "norm_num_groups": 16},
        "vae": {"block_out_channels": [16, 16]},
    }
    for part, changed in changes.items():
        path = folder / part / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    return folder


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="the C library's threshold is glibc's")
@pytest.mark.parametrize(
    ("method", "width", "batch", "resolution"),
    [
        ("dreambooth", 384, 2, 16),  # weights, gradients and the optimizer's state
        ("textual-inversion", 64, 8, 96),  # activations
    ],
)
def test_a_process_grows_by_what_is_predicted(
    method, width, batch, resolution, tiny_backbone, tmp_path
):
    folder = scaled(tiny_backbone, tmp_path / "wide", width)
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    empty = faking(mode)
    with converting(empty):
        pipe = fill(pipeline_of_shapes(str(folder)), "fp32", empty)
        task = made_up_task(resolution, Compute())
        settings = settings_for(method, batch)
        predicted = rehearse(get_method(method), pipe, task, settings, fake=mode).peak_bytes
    assert predicted > 4e8  # large beside what libraries load

    # By default the C library keeps freed memory: small blocks are given back with this.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.benchmark.estimate.grown"]
    arguments = [str(folder), method, str(batch), str(resolution)]
    done = subprocess.run(
        [*command, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == pytest.approx(predicted, rel=0.10)
