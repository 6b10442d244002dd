"""Metrics are found by name, and a cell is scored by every encoder that can."""

import sys
from importlib.metadata import EntryPoint, EntryPoints

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark import metrics
from benchmark.errors import UserError
from benchmark.metrics import encoders
from benchmark.metrics.evidence import scores
from methods import versions


class ColourEncoder:
    """Embeds a picture as the direction of its mean colour, a text as that of its colour word."""

    WORDS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}  # noqa: RUF012

    def __init__(self):
        self.texts_seen = []

    def images(self, images, batch_size, digests):
        if not images:
            return np.zeros((0, 0), dtype=np.float32)
        rows = np.array([np.asarray(i, dtype=np.float64).mean(axis=(0, 1)) for i in images])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def texts(self, texts):
        self.texts_seen += texts
        return np.array([self.WORDS[text.split()[1]] for text in texts], dtype=np.float32)


@pytest.fixture
def colours(monkeypatch):
    encoder = ColourEncoder()
    monkeypatch.setattr(encoders, "open_encoder", lambda name, device: encoder)
    return encoder


def flat(colour):
    return Image.new("RGB", (8, 8), colour)


def rows(prompts, seeds):
    return pd.DataFrame(
        {
            "prompt_id": prompts,
            "prompt": [f"a {p} {{subject}}" for p in prompts],
            "seed": seeds,
            "image": [f"{p}-{s}.png" for p, s in zip(prompts, seeds, strict=True)],
        }
    )


def score(colours, **changes):
    given = {
        "rows": rows(["red", "red", "blue"], [0, 1, 0]),
        "images": [flat("red"), flat("blue"), flat("blue")],
        "prompts_text": ["a red dog", "a red dog", "a blue dog"],
        "seen": [flat("red")],
        "unseen": [flat("red"), flat("blue")],
        "metrics": ["fidelity", "alignment", "diversity", "vendi"],
        "image_encoders": ["one", "two"],
        "text_encoders": ["two"],
        "batch_size": 2,
    }
    return metrics.score_images(**(given | changes))


def test_our_metrics_are_found_and_the_rest_of_the_folder_is_not():
    assert metrics.metric_names() == [
        *("alignment", "augmentation-leak", "clip-mmd", "copying", "diversity", "fid"),
        *("fidelity", "kid", "language-drift-images", "language-drift-text"),
        *("lpips-diversity", "precision-recall", "pres", "vendi", "vqascore"),
    ]


def test_unknown_metric_names_the_nearest():
    with pytest.raises(UserError, match="unknown metric 'fidelty'; did you mean 'fidelity'"):
        metrics.get_metric("fidelty")


def test_every_metric_says_which_way_is_better():
    assert metrics.directions()["alignment"] == "higher"
    assert metrics.directions()["fidelity-ceiling"] == "reference"


def test_image_metrics_run_per_image_encoder_and_text_metrics_per_text_encoder(colours):
    frame = score(colours)
    ran = frame.groupby("metric")["encoder"].unique().map(set).to_dict()
    assert ran["fidelity"] == ran["diversity"] == ran["vendi"] == {"one", "two"}
    assert ran["alignment"] == {"two"}


def test_values_belong_to_their_images(colours):
    frame = score(colours, image_encoders=["two"]).set_index(["metric", "reference", "image"])
    assert frame.loc[("fidelity", "seen", "red-0.png"), "value"] == pytest.approx(1.0)
    assert frame.loc[("fidelity", "seen", "red-1.png"), "value"] == pytest.approx(0.0)
    assert frame.loc[("fidelity", "unseen", "blue-0.png"), "value"] == pytest.approx(0.5)
    alignment = frame.xs("alignment")["value"].droplevel(0)
    assert alignment.to_dict() == {"red-0.png": 1.0, "red-1.png": 0.0, "blue-0.png": 1.0}


def test_other_subjects_photos_reach_the_metric_that_wants_them(colours):
    given = {"unseen": [flat("red")], "seen": [flat("red")], "image_encoders": ["one"]}
    blue = {"images": [flat("blue")] * 3, "seen": [flat((80, 0, 60))], "others": [flat("blue")]}
    alone = score(colours, metrics=["copying"], **(given | blue | {"others": []}))
    beside = score(colours, metrics=["copying"], **(given | blue))
    # The nearest of the subject's own photos is the training one; another subject's is nearer.
    assert alone.set_index("metric").loc["copied", "value"] == 1.0
    assert beside.set_index("metric").loc["copied", "value"] == 0.0


def test_other_subjects_photos_are_embedded_for_no_other_metric(colours, monkeypatch):
    seen = []
    embed = colours.images
    monkeypatch.setattr(
        colours, "images", lambda given, *rest: seen.extend(given) or embed(given, *rest)
    )
    other = flat("green")
    assert metrics.needs(["fidelity", "copying", "pres"]) == {"others", "class"}
    assert metrics.needs(["fidelity", "vendi"]) == set()
    score(colours, metrics=["fidelity"], others=[other])
    assert not any(one is other for one in seen)
    score(colours, metrics=["copying"], others=[other])
    assert any(one is other for one in seen)


def test_text_is_not_embedded_when_no_metric_asks_for_it(colours):
    score(colours, metrics=["fidelity"])
    assert colours.texts_seen == []


def test_types_of_the_frame_hold_missing_values(colours):
    frame = score(colours)
    assert str(frame["seed"].dtype) == "Int64"
    vendi = frame[frame["metric"] == "vendi"]
    assert vendi["seed"].isna().all()
    assert vendi["prompt_id"].isna().all()
    assert frame["value"].notna().all()


def test_nothing_to_score_is_an_empty_frame_with_all_columns(colours):
    frame = score(
        colours,
        metrics=["diversity"],
        rows=rows(["red"], [0]),
        images=[flat("red")],
        prompts_text=["a red dog"],
    )
    assert frame.empty
    assert "encoder" in frame


def test_lists_of_unlike_length_are_refused(colours):
    with pytest.raises(ValueError, match="3 rows, 1 images and 3 prompts"):
        score(colours, images=[flat("red")])


def test_a_metric_from_another_package_scores_beside_ours(colours, monkeypatch, tmp_path):
    (tmp_path / "redness_plugin.py").write_text(
        "from benchmark.metrics.evidence import scores\n"
        "KIND = 'image'\n"
        "EMITS = {'redness': 'lower'}\n"
        "def score(evidence):\n"
        "    return scores([{'metric': 'redness', 'value': float(evidence.generated[0, 0])}])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    point = EntryPoint("redness", "redness_plugin", metrics.ENTRY_POINTS)
    monkeypatch.setattr(metrics, "entry_points", lambda group: EntryPoints([point]))
    try:
        frame = score(colours, metrics=["redness"], image_encoders=["one"])
        assert frame["value"].tolist() == [1.0]
        assert metrics.directions()["redness"] == "lower"
    finally:
        sys.modules.pop("redness_plugin", None)


def test_a_metrics_version_follows_its_code_and_what_it_shares(tmp_path, monkeypatch):
    shared = (tmp_path / "evidence.py", tmp_path / "fidelity.py")
    found = versions._source
    for file in shared:
        file.write_text(found(f"benchmark.metrics.{file.stem}").read_text())

    def copied(module):
        name = module.rpartition(".")[2]
        return next((file for file in shared if file.stem == name), found(module))

    monkeypatch.setattr(versions, "_source", copied)
    first = {name: metrics.metric_version(name) for name in metrics.metric_names()}
    assert len(set(first.values())) == len(first)
    shared[1].write_text(shared[1].read_text() + "\nFURTHER = 1\n")
    second = {name: metrics.metric_version(name) for name in metrics.metric_names()}
    assert {name for name in first if first[name] != second[name]} == {"fidelity"}
    shared[0].write_text(shared[0].read_text() + "\nFURTHER = 1\n")
    third = {name: metrics.metric_version(name) for name in metrics.metric_names()}
    assert all(third[name] != second[name] for name in first)


def test_another_packages_broken_metric_leaves_ours_alone(tmp_path, monkeypatch):
    (tmp_path / "broken_plugin.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(tmp_path)
    point = EntryPoint("broken", "broken_plugin", metrics.ENTRY_POINTS)
    monkeypatch.setattr(metrics, "entry_points", lambda group: EntryPoints([point]))
    assert metrics.directions()["alignment"] == "higher"


def test_a_missing_column_of_a_record_is_missing_not_zero():
    frame = scores([{"metric": "vendi", "value": 2.0}])
    assert frame.loc[0, ["prompt_id", "prompt", "seed", "image", "reference"]].isna().all()
