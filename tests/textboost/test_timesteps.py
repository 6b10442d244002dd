import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from scipy import stats

from textboost import timesteps


@pytest.fixture(scope="module")
def alphas():
    betas = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    return DDPMScheduler(**betas).alphas_cumprod


def test_by_hand_on_three_steps():
    # SNR 9, 1, 1/9: log differences from the largest 0, log 9, 2 log 9.
    p = timesteps.snr_weighted(torch.tensor([0.9, 0.5, 0.1], dtype=torch.float64))
    assert p.tolist() == pytest.approx([0.0, 1 / 3, 2 / 3])


def test_known_facts_for_stable_diffusion(alphas):
    p = timesteps.snr_weighted(alphas)
    assert p[0] == 0
    assert p.sum().item() == pytest.approx(1.0)
    assert (p * torch.arange(1000)).sum().item() == pytest.approx(584, abs=0.5)
    assert p[500:].sum().item() == pytest.approx(0.62, abs=0.005)


def test_draws_follow_the_distribution(alphas):
    generator = torch.Generator().manual_seed(0)
    weighted = timesteps.sample(timesteps.snr_weighted(alphas), 20_000, generator)
    assert weighted.min() > 0
    assert weighted.max() <= 999
    assert weighted.double().mean().item() == pytest.approx(584, abs=6)
    even = timesteps.sample(timesteps.uniform(alphas), 20_000, generator)
    assert even.double().mean().item() == pytest.approx(499.5, abs=6)
    assert even.min() == 0
    assert even.max() == 999
    counts = timesteps.sample(torch.tensor([0.0, 0.25, 0.0, 0.75]), 4000, generator).bincount()
    assert counts[[0, 2]].tolist() == [0, 0]
    assert counts[3].item() / 4000 == pytest.approx(0.75, abs=0.03)


def test_draws_pass_a_chi_square_test_against_the_formula():
    """p(t) ~ max log SNR - log SNR(t), for Stable Diffusion's schedule, in float64 of our own."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    cumulative = np.cumprod(1 - betas)
    log_snr = np.log(cumulative) - np.log1p(-cumulative)
    expected = log_snr.max() - log_snr
    expected /= expected.sum()
    probabilities = timesteps.snr_weighted(torch.from_numpy(cumulative))
    drawn = timesteps.sample(probabilities, 200_000, torch.Generator().manual_seed(1)).numpy()
    # Twenty steps to a bin, so that none is expected to hold fewer than five.
    counts = np.bincount(drawn, minlength=1000).reshape(50, 20).sum(axis=1)
    wanted = expected.reshape(50, 20).sum(axis=1) * 200_000
    assert wanted.min() > 5
    assert stats.chisquare(counts, wanted).pvalue > 0.001
    even = timesteps.sample(torch.full((1000,), 1e-3), 200_000, torch.Generator().manual_seed(1))
    flat = np.bincount(even.numpy(), minlength=1000).reshape(50, 20).sum(axis=1)
    assert stats.chisquare(flat, wanted).pvalue < 1e-9


def test_either_distribution_uses_up_the_same_randomness(alphas):
    after = []
    for weights in (timesteps.uniform, timesteps.snr_weighted):
        generator = torch.Generator().manual_seed(3)
        timesteps.sample(weights(alphas), 8, generator)
        after.append(torch.rand(4, generator=generator))
    assert torch.equal(*after)


def test_a_schedule_that_ends_in_pure_noise_is_refused():
    with pytest.raises(ValueError, match="zero terminal SNR"):
        timesteps.snr_weighted(torch.linspace(0.99, 0.0, 1000))
