"""A metric of another package that gives something else than it says is told, and not taken."""

import math
import sys
import types
from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

import pandas as pd
import pytest

from benchmark import metrics
from benchmark.errors import UserError
from benchmark.metrics.evidence import scores
from benchmark.metrics_checked import MetricError, checked

ROWS = pd.DataFrame(
    [
        {"prompt_id": "beach", "prompt": "a dog", "seed": seed, "image": f"beach-{seed}.png"}
        for seed in (0, 1)
    ]
)
EMITS = {"sharpness": "higher"}


def records(**changes: Any) -> list[dict[str, Any]]:
    first, second = [
        {**row, "metric": "sharpness", "value": 0.5} for row in ROWS.to_dict("records")
    ]
    return [first, {**second, **changes}]


def test_right_scores_pass_as_they_are() -> None:
    whole = {"metric": "sharpness", "value": 2.0}
    of_a_prompt = {"metric": "sharpness", "prompt_id": "beach", "value": 1.0}
    found = checked("sharp", EMITS, scores([*records(), whole, of_a_prompt]), ROWS)
    assert found["value"].tolist() == [0.5, 0.5, 2.0, 1.0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (scores(records(metric="fidelity")), "'fidelity', which its EMITS does not name"),
        (scores(records(value=math.inf)), "inf for a value"),
        (scores(records(value=math.nan)), "nan for a value"),
        (scores(records()).assign(value="high"), "'high' for a value"),
        (scores(records(image="beach-9.png")), "pictures that are none of the cell's"),
        (scores(records(seed=0)), "pictures that are none of the cell's"),
        (scores([{"metric": "sharpness", "prompt_id": "moon", "value": 1.0}]), "prompts that are"),
        (scores([*records(), records()[0]]), "two values for the same"),
        (scores([{"metric": "sharpness", "value": v} for v in (1.0, 2.0)]), "two values for the"),
        (scores(records()).drop(columns="reference"), "no table of the columns prompt_id, "),
        ([0.5, 0.5], "no table of the columns"),
    ],
)
def test_other_scores_are_told(given: Any, said: str) -> None:
    with pytest.raises(MetricError, match=f"metric 'sharp' gave .*{said}"):
        checked("sharp", EMITS, given, ROWS)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """Has a package with the metric `sharp`, which writes what it is given."""

    def install(emits: dict[str, str]) -> None:
        module = types.ModuleType("sharp_package")
        content: dict[str, Any] = {
            "KIND": "image",
            "EMITS": emits,
            "score": lambda evidence: scores([{"metric": "sharpness", "value": math.inf}]),
        }
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, "sharp_package", module)
        point = EntryPoint("sharp", "sharp_package", metrics.ENTRY_POINTS)
        monkeypatch.setattr(metrics, "entry_points", lambda group: [point])

    return install


def test_nothing_it_gives_reaches_scores_unchecked(
    installed: Callable[[dict[str, str]], None],
) -> None:
    installed(EMITS)
    from PIL import Image

    picture = Image.new("RGB", (32, 32), "red")
    with pytest.raises(MetricError, match="metric 'sharp' gave inf"):
        metrics.score_images(
            ROWS[:1], [picture], ["a dog"], [picture], [], ["sharp"], ["efficientnet-lite0"], []
        )


def test_one_that_writes_what_ours_writes_is_refused_before_the_run(
    installed: Callable[[dict[str, str]], None],
) -> None:
    installed({"sharpness": "higher", "fidelity": "higher"})
    with pytest.raises(UserError, match="writes 'fidelity' as our metric 'fidelity' does"):
        metrics.check_metric("sharp")
    installed(EMITS)
    metrics.check_metric("sharp")


def test_two_that_write_the_same_are_not_asked_for_together(
    installed: Callable[[dict[str, str]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a fork beside what it was forked from: their values would be averaged."""
    installed({"sharpness": "higher"})
    fork: Any = types.ModuleType("sharp_fork")
    fork.EMITS = {"sharpness": "lower", "blur": "lower"}
    monkeypatch.setitem(sys.modules, "sharp_fork", fork)
    points = [
        EntryPoint("sharp", "sharp_package", metrics.ENTRY_POINTS),
        EntryPoint("sharp-2", "sharp_fork", metrics.ENTRY_POINTS),
    ]
    monkeypatch.setattr(metrics, "entry_points", lambda group: points)
    metrics.check_metric("sharp", ["fidelity", "sharp"])
    with pytest.raises(UserError, match="'sharp' writes 'sharpness' as metric 'sharp-2' does"):
        metrics.check_metric("sharp", ["fidelity", "sharp", "sharp-2"])
    better = metrics.directions()
    assert "sharpness" not in better  # nobody knows whose it is
    assert (better["blur"], better["fidelity"]) == ("lower", "higher")
