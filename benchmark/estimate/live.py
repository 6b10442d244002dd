"""Counting the bytes of the tensors that are alive: the same figure on every machine.

An allocator's own figures need a GPU, and a process's size depends on the C library. This counts
what the program itself holds: every storage that an operation reads or makes, from the first time
it is seen until it is freed. It works as well on fake tensors, which have no memory behind them.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

OTHER = "activations"
"""What nobody has labelled: activations, temporaries and the data."""
CUDA_GRANULARITY = 512
"""torch's CUDA allocator hands out multiples of so many bytes."""


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """`with LiveBytes() as live:` then `live.current` and `live.peak`, in bytes.

    A storage counts once, however many views it has, and until the last of them is gone. Weights
    count from their first use on, or from `label` on. A storage that is resized keeps the size it
    was first seen with. granularity: sizes are rounded up to multiples of so many bytes.

    `phase` is for the caller to set; `peak_phase` and `peak_split` (bytes by label) are those of
    the instant of the peak.
    """

    def __init__(self, granularity: int = 1) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.granularity = granularity
        self.current = 0
        self.peak = 0
        self.phase = ""
        self.peak_phase = ""
        self.peak_split: Mapping[str, int] = {}
        self._split: dict[str, int] = {}
        # id(storage) -> (reference to it, bytes, label). The storage's Python object lives as long
        # as its memory does, so that the id is its own until the reference calls back.
        self._alive: dict[int, tuple[weakref.ref[Any], int, str]] = {}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        made = func(*args, **kwargs)
        for leaf in tree_leaves((args, kwargs, made)):
            if isinstance(leaf, Tensor):
                self._see(leaf)
        return made

    def label(self, tensors: Iterable[Tensor], name: str) -> None:
        """Count these tensors from now on, if they are not counted yet, under `name`."""
        for tensor in tensors:
            self._see(tensor)
            key = id(tensor.untyped_storage())
            if key in self._alive:
                reference, size, before = self._alive[key]
                self._alive[key] = reference, size, name
                self._split[before] -= size
                self._split[name] = self._split.get(name, 0) + size

    def reset_peak(self) -> None:
        """Look for the peak afresh, from what is alive now."""
        self.peak = 0
        self._note_peak()

    def _see(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = id(storage), storage.nbytes()
        if key in self._alive or not size:
            return
        size = -(-size // self.granularity) * self.granularity
        self._alive[key] = weakref.ref(storage, lambda _: self._freed(key)), size, OTHER
        self.current += size
        self._split[OTHER] = self._split.get(OTHER, 0) + size
        self._note_peak()

    def _freed(self, key: int) -> None:
        _, size, name = self._alive.pop(key)
        self.current -= size
        self._split[name] -= size

    def _note_peak(self) -> None:
        if self.current > self.peak:
            self.peak = self.current
            self.peak_phase = self.phase
            self.peak_split = dict(self._split)
