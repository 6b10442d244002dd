import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmark import environment, torch_environment
from benchmark import prior as prior_module
from benchmark.backbones import Backbone, open_backbone
from benchmark.generate import Sampling
from benchmark.prior import BATCH, PriorImages

SAMPLING = Sampling(steps=2, guidance_scale=5.0, sampler="dpm++", resolution=32)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """An empty cache, and a list that grows whenever a backbone is loaded."""
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path))
    loaded: list[str] = []
    load = Backbone.load

    def count(self: Backbone, device: str, precision: str) -> object:
        loaded.append(self.name)
        return load(self, device, precision)

    monkeypatch.setattr(Backbone, "load", count)
    return loaded


def prior(folder: Path, **changes: object) -> PriorImages:
    made = PriorImages(open_backbone(str(folder)), SAMPLING, "cpu", "fp32")
    return replace(made, **changes) if changes else made


def contents(tmp_path: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in tmp_path.rglob("*.png")}


def test_pictures_of_another_kind_of_device_are_not_taken(tiny_backbone: Path) -> None:
    made = prior(tiny_backbone, device="cuda:0")
    assert made._identity("a dog") == prior(tiny_backbone, device="cuda:1")._identity("a dog")
    assert made._identity("a dog") != prior(tiny_backbone)._identity("a dog")


def test_they_are_made_once(tiny_backbone: Path, loads: list[str], tmp_path: Path) -> None:
    first = prior(tiny_backbone)
    images = first("a dog", 3)
    assert [image.size for image in images] == [(32, 32)] * 3
    second = prior(tiny_backbone)
    assert [i.tobytes() for i in second("a dog", 3)] == [i.tobytes() for i in images]
    assert len(loads) == 1
    # What they cost is told to everyone who gets them, not only to who had to wait.
    assert second.made_seconds == first.made_seconds > 0
    assert second.waited_seconds < first.waited_seconds


def test_more_of_them_leave_the_earlier_ones_alone(
    tiny_backbone: Path, loads: list[str], tmp_path: Path
) -> None:
    some = prior(tiny_backbone)("a dog", BATCH)
    files = contents(tmp_path)
    more = prior(tiny_backbone)("a dog", BATCH + 1)
    assert [i.tobytes() for i in more[:BATCH]] == [i.tobytes() for i in some]
    assert {name: contents(tmp_path)[name] for name in files} == files
    assert len({i.tobytes() for i in more}) == BATCH + 1


def test_a_damaged_one_is_made_again_the_same(
    tiny_backbone: Path, loads: list[str], tmp_path: Path
) -> None:
    images = prior(tiny_backbone)("a dog", 2)
    (damaged,) = tmp_path.rglob("00001.png")
    good = damaged.read_bytes()
    damaged.write_bytes(good[:-20])
    again = prior(tiny_backbone)("a dog", 2)
    assert [i.tobytes() for i in again] == [i.tobytes() for i in images]
    assert damaged.read_bytes() == good


def test_prompts_and_sampling_are_kept_apart(
    tiny_backbone: Path, loads: list[str], tmp_path: Path
) -> None:
    dog = prior(tiny_backbone)("a dog", 1)[0].tobytes()
    red = prior(tiny_backbone)("a red dog", 1)[0].tobytes()
    slow = prior(tiny_backbone, sampling=replace(SAMPLING, steps=3))("a dog", 1)[0].tobytes()
    assert len({dog, red, slow}) == 3
    assert len(list((tmp_path / "prior").iterdir())) == 3


def test_another_machine_other_threads_code_or_packages_have_pictures_of_their_own(
    tiny_backbone: Path, loads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They round otherwise: what the cache happens to hold must change no cell."""
    prior(tiny_backbone)("a dog", BATCH)
    prior(tiny_backbone)("a dog", BATCH)
    assert len(loads) == 1
    for module, name, value in (
        (environment, "cores", lambda: 99),
        (torch_environment, "_loaded", lambda *_: ["another version"]),
    ):
        with monkeypatch.context() as changed:
            changed.setattr(module, name, value)
            prior(tiny_backbone)("a dog", BATCH)
    assert len(loads) == 3
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        prior(tiny_backbone)("a dog", BATCH)
    finally:
        torch.set_num_threads(before)
    torch.use_deterministic_algorithms(True)
    try:
        prior(tiny_backbone)("a dog", BATCH)
    finally:
        torch.use_deterministic_algorithms(False)
    assert len(loads) == 5


def test_asking_twice_counts_once(tiny_backbone: Path, loads: list[str]) -> None:
    images = prior(tiny_backbone)
    images("a dog", 2)
    once = images.made_seconds
    images("a dog", 2)
    assert images.made_seconds == once


def test_sets_that_have_changed_places_are_made_again(
    tiny_backbone: Path, loads: list[str], tmp_path: Path
) -> None:
    source = prior(tiny_backbone)
    right = {prompt: [i.tobytes() for i in source(prompt, 1)] for prompt in ("a dog", "a cat")}
    one, other = sorted(path for path in (tmp_path / "prior").iterdir() if path.is_dir())
    one.rename(tmp_path / "aside")
    other.rename(one)
    (tmp_path / "aside").rename(other)
    again = prior(tiny_backbone)
    assert {prompt: [i.tobytes() for i in again(prompt, 1)] for prompt in right} == right
    assert len(loads) == 4


@pytest.mark.parametrize("seconds", ["NaN", "-1.0", '"1"', "9999.5"])
def test_times_that_were_altered_are_taken_anew(
    tiny_backbone: Path, loads: list[str], tmp_path: Path, seconds: str
) -> None:
    prior(tiny_backbone)("a dog", 1)
    (record,) = (tmp_path / "prior").glob("*/prior.json")
    record.write_text(re.sub(r'"seconds": [0-9.e-]+', f'"seconds": {seconds}', record.read_text()))
    again = prior(tiny_backbone)
    again("a dog", 1)
    assert len(loads) == 2
    assert 0 < again.made_seconds < 9999


def test_a_batch_in_which_the_process_stood_still_is_made_again(
    tiny_backbone: Path,
    loads: list[str],
    monkeypatch: pytest.MonkeyPatch,
    go_on: Callable[[], None],
) -> None:
    """Its time would be kept, and count for every cell that takes the pictures later."""
    sample, batches = prior_module.sample, []

    def stopped_once(*arguments: object) -> object:
        batches.append(1)
        if len(batches) == 1:
            go_on()
            time.sleep(1.0)
        begin = time.perf_counter()
        made = sample(*arguments)
        batches[-1] = time.perf_counter() - begin
        return made

    monkeypatch.setattr(prior_module, "sample", stopped_once)
    given = prior(tiny_backbone)
    assert len(given("a dog", BATCH)) == BATCH
    assert len(batches) == 2
    assert batches[1] <= given.made_seconds < batches[1] + 0.5
