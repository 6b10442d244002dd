"""A method of another package that gives what cannot be is told, and not taken."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from benchmark.failures import NotFiniteLossError
from benchmark.method_checked import (
    MethodError,
    check_pictures,
    check_saved,
    check_torch,
    check_training,
    torch_state,
)
from textboost.compute import TrainResult

RIGHT = TrainResult(7, [0.5, 0.25], [0.1, 0.0], 1, [4, 4])


def test_what_can_be_passes(tmp_path: Path) -> None:
    check_training("mine", RIGHT)
    check_training("mine", TrainResult(0, [], []))
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "weights.safetensors").touch()
    check_saved("mine", tmp_path)
    check_pictures("mine", [Image.new("RGB", (8, 8))] * 2, 2, 8)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"step_seconds": [0.1]}, "mine gave 1 durations of 2 steps"),
        ({"step_seconds": [0.1, -0.1]}, "mine gave -0.1 s for step 2"),
        ({"step_seconds": [math.nan, 0.1]}, "mine gave nan s for step 1"),
        ({"trainable_parameters": math.nan}, "mine gave nan where a number of things"),
        ({"trainable_parameters": -1}, "mine gave -1 where"),
        ({"step_pictures": [4, 0.5]}, "mine gave 0.5 where"),
    ],
)
def test_a_training_that_cannot_be_is_told(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(MethodError, match=said):
        check_training("mine", replace(RIGHT, **changes))


def test_a_loss_that_is_no_number_is_of_its_own_kind() -> None:
    with pytest.raises(NotFiniteLossError, match="step 2: the loss is inf"):
        check_training("mine", replace(RIGHT, losses=[0.5, math.inf]))


def test_switches_of_torch_that_were_left_otherwise_are_told() -> None:
    before = torch_state("cuda:1")
    check_torch("mine", "cuda:1", before)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        with pytest.raises(
            MethodError, match=f"left torch's threads at {threads + 1}, not {threads}"
        ):
            check_torch("mine", "cuda:1", before)
    finally:
        torch.set_num_threads(threads)
    with (
        torch.autocast("cpu", dtype=torch.bfloat16),
        pytest.raises(MethodError, match=r"mine or a metric left torch's autocast at \['cpu'\]"),
    ):
        check_torch("mine", "cuda:1", before)
    with (
        torch.backends.cudnn.flags(benchmark=True),
        pytest.raises(MethodError, match="fastest kernels at True, not False"),
    ):
        check_torch("mine", "cuda:1", before)
    with torch.no_grad(), pytest.raises(MethodError, match="gradients at False, not True"):
        check_torch("mine", "cuda:1", before)


@pytest.mark.parametrize("name", [None, ".weights.safetensors", ".cache/weights.safetensors"])
def test_files_that_would_not_be_kept_are_told(tmp_path: Path, name: str | None) -> None:
    if name:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    said = f"mine saved '{name}'" if name else "mine saved no file"
    with pytest.raises(MethodError, match=said):
        check_saved("mine", tmp_path)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ([(8, 8)], "mine made 1 pictures of 2"),
        ([(8, 8), (1, 1)], "mine made a picture of 1 by 1 pixels, not 8 by 8"),
    ],
)
def test_other_pictures_than_asked_for_are_told(sizes: list[tuple[int, int]], said: str) -> None:
    with pytest.raises(MethodError, match=said):
        check_pictures("mine", [Image.new("RGB", size) for size in sizes], 2, 8)
