"""Probes are made by the model that was trained, and compared with the one that was not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchmark.atomic import read_json
from benchmark.backbones import open_backbone
from benchmark.cell import Circumstances, run_cell
from benchmark.config import RunConfig
from benchmark.generate import Sampling
from benchmark.plan import plan
from benchmark.probes import CLASS_PICTURES, Prober, both, end_of_text, probe_prompts
from benchmark.store import cell_folder
from tests.methods.tiny_xl import build_tiny_xl, open_tiny_xl
from tests.tiny import open_tiny_pipeline

Small = Callable[..., RunConfig]
METRICS = ["pres", "language-drift-images", "language-drift-text"]
SCORING = {"metrics": METRICS, "image_encoders": ["efficientnet-lite0"], "text_encoders": []}


def run_one(small: Small, run: Path, method: dict[str, object]) -> pd.DataFrame:
    (cell,) = plan(small(methods=[method], scoring=SCORING))
    assert run_cell(run, cell, Circumstances())
    return pd.read_parquet(cell_folder(run, cell.key).path / "scores.parquet")


def value(scores: pd.DataFrame, metric: str) -> float:
    return float(scores[scores["metric"] == metric]["value"].mean())


def test_only_what_a_metric_wants_is_made_and_counts(small: Small) -> None:
    (plain,) = plan(small(methods=[{"name": "base"}]))
    assert plain.probes == {}
    asked = {"class": {"a dog": CLASS_PICTURES}, "drift": probe_prompts({"drift"}, "dog")["drift"]}
    (cell,) = plan(small(methods=[{"name": "base"}], scoring=SCORING))
    assert cell.probes == asked
    assert cell.key != plain.key
    (pres,) = plan(small(methods=[{"name": "base"}], scoring=SCORING | {"metrics": ["pres"]}))
    assert set(pres.probes) == {"class"}


@pytest.mark.slow
def test_a_word_alone_drifts_by_nothing_and_a_trained_network_does(
    small: Small, tmp_path: Path
) -> None:
    word = run_one(small, tmp_path, {"name": "textual-inversion", "preset": "toy"})
    frozen = {"train_text_encoder": False}
    unet = run_one(small, tmp_path, {"name": "dreambooth", "preset": "toy", "settings": frozen})
    text = run_one(small, tmp_path, {"name": "textboost", "preset": "toy"})
    for metric in METRICS[1:]:
        assert value(word, metric) == 0.0
    assert value(unet, "language-drift-text") == 0.0
    assert value(unet, "language-drift-images") > 0.0
    assert value(text, "language-drift-text") > 0.0
    assert value(word, "pres") == value(word, "pres-base")
    assert value(unet, "pres") != value(unet, "pres-base")


def test_a_method_that_trains_nothing_has_no_drift_to_measure(small: Small, tmp_path: Path) -> None:
    assert len(run_one(small, tmp_path, {"name": "copy"})) == 0


def test_probing_is_a_stage_of_its_own_and_done_once(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = {"name": "textual-inversion", "preset": "toy"}
    (cell,) = plan(small(methods=[method], scoring=SCORING))
    assert run_cell(tmp_path, cell, Circumstances())
    folder = cell_folder(tmp_path, cell.key)
    stages = {cost["stage"] for cost in read_json(folder.path / "cost.json")}
    assert "probe" in stages
    made = {path.name for path in (folder.path / "probes" / "class").iterdir()}
    assert made == {f"{n:03d}.png" for n in range(CLASS_PICTURES)}
    before = pd.read_parquet(folder.path / "scores.parquet")

    # Interrupted after the pictures: nothing is drawn a second time.
    (folder.path / "scores.parquet").unlink()
    monkeypatch.setattr("benchmark.probes.sample", lambda *_: pytest.fail("drawn again"))
    assert run_cell(tmp_path, cell, Circumstances())
    pd.testing.assert_frame_equal(before, pd.read_parquet(folder.path / "scores.parquet"))


def test_damage_to_the_untouched_side_is_mended(
    tiny_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path))
    backbone = open_backbone(str(tiny_backbone))
    probes = {"drift": {"a dog": 1, "a cat": 1}}
    loads: list[int] = []

    def prober() -> Prober:
        sampling = Sampling(2, 5.0, "ddim", 32)
        return Prober(probes, sampling, backbone.revision, "fp32", "cpu", load)

    def load() -> object:
        loads.append(1)
        return backbone.load("cpu", "fp32")

    first = prober().untouched()
    again = prober().untouched()
    assert len(loads) == 1
    paths, texts = first["drift"]
    pictures = [path.read_bytes() for path in paths]
    paths[0].write_bytes(b"")
    file = paths[0].parent / "texts.safetensors"
    whole = file.read_bytes()
    for damaged in (b"no tensors", whole[:-1] + bytes([whole[-1] ^ 1])):
        file.write_bytes(damaged)
        mended = prober().untouched()
        assert file.read_bytes() == whole
    assert len(loads) == 3
    assert [path.read_bytes() for path in mended["drift"][0]] == pictures
    for one, other, third in zip(texts, again["drift"][1], mended["drift"][1], strict=True):
        assert np.array_equal(one, other)
        assert np.array_equal(one, third)
    own = prober().trained(backbone.load("cpu", "fp32"), tmp_path / "own", "origin")
    together = both(own, first)
    trained, untouched = together.pictures["drift"].trained, together.pictures["drift"].untouched
    assert [a.name for a in trained] == [b.name for b in untouched]  # type: ignore[union-attr]
    assert len(together.texts) == 1


def test_a_text_ends_where_the_tokenizer_says(tiny_backbone: Path) -> None:
    """By hand: the encoder's last states, at the first end-of-text token, of length 1."""
    pipe = open_backbone(str(tiny_backbone)).load("cpu", "fp32")
    prompts = ["a dog", "a cat wearing a red hat"]
    (found,) = end_of_text(pipe, prompts)
    for prompt, row in zip(prompts, found, strict=True):
        ids = pipe.tokenizer(
            prompt, padding="max_length", max_length=pipe.tokenizer.model_max_length
        ).input_ids
        place = ids.index(pipe.tokenizer.eos_token_id)
        with torch.no_grad():
            state = pipe.text_encoder(torch.tensor([ids])).last_hidden_state[0, place]
        expected = (state / state.norm()).numpy()
        assert row == pytest.approx(expected, abs=1e-5)


def test_both_text_encoders_of_sdxl_are_read(tiny_backbone: Path, tmp_path: Path) -> None:
    built = build_tiny_xl(open_tiny_pipeline(tiny_backbone), tiny_backbone / "tokenizer", tmp_path)
    pipe = open_tiny_xl(built)
    before = end_of_text(pipe, ["a dog"])
    widths = [pipe.text_encoder.config.hidden_size, pipe.text_encoder_2.config.hidden_size]
    assert [rows.shape for rows in before] == [(1, width) for width in widths]
    with torch.no_grad():  # the second encoder's last but one layer, which the UNet reads
        layer = pipe.text_encoder_2.text_model.encoder.layers[-2]
        layer.mlp.fc2.weight.add_(torch.randn_like(layer.mlp.fc2.weight))
    after = end_of_text(pipe, ["a dog"])
    assert np.array_equal(before[0], after[0])
    assert not np.allclose(before[1], after[1])
