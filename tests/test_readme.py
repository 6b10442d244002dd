"""The README's examples do what it says of them."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from benchmark.config import parse_config
from benchmark.metrics.evidence import Evidence
from methods import Task, method_names
from methods.interface import Compute, Method

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def module(tmp_path: Path, beginning: str) -> ModuleType:
    """The README's Python block with this beginning, imported from a file."""
    (source,) = [block for block in blocks("python") if block.startswith(beginning)]
    path = tmp_path / "example.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("example", path)
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_the_configurations_are_valid() -> None:
    names = [parse_config(block, "README.md").name for block in blocks("toml")]
    assert names == ["my-run", "words"]


def test_the_methods_table_is_complete() -> None:
    section = README.split("### Methods")[1].split("###")[0]
    assert sorted(re.findall(r"^\| `([a-z0-9+-]+)`", section, re.MULTILINE)) == method_names()


def test_the_method_describes_the_subject_in_words(tmp_path: Path) -> None:
    method = module(tmp_path, '"""Control `words`').Words()
    assert isinstance(method, Method)
    task = Task(
        subject="vase",
        class_noun="vase",
        descriptor="red",
        live=False,
        photos=(),
        seed=0,
        resolution=64,
        compute=Compute(),
        prior_prompts=(),
        prior_images=lambda prompt, count: [],
        draw=None,
        report=lambda step, total, loss: None,
    )
    text = method.prompt("a {subject} in the snow", task, method.Settings())
    assert text == "a red vase in the snow"


def test_the_metric_takes_the_best_of_the_held_out_photos(tmp_path: Path) -> None:
    metric = module(tmp_path, '"""Best match')
    columns = {"prompt_id": ["p", "p"], "prompt": ["a", "a"], "seed": [0, 1], "image": ["0", "1"]}
    unseen = np.array([[0, 1], [0.6, 0.8]], np.float32)
    evidence = Evidence(
        rows=pd.DataFrame(columns),
        generated=np.array([[1, 0], [0, 1]], np.float32),
        seen=np.array([[1, 0]], np.float32),
        unseen=unseen,
        texts=None,
    )
    frame = metric.score(evidence)
    assert frame["value"].tolist() == pytest.approx([0.6, 1.0])
    assert set(frame["metric"]) == set(metric.EMITS)
