"""What training did to everything but the subject: PRES, language drift, augmentation leak."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from PIL import Image

from benchmark.metrics import get_metric
from benchmark.metrics.augmented import CHANGES, changed
from benchmark.metrics.encoders import open_encoder
from benchmark.metrics.evidence import Evidence
from benchmark.metrics.probed import Probed, Two
from benchmark.paths import data_root
from benchmark.toyworld.dataset import ToyWorld
from tests.benchmark.metrics.test_sets import evidence, rows

NONE = np.zeros((0, 3), np.float32)
X, Y, Z = np.eye(3, dtype=np.float32)


def given(**changes: object) -> Evidence:
    return replace(evidence(np.stack([X, Y]), X[None], np.stack([Y, Z])), **changes)


def values(name: str, found: object) -> dict[tuple[str, object], float]:
    scored = get_metric(name).score(found)
    keys = zip(scored["metric"], scored["reference"].astype(object), strict=True)
    return dict(zip(keys, scored["value"], strict=True))


def test_pres_is_the_mean_cosine_with_each_kind_of_photo():
    half = np.float32(np.sqrt(0.5))
    trained, untouched = np.stack([X, half * (X + Y)]), np.stack([Z, Z])
    found = values("pres", given(probes={"class": Two(trained, untouched)}))
    assert found == {
        ("pres", "seen"): pytest.approx((1 + np.sqrt(0.5)) / 2),
        ("pres-base", "seen"): 0.0,
        ("pres", "unseen"): pytest.approx(np.sqrt(0.5) / 4),
        ("pres-base", "unseen"): 0.5,
    }


def test_drift_is_one_minus_the_mean_cosine_of_pairs():
    a, b = rows(0, 5), rows(1, 5)
    expected = 1 - np.mean([x @ y for x, y in zip(a, b, strict=True)])
    pictures = values("language-drift-images", given(probes={"drift": Two(a, b)}))
    assert list(pictures.values()) == [pytest.approx(expected, abs=1e-6)]
    # Order matters: each picture has its own counterpart.
    turned = values("language-drift-images", given(probes={"drift": Two(a, b[::-1])}))
    assert list(turned.values()) != [pytest.approx(expected, abs=1e-3)]
    texts = get_metric("language-drift-text").score(Probed(texts=(Two(a, b), Two(a, a))))
    assert texts["value"].to_list() == [pytest.approx(expected / 2, abs=1e-6)]
    assert texts["metric"].to_list() == ["language-drift-text"]


def test_an_unchanged_model_has_drifted_by_exactly_nothing():
    a = rows(2, 50, 768)
    pictures = values("language-drift-images", given(probes={"drift": Two(a, a.copy())}))
    assert list(pictures.values()) == [0.0]
    assert get_metric("language-drift-text").score(Probed(texts=(Two(a, a),)))["value"][0] == 0.0


@pytest.mark.parametrize("name", ["pres", "language-drift-images", "augmentation-leak"])
def test_what_was_not_made_is_not_scored(name):
    assert len(get_metric(name).score(given())) == 0


def test_no_text_was_read_so_there_is_no_drift_in_text():
    assert len(get_metric("language-drift-text").score(Probed())) == 0


def test_leak_is_how_much_nearer_a_picture_is_to_a_changed_copy():
    copies = {"grid": Y[None], "gray": NONE, "crop": np.stack([Z, (0.6 * X + 0.8 * Z)])}
    scored = get_metric("augmentation-leak").score(given(augmented=copies))
    leak = scored[scored["metric"] == "augmentation-leak"]
    # X is the training photo: nearest copy 0.6, plain 1. Y is a grid: nearest copy 1, plain 0.
    assert leak["value"].to_list() == pytest.approx([-0.4, 1.0])
    assert leak["image"].to_list() == ["p-0.png", "p-1.png"]
    real = scored[scored["metric"] == "augmentation-leak-real"]
    assert real["value"].to_list() == [1.0]  # Y and Z: both are as near as can be to a copy
    assert real["image"].isna().all()


def test_copies_are_changed_as_named_and_the_same_every_time():
    photo = Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8), "RGB"
    )
    copies = changed([photo])
    assert {name: len(made) for name, made in copies.items()} == {
        name: draws for name, (_, draws) in CHANGES.items()
    }
    again = changed([photo])
    assert all(
        one.tobytes() == other.tobytes()
        for name in copies
        for one, other in zip(copies[name], again[name], strict=True)
    )
    (gray,) = copies["gray"]
    assert (np.ptp(np.asarray(gray), axis=2) == 0).all()
    assert len({made.tobytes() for made in copies["crop"]}) == len(copies["crop"])


def test_collages_and_gray_pictures_of_the_subject_leak_and_photos_of_it_do_not():
    """With a real encoder, on the drawn world: pictures of the right scene, and changed ones."""
    world = ToyWorld()
    subject = world.subject("spotted_dog")
    (seen,) = world.split("n1")["spotted_dog"]
    photo = subject.photo(seen).load()
    right = [
        world.oracle("spotted_dog", prompt, seed)
        for prompt in world.prompts(True)[:6]
        for seed in (0, 1)
    ]
    grids = [CHANGES["grid"][0](picture, Random(n)).image for n, picture in enumerate(right)]
    encoder = open_encoder("efficientnet-lite0")
    copies = {name: encoder.images(made) for name, made in changed([photo]).items()}
    base = evidence(encoder.images(right), encoder.images([photo]), encoder.images([photo]))

    def leak(pictures: list[Image.Image]) -> float:
        found = replace(base, generated=encoder.images(pictures), augmented=copies)
        scored = get_metric("augmentation-leak").score(found)
        return float(scored[scored["metric"] == "augmentation-leak"]["value"].mean())

    assert leak(grids) > leak(right) + 0.1


def test_no_method_trains_on_the_prompts_of_drift():
    prompts = (data_root() / "prompts" / "drift.txt").read_text(encoding="utf-8").splitlines()
    assert len(set(prompts)) == len(prompts) == 24
    for name in ("prompts/preservation.txt", "toyworld/captions.txt"):
        assert not {*prompts} & {*(data_root() / name).read_text("utf-8").splitlines()}
