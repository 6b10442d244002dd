"""LPIPS diversity: how far apart to the eye are pictures of the same prompt, seed against seed?

DIV of DreamBooth (arXiv 2208.12242, section 4.3): the mean LPIPS distance (Zhang et al., arXiv
1801.03924, equation 1) over pairs of pictures of one subject and prompt made from different seeds.
Version 0.1 of the package lpips on AlexNet; every picture has its shorter side resized to 256
pixels and the centre cropped, since LPIPS depends on the size. One value per prompt, from 0, all
the same, to about 1; higher is more varied. A prompt with a single seed has no value.

It cannot tell variety from error: noise, and right pictures mixed with failed ones, score high.

Needs `pip install '.[lpips]'` and AlexNet's published weights, 244 MB, which are downloaded once
into torch hub's cache.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from filelock import FileLock

from benchmark.atomic import checksum
from benchmark.download import download
from benchmark.errors import UserError
from benchmark.metrics.encoders import Picture, Preparation, decoded
from benchmark.metrics.evidence import scores

if TYPE_CHECKING:
    import torch

KIND = "pixels"
EMITS = {"lpips-diversity": "higher"}
ENCODER = "lpips-alexnet"
SIZE = 256
# Grey 0 to 1 becomes -1 to 1, as LPIPS wants it.
PREPARE = Preparation(resize=SIZE, crop=SIZE, mean=(0.5,) * 3, std=(0.5,) * 3)
INSTEAD = "or leave 'lpips-diversity' out of scoring.metrics"


def check() -> None:
    """UserError unless the package and AlexNet's weights are there; downloads the latter."""
    if find_spec("lpips") is None:
        raise UserError(
            "metric 'lpips-diversity' needs the package lpips: "
            f"pip install 'textboost-bench[lpips]' (in a clone '.[lpips]'), {INSTEAD}"
        )
    alexnet_file()


def score(rows: pd.DataFrame, images: Sequence[Picture], device: str) -> pd.DataFrame:
    """One row per prompt with at least two seeds; its seed and image are missing."""
    records: list[dict[str, object]] = []
    for (prompt_id, prompt), group in rows.groupby(["prompt_id", "prompt"], sort=False):
        seeds = group["seed"].to_numpy()
        different = seeds[:, None] != seeds[None]
        if not different.any():
            continue
        between = distances([images[place] for place in group.index], device)
        value = float(between[different].mean())
        records.append(
            {"prompt_id": prompt_id, "prompt": prompt, "metric": "lpips-diversity", "value": value}
        )
    return scores(records)


def distances(images: Sequence[Picture], device: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """LPIPS between every two pictures, [n, n]. Each goes through the network once."""
    import torch

    network = _network(device)
    found = np.zeros((len(images), len(images)))
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        layers = [_layers(network, decoded(image), device) for image in images]
        for i, one in enumerate(layers):
            for j, other in enumerate(layers[:i]):
                weighted = [
                    linear((a - b) ** 2).mean()
                    for linear, a, b in zip(network.lins, one, other, strict=True)
                ]
                found[i, j] = found[j, i] = float(sum(weighted))
    return found


def alexnet_file() -> Path:
    """AlexNet's weights in torch hub's cache, downloaded if need be. UserError if they are not."""
    import torch
    from torchvision.models import AlexNet_Weights

    url: str = AlexNet_Weights.IMAGENET1K_V1.url
    name = url.rpartition("/")[2]
    file = Path(torch.hub.get_dir()) / "checkpoints" / name
    if not file.is_file():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(file.with_name(f".{name}.lock")):
                if not file.is_file():
                    download(url, file)
        except OSError as error:
            raise UserError(
                f"metric 'lpips-diversity' needs AlexNet's weights, and {url} did not load "
                f"({error}); put that file at {file}, {INSTEAD}"
            ) from error
    # Their name ends in the first digits of their SHA-256.
    expected, found = Path(name).stem.rpartition("-")[2], checksum(file)
    if not found.startswith(expected):
        raise UserError(
            f"metric 'lpips-diversity': {file} is damaged: SHA-256 {found[:12]}, expected "
            f"{expected}; delete it and start again"
        )
    return file


@lru_cache(maxsize=1)
def _network(device: str) -> Any:
    """The package's network, given its weights here because its own loading lets pickles run."""
    import lpips
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it calls torchvision in an older way
        network = lpips.LPIPS(net="alex", pretrained=False, pnet_rand=True, verbose=False)
    alexnet = torch.load(alexnet_file(), map_location="cpu", weights_only=True)
    # "slice2.3.weight" here is "features.3.weight" there.
    trunk = network.net.state_dict()
    network.net.load_state_dict(
        {name: alexnet[f"features.{name.partition('.')[2]}"] for name in trunk}
    )
    file = Path(lpips.__file__).parent / "weights" / "v0.1" / "alex.pth"
    linear = torch.load(file, map_location="cpu", weights_only=True)
    network.lins.load_state_dict({key.removeprefix("lin"): w for key, w in linear.items()})
    return network.eval().requires_grad_(False).to(device)


def _layers(network: Any, image: Any, device: str) -> list[torch.Tensor]:
    """What AlexNet's five layers make of a picture, of length 1 at every place."""
    import lpips
    import torch

    pixels = torch.from_numpy(PREPARE(image))[None].to(device)
    return [lpips.normalize_tensor(layer) for layer in network.net(network.scaling_layer(pixels))]
