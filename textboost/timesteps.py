"""Which noise levels to train at: all alike, or the noisy ones more often (TextBoost v1)."""

from __future__ import annotations

import torch
from torch import Tensor


def uniform(alphas_cumprod: Tensor) -> Tensor:
    """The same probability for every timestep, [timesteps], float64."""
    count = len(alphas_cumprod)
    return torch.full((count,), 1.0 / count, dtype=torch.float64)


def snr_weighted(alphas_cumprod: Tensor) -> Tensor:
    """p(t) in proportion to max log SNR - log SNR(t), [timesteps], float64, on the CPU.

    SNR(t) = abar(t) / (1 - abar(t)). The least noisy step gets 0, the noisiest the most: there
    the prompt decides what the picture becomes. Raises ValueError for a schedule that ends in pure
    noise: its last step would take all the weight there is.
    """
    alphas = alphas_cumprod.detach().double().cpu()
    log_snr = torch.log(alphas / (1.0 - alphas))
    if not torch.isfinite(log_snr).all():
        raise ValueError(
            "the noise schedule ends in pure noise (zero terminal SNR), where weighting by SNR "
            "is not defined; set snr_sampling = false"
        )
    weights = log_snr.max() - log_snr
    return weights / weights.sum()


def sample(probabilities: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Draw `count` timesteps, int64.

    One uniform number per timestep, whatever the distribution: switching distributions leaves
    all later draws of the generator as they were.
    """
    edges = probabilities.cumsum(0)
    draws = torch.rand(count, generator=generator, dtype=torch.float64) * edges[-1]
    return torch.searchsorted(edges, draws, right=True).clamp(max=len(probabilities) - 1)
