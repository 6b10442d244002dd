"""Pictures of a class are made once for all subjects and methods that train on them."""

from dataclasses import replace

import benchmark.prior
from benchmark.backbones import open_backbone
from benchmark.generate import Sampling
from benchmark.prior import BATCH, PriorImages
from methods import get_method
from tests.methods.support import task
from tests.tiny import RESOLUTION

SAMPLING = Sampling(steps=2, guidance_scale=5.0, sampler="dpm++", resolution=RESOLUTION)
COUNT = 2 * BATCH
USERS = ("dreambooth", "dreambooth-lora", "custom-diffusion")


def test_four_subjects_and_three_methods_share_one_set(tiny_backbone, tmp_path, monkeypatch):
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path))
    calls, given = [], []
    sample = benchmark.prior.sample

    def counted(pipe, prompts, *others):
        calls.append(prompts)
        return sample(pipe, prompts, *others)

    monkeypatch.setattr(benchmark.prior, "sample", counted)
    for subject in ("dog", "dog2", "dog3", "dog5"):
        for name in USERS:
            method = get_method(name)
            # As each cell does in its own process.
            prior = PriorImages(open_backbone(str(tiny_backbone)), SAMPLING, "cpu", "fp32")
            mine = replace(task(), subject=subject, prior_images=prior)
            settings = method.Settings(**method.presets["toy"] | {"prior_images": COUNT})
            method.prepare(open_backbone(str(tiny_backbone)).load("cpu", "fp32"), mine, settings)
            given.append(prior.made_seconds)
    # Every cell is told the full cost; the pictures were made in one go of so many batches.
    assert min(given) == max(given) > 0
    assert calls == [["a photo of dog"] * BATCH] * (COUNT // BATCH)
