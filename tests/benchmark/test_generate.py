from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, StableDiffusionPipeline
from PIL import Image

from benchmark.backbones import open_backbone
from benchmark.generate import Sampling, batches, make_sampler, noise_seed, sample

PROMPTS = ["a dog in the jungle", "a dog", "a red dog"]
SEEDS = [noise_seed("dog", prompt, 0) for prompt in PROMPTS]
SAMPLING = Sampling(steps=3, guidance_scale=5.0, sampler="dpm++", resolution=32)


@pytest.fixture(scope="module")
def pipe(tiny_backbone: Path) -> StableDiffusionPipeline:
    return open_backbone(str(tiny_backbone)).load("cpu", "fp32")


def pixels(images: list[Image.Image]) -> np.ndarray:
    return np.stack([np.asarray(image, dtype=int) for image in images])


def test_seeds_differ_in_every_part_and_never_change() -> None:
    assert noise_seed("dog", "in-the-jungle", 0) == 2189520977946516219
    seeds = {noise_seed(a, b, c) for a in ("dog", "cat") for b in ("x", "y") for c in (0, 1)}
    assert len(seeds) == 8
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_picture_does_not_depend_on_its_batch(pipe: StableDiffusionPipeline) -> None:
    """Trap 11: one generator consumed across samples."""
    together = pixels(sample(pipe, PROMPTS, SEEDS, SAMPLING))
    pairs = zip(PROMPTS, SEEDS, strict=True)
    alone = pixels([sample(pipe, [p], [s], SAMPLING)[0] for p, s in pairs])
    turned = pixels(sample(pipe, PROMPTS[::-1], SEEDS[::-1], SAMPLING))[::-1]
    # The same up to the rounding of 8 bits, while two pictures of a batch are far apart.
    assert np.abs(together - alone).max() <= 1
    assert np.abs(together - turned).max() <= 1
    assert np.abs(together[0] - together[1]).max() > 20


def test_the_same_seed_is_the_same_picture_bit_for_bit(pipe: StableDiffusionPipeline) -> None:
    first, second = (pixels(sample(pipe, PROMPTS, SEEDS, SAMPLING)) for _ in range(2))
    assert (first == second).all()


def test_the_seed_reaches_the_noise(pipe: StableDiffusionPipeline) -> None:
    """Trap 2: a seed that is never passed on."""
    one, other = (pixels(sample(pipe, ["a dog"], [seed], SAMPLING)) for seed in (1, 2))
    assert np.abs(one - other).max() > 20


def test_the_pipelines_own_scheduler_is_put_back(pipe: StableDiffusionPipeline) -> None:
    before = pipe.scheduler
    sample(pipe, ["a dog"], [1], SAMPLING)
    assert pipe.scheduler is before


@pytest.mark.parametrize(
    ("name", "kind"),
    [("dpm++", DPMSolverMultistepScheduler), ("ddim", DDIMScheduler), ("default", DDIMScheduler)],
)
def test_samplers_keep_the_noise_schedule(
    pipe: StableDiffusionPipeline, name: str, kind: type
) -> None:
    sampler = make_sampler(pipe.scheduler, name)
    assert type(sampler) is kind
    assert sampler is not pipe.scheduler
    assert sampler.config.beta_schedule == "scaled_linear"
    assert sampler.config.beta_end == 0.012


def test_batches_are_consecutive() -> None:
    assert list(batches([1, 2, 3, 4, 5], 2)) == [[1, 2], [3, 4], [5]]
    assert list(batches([], 2)) == []


def test_the_resolution_is_read_from_the_backbone(tiny_backbone: Path) -> None:
    backbone = open_backbone(str(tiny_backbone))
    assert backbone.resolution == 32


def test_precision_is_that_of_the_weights(
    tiny_backbone: Path, recwarn: pytest.WarningsRecorder
) -> None:
    pipe: Callable[..., object] = open_backbone(str(tiny_backbone)).load("cpu", "bf16")
    assert str(pipe.unet.dtype) == "torch.bfloat16"
    assert [str(w.message) for w in recwarn if "deprecated" in str(w.message)] == []


def test_numbers_that_are_no_pixels_are_refused(tiny_backbone: Path) -> None:
    pipe = open_backbone(str(tiny_backbone)).load("cpu", "fp32")
    pipe.unet.conv_out.bias.data.fill_(float("nan"))
    with pytest.raises(ArithmeticError, match='the picture of "a dog" is not finite'):
        sample(pipe, ["a dog"], [1], SAMPLING)
