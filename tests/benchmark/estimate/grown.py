"""A process of its own that trains a model for real and prints by how many bytes it grew.

Called with a backbone's folder (configurations alone), a method, a batch and a resolution. The
weights are random: what is asked for is memory.
"""

from __future__ import annotations

import sys

import psutil
import torch
from torch import Tensor

from benchmark.estimate.made_up import made_up_task
from benchmark.estimate.weightless import fill, pipeline_of_shapes
from benchmark.host_memory import peak
from methods import get_method
from methods.interface import Compute
from tests.benchmark.estimate.grown_settings import settings_for


def random(like: Tensor, dtype: torch.dtype) -> Tensor:
    if not dtype.is_floating_point:
        return torch.arange(like.numel(), dtype=dtype).view(like.shape)
    return torch.empty_like(like, dtype=dtype, device="cpu").normal_(std=0.02)


def main(folder: str, method: str, batch: int, resolution: int) -> None:
    task = made_up_task(resolution, Compute())
    pipe = pipeline_of_shapes(folder)
    # Whatever the libraries load at first use is there before the weights come.
    torch.randn(64, 64, requires_grad=True).matmul(torch.randn(64, 64)).sum().backward()
    torch.nn.functional.conv2d(torch.randn(1, 8, 8, 8), torch.randn(8, 8, 3, 3))
    before = psutil.Process().memory_info().rss
    fill(pipe, "fp32", random)
    get_method(method).train(pipe, task, settings_for(method, batch))
    # Not `ru_maxrss`: a process inherits what its parent had reached when it was started.
    print(peak() - before)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
