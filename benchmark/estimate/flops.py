"""FLOPs of a piece of work, by the part of the model that does them.

Counted are matrix products, convolutions and attention (a multiplication and an addition are two
FLOPs), forward and backward, by the shapes of what each operation is given. Elementwise work, an
optimizer's step for one, counts nothing; it is a fraction of a percent of a training step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import register_multi_grad_hook
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

OTHER = "other"
"""What is computed outside all components."""

Shape = Sequence[int]


def _attention(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    """Scores and their product with the values. Shapes: [batch, heads, length, width]."""
    pairs = 2 * query[0] * query[1] * query[2] * key[2]
    return pairs * (query[3] + value[3])


def _attention_backward(
    _: Shape, query: Shape, key: Shape, value: Shape, *__: Any, **___: Any
) -> int:
    """The scores once more, and the gradients of scores, values, queries and keys."""
    pairs = 2 * query[0] * query[1] * query[2] * key[2]
    return pairs * (3 * query[3] + 2 * value[3])


# The CPU's fused attention has no formula in torch and would count nothing.
_CPU_ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}


class FlopsByComponent:
    """`with FlopsByComponent({"unet": [unet]}) as counted:` then `counted.flops`.

    flops: component -> FLOPs of its modules, forward and backward, recomputation for checkpointed
    activations included; "other" for the rest. components: name -> its modules, called as modules;
    none may contain another one. A backward pass belongs to a component from the gradient of its
    outputs on until that of its inputs is there.
    """

    def __init__(self, components: Mapping[str, Sequence[nn.Module]]) -> None:
        self.flops: dict[str, int] = dict.fromkeys([*components, OTHER], 0)
        self._components = components
        self._counter: Any = FlopCounterMode(display=False, custom_mapping=_CPU_ATTENTION)
        self._hooks: list[Any] = []
        self._now = OTHER
        self._charged = 0

    @property
    def total(self) -> int:
        """All FLOPs."""
        return sum(self.flops.values())

    def __enter__(self) -> FlopsByComponent:
        for name, modules in self._components.items():
            for module in modules:
                enter, leave = partial(self._enter, name), partial(self._leave, name)
                self._hooks += [
                    module.register_forward_pre_hook(enter, with_kwargs=True),
                    module.register_forward_hook(leave, with_kwargs=True),
                ]
        self._counter.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._charge(OTHER)
        self._counter.__exit__(*error)
        for hook in self._hooks:
            hook.remove()

    def _enter(self, name: str, module: nn.Module, args: Any, kwargs: Any) -> None:
        self._charge(name)
        if given := _differentiable((args, kwargs)):
            ended = register_multi_grad_hook(given, lambda _: self._end(name))
            self._hooks.append(ended)

    def _leave(self, name: str, module: nn.Module, args: Any, kwargs: Any, made: Any) -> None:
        self._charge(OTHER)
        if made := _differentiable(made):
            begun = register_multi_grad_hook(made, lambda _: self._charge(name), mode="any")
            self._hooks.append(begun)

    def _end(self, name: str) -> None:
        """The component's backward pass is over, unless that of the one before has begun."""
        if self._now == name:
            self._charge(OTHER)

    def _charge(self, following: str) -> None:
        """Book what was counted since the last time, and say whose the next FLOPs are."""
        total = self._counter.get_total_flops()
        self.flops[self._now] += total - self._charged
        self._charged, self._now = total, following


def count_flops(
    call: Callable[[], object], components: Mapping[str, Sequence[nn.Module]]
) -> dict[str, int]:
    """FLOPs of one call by component, see `FlopsByComponent`."""
    with FlopsByComponent(components) as counted:
        call()
    return counted.flops


def _differentiable(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor) and leaf.requires_grad]
