"""Sets of pictures against held-out photos: KID, FID, precision and recall, CLIP-MMD, copying."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import torch_fidelity
from PIL import Image

from benchmark.metrics import get_metric
from benchmark.metrics.clip_mmd import clip_mmd
from benchmark.metrics.copying import MARGIN
from benchmark.metrics.encoders import open_encoder
from benchmark.metrics.evidence import Evidence
from benchmark.metrics.fid import fid
from benchmark.metrics.kid import SEED, SUBSETS, kid, subset_size
from benchmark.metrics.precision_recall import NEIGHBOURS, precision_recall


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def rows(seed, count, width=12, shift=0.0):
    return unit(np.random.default_rng(seed).normal(size=(count, width)) + shift)


def evidence(generated, seen, unseen):
    described = pd.DataFrame(
        {
            "prompt_id": "p",
            "prompt": "a dog",
            "seed": range(len(generated)),
            "image": [f"p-{n}.png" for n in range(len(generated))],
        }
    )
    return Evidence(described, generated, seen, unseen, None)


def values(name, *sides):
    scored = get_metric(name).score(evidence(*sides))
    return dict(zip(scored["metric"], scored["value"], strict=True))


class OurEncoder(torch_fidelity.feature_extractor_base.FeatureExtractorBase):
    """EfficientNet-Lite0 as torch-fidelity sees it: one layer, of our embeddings."""

    def __init__(self, name, features_list, **options):
        super().__init__(name, features_list)
        self.encoder = open_encoder("efficientnet-lite0")

    @staticmethod
    def get_provided_features_list():
        return ("ours",)

    @staticmethod
    def get_default_feature_layer_for_metric(metric):
        return "ours"

    @staticmethod
    def can_be_compiled():
        return False

    def forward(self, batch):
        images = [Image.fromarray(one.permute(1, 2, 0).numpy()) for one in batch]
        return (torch.from_numpy(self.encoder.images(images)),)


def test_kid_fid_precision_and_recall_are_torch_fidelitys_own(tmp_path):
    """Its own run over two folders of pictures, with our encoder as its feature extractor."""
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    sides = []
    for name, count in (("made", 9), ("photos", 6)):
        folder = tmp_path / name
        folder.mkdir()
        blocks = [random.integers(0, 256, (4, 4, 3), dtype=np.uint8) for _ in range(count)]
        images = [Image.fromarray(b).resize((64, 64), Image.Resampling.NEAREST) for b in blocks]
        for number, image in enumerate(images):
            image.save(folder / f"{number}.png")
        sides.append(open_encoder("efficientnet-lite0").images(images))
    torch_fidelity.register_feature_extractor("ours", OurEncoder)
    theirs = torch_fidelity.calculate_metrics(
        input1=str(tmp_path / "made"),
        input2=str(tmp_path / "photos"),
        feature_extractor="ours",
        cuda=False,
        kid=True,
        fid=True,
        prc=True,
        kid_subsets=SUBSETS,
        kid_subset_size=subset_size(9, 6),
        prc_neighborhood=NEIGHBOURS,
        rng_seed=SEED,
        batch_size=3,
        cache=False,
        verbose=False,
    )
    assert kid(*sides) == pytest.approx(theirs["kernel_inception_distance_mean"], abs=1e-6)
    assert fid(*sides) == pytest.approx(theirs["frechet_inception_distance"], abs=1e-6)
    found = precision_recall(*sides)
    assert found == pytest.approx((theirs["precision"], theirs["recall"]), abs=1e-6)


def test_distances_grow_with_the_distance_of_the_sets():
    photos = rows(0, 40)
    near, far = rows(1, 40), rows(2, 40, shift=1.0)
    for distance in (kid, fid, clip_mmd):
        assert distance(near, photos) < distance(far, photos)
    assert precision_recall(near, photos)[0] > precision_recall(far, photos)[0]


def test_kid_is_emitted_in_thousandths():
    sides = rows(0, 9), rows(1, 3), rows(2, 6, shift=0.4)
    assert values("kid", *sides) == {"kid-x1000": pytest.approx(1000 * kid(sides[0], sides[2]))}


def test_kid_of_one_distribution_is_about_zero_and_may_be_negative():
    found = [kid(rows(seed, 30), rows(100 + seed, 30)) for seed in range(8)]
    assert abs(np.mean(found)) < 0.05
    assert min(found) < 0


def test_clip_mmd_by_hand():
    x, y = unit(np.array([[1.0, 0.0], [0.0, 1.0]])), unit(np.array([[1.0, 0.0]]))
    near, apart = 1.0, float(np.exp(-2 / 200))
    expected = 1000 * ((2 * near + 2 * apart) / 4 + near - 2 * (near + apart) / 2)
    assert clip_mmd(x, y) == pytest.approx(expected, abs=1e-6)
    assert clip_mmd(x, x) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("name", ["kid", "fid", "precision-recall", "clip-mmd", "copying"])
def test_without_held_out_photos_there_is_no_row(name):
    none = np.zeros((0, 0), np.float32)
    assert values(name, rows(0, 5), rows(1, 1), none) == {}


def test_too_few_photos_for_precision_and_recall_have_no_row():
    assert values("precision-recall", rows(0, 8), rows(1, 1), rows(2, 3)) == {}
    assert set(values("precision-recall", rows(0, 8), rows(1, 1), rows(2, 4))) == {
        "precision",
        "recall",
    }


def test_copies_are_counted_and_their_gap_is_above_that_of_real_photos():
    seen = unit(np.array([[1.0, 0.0, 0.0]]))
    unseen = unit(np.array([[0.8, 0.6, 0.0], [0.8, -0.6, 0.0]]))
    copies, free = np.repeat(seen, 3, axis=0), np.repeat(unseen[:1], 1, axis=0)
    found = values("copying", np.concatenate([copies, free]), seen, unseen)
    assert found["copied"] == pytest.approx(0.75)
    # To the training photo 1, 1, 1, .8; to the held-out ones .8, .8, .8 and (1 + .28) / 2.
    assert found["copying-gap"] == pytest.approx((3.8 - (2.4 + 0.64)) / 4, abs=1e-6)
    assert found["copying-gap-real"] == pytest.approx(0.8 - 0.28, abs=1e-6)
    assert values("copying", free, seen, unseen)["copied"] == 0.0


def test_a_picture_counts_as_copied_only_by_a_margin():
    seen, unseen = unit(np.array([[1.0, 0.0]])), unit(np.array([[0.0, 1.0]]))
    for ahead, copied in ((MARGIN - 0.01, 0.0), (MARGIN + 0.01, 1.0)):
        # cos t - sin t = ahead
        turn = np.arccos(ahead / np.sqrt(2)) - np.pi / 4
        picture = unit(np.array([[np.cos(turn), np.sin(turn)]]))
        assert values("copying", picture, seen, unseen)["copied"] == copied


def test_a_picture_nearer_to_another_subject_is_no_copy():
    seen, unseen = unit(np.array([[1.0, 0.0, 0.0]])), unit(np.array([[0.0, 1.0, 0.0]]))
    failed = unit(np.array([[0.5, 0.1, 0.9]]))
    given = evidence(failed, seen, unseen)
    found = get_metric("copying").score(given).set_index("metric")["value"]
    assert found["copied"] == 1.0
    other = replace(given, others=unit(np.array([[0.0, 0.0, 1.0]])))
    beside = get_metric("copying").score(other).set_index("metric")["value"]
    assert beside["copied"] == 0.0
    assert beside["copying-gap"] == found["copying-gap"]


def test_held_out_photos_that_look_like_copies_are_told():
    """Each stands for a picture against the rest; the photo itself is not among them."""
    seen = unit(np.array([[1.0, 0.0, 0.0]]))
    unseen = unit(np.array([[0.9, 0.4, 0.0], [0.0, 0.1, 1.0], [0.0, 0.0, 1.0]]))
    assert values("copying", seen, seen, unseen)["copied-real"] == pytest.approx(1 / 3)
    other = replace(evidence(seen, seen, unseen), others=unseen[:1])
    found = get_metric("copying").score(other).set_index("metric")["value"]
    assert found["copied-real"] == 0.0
