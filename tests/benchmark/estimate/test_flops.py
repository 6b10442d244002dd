"""FLOPs against formulas written out by hand."""

from contextlib import ExitStack

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint

from benchmark.estimate.flops import FlopsByComponent, count_flops
from benchmark.estimate.live import LiveBytes


class Block(nn.Module):
    def __init__(self, inside: int, again: bool = False) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(inside, inside), nn.Linear(inside, inside)
        self.again = again

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        def both(x: torch.Tensor) -> torch.Tensor:
            return self.second(self.first(x).relu())

        return checkpoint(both, x, use_reentrant=False) if self.again else both(x)


def product(n: int, width: int) -> int:
    """One multiplication by a square matrix, forward."""
    return 2 * n * width * width


def test_forward_and_backward_go_to_their_component():
    text, unet = Block(8), Block(16)
    unet.requires_grad_(False)
    widen = torch.randn(8, 16)

    def step() -> None:
        unet(text(torch.randn(4, 8)) @ widen).sum().backward()

    counted = count_flops(step, {"text": [text], "unet": [unet]})
    # Weights and inputs of the text's second layer, weights alone of its first, get a gradient;
    # of the frozen unet's layers the inputs alone do.
    assert counted["text"] == 2 * product(4, 8) + 3 * product(4, 8)
    assert counted["unet"] == 2 * product(4, 16) + 2 * product(4, 16)
    assert counted["other"] == 2 * (2 * 4 * 8 * 16)


def test_components_that_follow_each_other_directly_are_told_apart():
    first, second = Block(8), Block(8)
    second.requires_grad_(False)
    x = torch.randn(4, 8)
    counted = count_flops(
        lambda: second(first(x)).sum().backward(), {"first": [first], "second": [second]}
    )
    assert counted == {
        "first": 5 * product(4, 8),
        "second": 4 * product(4, 8),
        "other": 0,
    }


def test_what_is_computed_again_counts_again():
    plain, again = Block(8), Block(8, again=True)
    x = torch.randn(4, 8, requires_grad=True)
    once = count_flops(lambda: plain(x).sum().backward(), {"block": [plain]})["block"]
    twice = count_flops(lambda: again(x).sum().backward(), {"block": [again]})["block"]
    assert once == 6 * product(4, 8)
    # Up to the last product's inputs: torch does not compute that product itself again.
    assert product(4, 8) <= twice - once <= 2 * product(4, 8)


def test_telling_components_apart_keeps_no_tensor_alive():
    first, second = Block(64), Block(64)

    def step() -> None:
        second(first(torch.randn(32, 64))).square().sum().backward()

    def peak(*modes: FlopsByComponent) -> tuple[int, int]:
        first.zero_grad()
        second.zero_grad()
        with ExitStack() as stack:
            for mode in modes:
                stack.enter_context(mode)
            live = stack.enter_context(LiveBytes())
            step()
            return live.peak, live.current

    step()
    counted = FlopsByComponent({"first": [first], "second": [second]})
    assert peak(counted) == peak()
    # The first layer's input needs no gradient.
    assert counted.flops == {
        "first": 5 * product(32, 64),
        "second": 6 * product(32, 64),
        "other": 0,
    }


def test_steps_that_were_not_counted_before_shift_nothing():
    block = Block(8)
    x = torch.randn(4, 8, requires_grad=True)
    earlier = block(x).sum()
    assert count_flops(lambda: earlier.backward(), {"block": [block]}) == {
        "block": 0,
        "other": 4 * product(4, 8),
    }
    again = count_flops(lambda: block(x).sum().backward(), {"block": [block]})
    assert again == {"block": 6 * product(4, 8), "other": 0}


def test_attention_on_the_cpu_counts():
    query, key = (torch.randn(2, 3, length, 16, requires_grad=True) for length in (10, 20))
    value = torch.randn(2, 3, 20, 16, requires_grad=True)
    products = 2 * (2 * 2 * 3 * 10 * 20 * 16)

    forward = count_flops(lambda: scaled_dot_product_attention(query, key, value), {})
    assert forward == {"other": products}

    def both() -> None:
        scaled_dot_product_attention(query, key, value).sum().backward()

    # Backward: the scores once more, and four products for the gradients.
    assert count_flops(both, {}) == {"other": products + products // 2 * 5}


def test_a_convolution_and_work_that_does_not_count():
    layer = nn.Conv2d(3, 5, 3, padding=1)

    def forward() -> None:
        layer(torch.randn(2, 3, 8, 8)).relu().exp()

    assert count_flops(forward, {"conv": [layer]}) == {
        "conv": 2 * 2 * 5 * 8 * 8 * 3 * 9,
        "other": 0,
    }
