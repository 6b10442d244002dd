"""Run with `python -m pytest` beside an installed textboost-bench: no GPU, no download."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from tbbench_example.new_word import WORD, NewWordSettings
from tbbench_example.toy_sayings import open_toy_sayings

from benchmark.metrics import get_metric
from benchmark.metrics.evidence import Evidence
from methods import get_method
from methods.interface import Compute, Task

TASK = Task(
    subject="vase",
    class_noun="vase",
    descriptor="red",
    live=False,
    photos=(Image.new("RGB", (80, 80), "red"),),
    seed=0,
    resolution=64,
    compute=Compute(),
    prior_prompts=(),
    prior_images=lambda prompt, count: [],
    draw=None,
    report=lambda step, steps, loss: None,
)


def test_words_describes_the_subject() -> None:
    method = get_method("words")
    assert method.prompt("a {subject}", TASK, method.Settings()) == "a red vase"


def row(pipe: object) -> torch.Tensor:
    number = pipe.tokenizer.convert_tokens_to_ids(WORD)
    return pipe.text_encoder.get_input_embeddings().weight[number].detach()


def test_new_word_trains_a_row_and_loads_what_it_saved(tmp_path: Path) -> None:
    method, settings = get_method("new-word"), NewWordSettings(steps=3)
    pipe, fresh = (open_toy_sayings().load("cpu", "fp32") for _ in range(2))
    before = pipe.text_encoder.get_input_embeddings().weight.detach().clone()
    unet = [weight.clone() for weight in pipe.unet.parameters()]
    losses: list[float] = []
    task = replace(TASK, report=lambda step, steps, loss: losses.append(loss))
    result = method.train(pipe, task, settings)
    assert len(losses) == 3
    assert result.trainable_parameters == before.shape[1]
    after = pipe.text_encoder.get_input_embeddings().weight
    assert torch.equal(after[: len(before)], before)  # the words that were there before
    assert not (before == row(pipe)).all(dim=1).any()  # the new one is where none of them is
    assert all(map(torch.equal, unet, pipe.unet.parameters()))
    method.save(pipe, TASK, settings, tmp_path)
    method.load(fresh, TASK, settings, tmp_path)
    assert torch.equal(row(fresh), row(pipe))
    assert method.prompt("a {subject}", TASK, settings) == f"a {WORD}"


def test_best_match_takes_the_nearest_held_out_photo() -> None:
    metric = get_metric("best-match")
    evidence = Evidence(
        rows=pd.DataFrame({"prompt_id": ["p"], "prompt": ["a"], "seed": [0], "image": ["0"]}),
        generated=np.array([[1, 0]], np.float32),
        seen=np.array([[1, 0]], np.float32),
        unseen=np.array([[0, 1], [0.6, 0.8]], np.float32),
        texts=None,
    )
    assert metric.score(evidence)["value"].tolist() == pytest.approx([0.6])
