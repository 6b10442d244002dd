"""FLOPs of a piece of work, by the part of the model that does them.

Counted are matrix products, convolutions and attention (a multiplication and an addition are two
FLOPs), forward and backward, by the shapes of what each operation is given. Elementwise work, an
optimizer's step for one, counts nothing; it is a fraction of a percent of a training step.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn
from torch._C._autograd import _get_sequence_nr
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, shape_wrapper

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
_by_shape: Callable[[Callable[..., int]], Callable[..., int]] = shape_wrapper
_ATEN = torch.ops.aten
FORMULAS: Mapping[Any, Callable[..., int]] = {
    **flop_registry,
    _ATEN._scaled_dot_product_flash_attention_for_cpu: _by_shape(_attention),
    _ATEN._scaled_dot_product_flash_attention_for_cpu_backward: _by_shape(_attention_backward),
}
"""Operation -> FLOPs of a call; each takes the call's arguments and what it made, `out_val`."""


class FlopsByComponent(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """`with FlopsByComponent({"unet": [unet]}) as counted:` then `counted.flops`.

    flops: component -> FLOPs of its modules, forward and backward, recomputation for checkpointed
    activations included; "other" for the rest. components: name -> its modules, called as modules;
    none may contain another one.

    Autograd numbers the nodes of its graph as the forward pass makes them. A node belongs to the
    component in whose call it was made, and what is computed while it runs backward is that
    component's. Nothing is held for that but numbers, so that no tensor lives longer.
    """

    def __init__(self, components: Mapping[str, Sequence[nn.Module]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops: dict[str, int] = dict.fromkeys([*components, OTHER], 0)
        self._components = components
        self._hooks: list[Any] = []
        self._now = OTHER
        # From which number on nodes are whose, ascending.
        self._starts: list[int] = []
        self._owners: list[str] = []

    @property
    def total(self) -> int:
        """All FLOPs."""
        return sum(self.flops.values())

    def __enter__(self) -> FlopsByComponent:
        self._become(OTHER)
        for name, modules in self._components.items():
            for module in modules:
                enter, leave = partial(self._enter, name), self._leave
                self._hooks += [
                    module.register_forward_pre_hook(enter),
                    module.register_forward_hook(leave),
                ]
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        for hook in self._hooks:
            hook.remove()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        made = func(*args, **kwargs)
        formula = FORMULAS.get(getattr(func, "overloadpacket", None))
        if formula is not None:
            self.flops[self._owner()] += formula(*args, **kwargs, out_val=made)
        return made

    def _owner(self) -> str:
        """Whose computation this is."""
        node: Any = torch._C._current_autograd_node()  # None outside a backward pass
        if node is None:
            return self._now
        return self._owners[max(bisect_right(self._starts, node._sequence_nr()) - 1, 0)]

    def _enter(self, name: str, *_: Any) -> None:
        self._become(name)

    def _leave(self, *_: Any) -> None:
        self._become(OTHER)

    def _become(self, name: str) -> None:
        self._now = name
        self._starts.append(_get_sequence_nr())
        self._owners.append(name)


def count_flops(
    call: Callable[[], object], components: Mapping[str, Sequence[nn.Module]]
) -> dict[str, int]:
    """FLOPs of one call by component, see `FlopsByComponent`."""
    with FlopsByComponent(components) as counted:
        call()
    return counted.flops
