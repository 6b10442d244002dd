"""The examples of the how-to pages do what is said of them, and are those of examples/plugin."""

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from benchmark.config import parse_config
from benchmark.metrics.evidence import Evidence
from methods import Task
from methods.interface import Compute, Method

ROOT = Path(__file__).resolve().parent.parent
HOW_TO = ROOT / "docs" / "how-to"
PLUGIN = ROOT / "examples" / "plugin"


def block(page: str, language: str, beginning: str = "") -> str:
    """The page's one block in this language with this beginning."""
    text = (HOW_TO / page).read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    (only,) = [one for one in found if one.startswith(beginning)]
    return str(only)


def module(tmp_path: Path, page: str) -> ModuleType:
    """The page's Python block, imported from a file."""
    path = tmp_path / "example.py"
    path.write_text(block(page, "python"))
    spec = importlib.util.spec_from_file_location("example", path)
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.mark.parametrize(
    ("page", "file"), [("method.md", "words.py"), ("metric.md", "best_match.py")]
)
def test_a_page_and_the_example_package_hold_the_same_file(page: str, file: str) -> None:
    assert block(page, "python") == (PLUGIN / "tbbench_example" / file).read_text("utf-8")


def test_the_page_and_the_package_name_the_same_entry_points() -> None:
    shown = tomllib.loads(block("plugin.md", "toml"))["project"]["entry-points"]
    offered = tomllib.loads((PLUGIN / "pyproject.toml").read_text("utf-8"))["project"]
    assert shown == offered["entry-points"]


def test_the_configuration_is_valid() -> None:
    assert parse_config(block("method.md", "toml"), "method.md").name == "words"
    for form in ('backbone = "models', 'backbone = "owner'):
        assert tomllib.loads(block("backbone.md", "toml", form))["backbone"]


def test_the_method_describes_the_subject_in_words(tmp_path: Path) -> None:
    method = module(tmp_path, "method.md").Words()
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
    metric = module(tmp_path, "metric.md")
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
