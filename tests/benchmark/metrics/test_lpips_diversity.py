"""LPIPS diversity against the package lpips, with AlexNet's weights random: nothing is downloaded.

What the package computes by its own code on its own pairs of tensors is the reference.
"""

import pickle
import warnings
from itertools import combinations
from pathlib import Path

import lpips
import numpy as np
import pandas as pd
import pytest
import torch
import torchvision
from PIL import Image

from benchmark import metrics
from benchmark.errors import UserError
from benchmark.metrics import lpips_diversity


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """An AlexNet that nobody trained, its classifier left out, as torchvision names its layers."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    features = torchvision.models.AlexNet().features
    for layer in features:
        if hasattr(layer, "weight"):
            torch.nn.init.kaiming_normal_(layer.weight)
    file = tmp_path_factory.mktemp("alexnet") / "alexnet.pth"
    torch.save({f"features.{name}": w for name, w in features.state_dict().items()}, file)
    return file


@pytest.fixture
def alexnet(weights, monkeypatch):
    monkeypatch.setattr(lpips_diversity, "alexnet_file", lambda: weights)
    lpips_diversity._network.cache_clear()
    yield weights
    lpips_diversity._network.cache_clear()


@pytest.fixture
def theirs(weights):
    """The package's distance, with the same weights in its AlexNet and its own linear ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    given = torch.load(weights, weights_only=True)
    places = {0: "slice1.0", 3: "slice2.3", 6: "slice3.6", 8: "slice4.8", 10: "slice5.10"}
    for number, place in places.items():
        layer = network.net.get_submodule(place)
        layer.weight.data = given[f"features.{number}.weight"]
        layer.bias.data = given[f"features.{number}.bias"]

    def distance(one, other):
        with torch.inference_mode():
            return float(network(tensor(one), tensor(other), normalize=True))

    return distance


def tensor(image):
    """As torchvision would: the shorter side to 256 pixels with antialiasing, and the centre."""
    transform = torchvision.transforms.Compose(
        [
            torchvision.transforms.Resize(256, torchvision.transforms.InterpolationMode.BICUBIC),
            torchvision.transforms.CenterCrop(256),
            torchvision.transforms.ToTensor(),
        ]
    )
    return transform(image)[None]


def picture(seed, size=(64, 64)):
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


def rows(prompts, seeds):
    names = [f"{p}-{s}.png" for p, s in zip(prompts, seeds, strict=True)]
    about = {"prompt_id": list(prompts), "prompt": [f"a {p}" for p in prompts]}
    return pd.DataFrame(about | {"seed": seeds, "image": names})


def test_the_mean_over_pairs_of_one_prompt_is_what_the_package_computes(alexnet, theirs, tmp_path):
    images = [picture(0), picture(1, (90, 70)), picture(2, (300, 400)), picture(3), picture(4)]
    images[3].save(tmp_path / "3.png")
    given = [*images[:3], tmp_path / "3.png", images[4]]
    # Rows of two prompts taken in turn, and a file in the place of a picture.
    frame = lpips_diversity.score(rows("ababa", [0, 0, 1, 1, 2]), given, "cpu")
    found = frame.set_index("prompt_id")["value"]
    pairs = combinations([images[0], images[2], images[4]], 2)
    expected = np.mean([theirs(*pair) for pair in pairs])
    assert expected > 0.05
    assert found["a"] == pytest.approx(expected, abs=1e-6)
    assert found["b"] == pytest.approx(theirs(images[1], images[3]), abs=1e-6)
    assert frame[["seed", "image"]].isna().all(axis=None)


def test_equal_pictures_have_none_and_a_single_seed_has_no_value(alexnet):
    same = [picture(0), picture(0)]
    frame = lpips_diversity.score(rows("aa", [0, 1]), same, "cpu")
    assert frame["value"].tolist() == pytest.approx([0.0], abs=1e-7)
    assert lpips_diversity.score(rows("ab", [0, 0]), [picture(0), picture(1)], "cpu").empty
    # Twice the same seed is no pair.
    assert lpips_diversity.score(rows("aa", [3, 3]), [picture(0), picture(1)], "cpu").empty


def test_it_runs_once_whatever_the_encoders_and_names_its_own(alexnet, monkeypatch):
    calls = []
    monkeypatch.setattr(
        lpips_diversity, "distances", lambda images, device: calls.append(device) or np.eye(2)[::-1]
    )
    given = rows("aa", [0, 1]).set_index(pd.Index([7, 9]))
    frame = metrics.score_images(
        given, [picture(0), picture(1)], ["a dog"] * 2, [], [], ["lpips-diversity"], [], []
    )
    assert frame[["metric", "encoder", "value"]].to_numpy().tolist() == [
        ["lpips-diversity", "lpips-alexnet", 1.0]
    ]
    assert calls == ["cpu"]
    beside = metrics.score_images(
        given,
        [picture(0), picture(1)],
        ["a dog"] * 2,
        [picture(0)],
        [],
        ["diversity", "lpips-diversity"],
        ["efficientnet-lite0", "toy-clip"],
        [],
    )
    encoders = beside.groupby("metric")["encoder"].apply(sorted).to_dict()
    assert encoders == {
        "diversity": ["efficientnet-lite0", "toy-clip"],
        "lpips-diversity": ["lpips-alexnet"],
    }


def test_weights_that_are_a_program_do_not_run(tmp_path, monkeypatch):
    class Program:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    file = tmp_path / "alexnet.pth"
    torch.save({"features.0.weight": Program()}, file)
    monkeypatch.setattr(lpips_diversity, "alexnet_file", lambda: file)
    lpips_diversity._network.cache_clear()
    with pytest.raises(pickle.UnpicklingError):
        lpips_diversity.distances([picture(0), picture(1)], "cpu")
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Torch hub's cache, empty, and nothing to download from."""

    def refuse(url, file):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(lpips_diversity, "download", refuse)
    return tmp_path / "checkpoints"


def refusal():
    with pytest.raises(UserError) as error:
        metrics.check_metric("lpips-diversity")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_without_the_package_the_run_is_refused_before_it_begins(monkeypatch):
    monkeypatch.setattr(lpips_diversity, "find_spec", lambda name: None)
    assert "pip install 'textboost-bench[lpips]'" in refusal()


def test_without_weights_the_refusal_says_where_they_belong(hub):
    message = refusal()
    assert "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth" in message
    assert "(no route to host)" in message
    assert "leave 'lpips-diversity' out of scoring.metrics" in message
    assert str(hub / "alexnet-owt-7be5be79.pth") in message


def test_weights_are_downloaded_once_and_must_be_the_published_ones(hub, monkeypatch):
    asked = []

    def download(url, file):
        asked.append(url)
        file.write_bytes(b"other bytes")

    monkeypatch.setattr(lpips_diversity, "download", download)
    assert "is damaged: SHA-256" in refusal()
    assert "expected 7be5be79; delete it" in refusal()
    assert len(asked) == 1
    monkeypatch.setattr(lpips_diversity, "checksum", lambda file: "7be5be79" + "0" * 56)
    metrics.check_metric("lpips-diversity")
    assert len(asked) == 1


def test_metrics_without_needs_are_ready():
    for name in metrics.metric_names():
        if name not in ("lpips-diversity", "vqascore"):
            metrics.check_metric(name)
    with pytest.raises(UserError, match="did you mean 'lpips-diversity'"):
        metrics.check_metric("lpips-diversiti")
