"""What the suite holds, and that what it counts is what it says."""

import pytest
import torch

from benchmark.errors import UserError
from benchmark.perf.case import COUNTERS, traced_peak
from benchmark.perf.made_up_run import make_run
from benchmark.perf.small_blank import write_small_blank
from benchmark.perf.suite import CASES, choose
from benchmark.perf.worker import Server
from benchmark.store import Run
from methods import get_method, method_names


def test_every_method_that_trains_has_a_case_on_each_backbone():
    trained = [name for name in method_names() if get_method(name).trains]
    expected = {f"train/{name}/{backbone}" for name in trained for backbone in ("toy", "blank")}
    assert expected <= CASES.keys()
    assert len(trained) == 7
    others = {"generate/toy", "generate/blank", "score", "report", "plan"}
    assert CASES.keys() == expected | others


def test_patterns_choose_in_the_suites_order():
    assert choose(["plan", "train/dreambooth/*"]) == [
        "train/dreambooth/toy",
        "train/dreambooth/blank",
        "plan",
    ]
    assert choose([]) == list(CASES)


def test_a_pattern_that_matches_nothing_is_refused_with_the_names():
    with pytest.raises(UserError, match=r"'train/nothing' matches no case.*train/textboost/toy"):
        choose(["plan", "train/nothing"])


def test_counting_a_training_twice_gives_the_same_figures_and_known_ones():
    server = Server()
    first = server.answer("count train/textual-inversion/toy")["counts"]
    assert server.answer("count train/textual-inversion/toy")["counts"] == first
    assert first.keys() < COUNTERS.keys()
    # Three rows of the toy text encoder, 128 wide.
    assert first["trainable_parameters"] == 3 * 128
    assert first["checkpoint_bytes"] >= 4 * 3 * 128
    # More than the weights of the UNet and the text encoder, 6.3 million and more, in float32.
    assert first["peak_live_bytes"] > 4 * 6_300_000
    assert first["flops"] > 1e9


def test_the_small_blank_is_stable_diffusion_in_all_but_width(tmp_path):
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTokenizer

    write_small_blank(tmp_path)
    unet = UNet2DConditionModel.from_pretrained(tmp_path / "unet", local_files_only=True)
    assert len(unet.down_blocks) == len(unet.up_blocks) == 4
    assert len([name for name, _ in unet.named_modules() if name.endswith("attn2")]) == 16
    assert len(CLIPTokenizer.from_pretrained(tmp_path / "tokenizer")) == 49408
    weights = unet.conv_in.weight.clone()
    write_small_blank(tmp_path / "again")
    again = UNet2DConditionModel.from_pretrained(tmp_path / "again" / "unet")
    assert torch.equal(weights, again.conv_in.weight)


def test_the_made_up_run_is_complete(tmp_path):
    make_run(tmp_path / "run")
    run = Run.open(tmp_path / "run")
    assert list(run.cells()["status"]) == ["done"] * 4
    assert run.results()["value"].between(0.2, 0.8).all()
    assert set(run.results()["metric"]) == {"fidelity", "alignment"}


def test_the_peak_is_that_of_the_call_alone():
    kept = bytearray(8_000_000)
    peak = traced_peak(lambda: len(bytearray(3_000_000)) + len(bytearray(2_000_000)))
    assert 3_000_000 <= peak < 3_100_000
    assert len(kept) == 8_000_000


def test_the_worker_answers_whatever_it_is_told():
    server = Server()
    assert server.answer("unit") == {"error": "RuntimeError: no case is open"}
    assert server.answer("count nothing") == {"error": "KeyError: 'nothing'"}
    assert server.answer("dance") == {"error": "unknown order 'dance'"}
    assert server.answer("open plan") == {}
    assert server.answer("unit")["seconds"] > 0
    assert server.answer("close") == {}
    assert "error" in server.answer("unit")
