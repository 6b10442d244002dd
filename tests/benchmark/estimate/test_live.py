"""Live bytes against sizes worked out by hand."""

import torch
from torch import nn
from torch._subclasses import FakeTensorMode

from benchmark.estimate.live import LiveBytes


def test_a_storage_counts_once_from_its_making_to_its_last_view():
    with LiveBytes() as live:
        whole = torch.zeros(100)
        part = whole[10:20].view(2, 5)
        assert live.current == 400
        del whole
        assert live.current == 400
        del part
        assert live.current == 0
    assert live.peak == 400


def test_what_was_there_before_counts_from_its_first_use():
    weight = torch.ones(8, 8)
    with LiveBytes() as live:
        assert live.current == 0
        made = weight @ weight
        assert live.current == 2 * 256
        live.label([weight, made], "weights")
        live.label([torch.ones(3)], "weights")
    assert live.current == 2 * 256


def test_the_peak_of_a_linear_layers_step_is_the_sum_worked_out_by_hand():
    layer = nn.Linear(64, 32)
    x = torch.randn(16, 64)
    with LiveBytes() as live:
        loss = layer(x).square().sum()
        # x, weight, bias, the layer's output (kept for the square), its square freed, the sum.
        assert live.current == 4 * (16 * 64 + 64 * 32 + 32 + 16 * 32 + 1)
        loss.backward()
    gradients = 4 * (64 * 32 + 32)
    held = 4 * (16 * 64 + 64 * 32 + 32 + 1)
    assert live.current == held + gradients


def test_sizes_are_rounded_up_as_the_cuda_allocator_does():
    with LiveBytes(granularity=512) as live:
        one, two = torch.zeros(1), torch.zeros(129)
    assert live.current == 512 + 1024
    assert one.numel() + two.numel() == 130


def test_the_split_and_the_phase_are_those_of_the_instant_of_the_peak():
    weight = torch.ones(10)
    with LiveBytes() as live:
        live.label([weight], "weights")
        live.phase = "first"
        temporary = torch.zeros(100)
        del temporary
        live.phase = "second"
        kept = torch.zeros(50)
    assert (live.peak, live.peak_phase) == (440, "first")
    assert live.peak_split == {"activations": 400, "weights": 40}
    live.reset_peak()
    assert live.peak == 240
    assert live.peak_phase == "second"
    assert live.peak_split == {"activations": 200, "weights": 40}
    assert len(kept) == 50


def test_fake_tensors_count_like_real_ones():
    def step(layer: nn.Module, x: torch.Tensor) -> tuple[int, int]:
        with LiveBytes() as live:
            layer(x).softmax(-1).square().mean().backward()
        return live.current, live.peak

    real = step(nn.Sequential(nn.Linear(20, 30), nn.GELU()), torch.randn(7, 20))
    with FakeTensorMode():
        fake = step(nn.Sequential(nn.Linear(20, 30), nn.GELU()), torch.randn(7, 20))
    assert fake == real
    assert real[1] > real[0] > 0
