"""What a method trains and what it stores, counted exactly by its own code.

The method is set up on stand-ins for the true weights, trains for no step, and saves. Of what it
saves the tensors are not written: each file is made as long as it would be, without content.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmark.atomic import digest, files_under, read_json
from benchmark.cache_folder import remember
from benchmark.errors import UserError
from benchmark.estimate.question import RefusedError, with_batch
from benchmark.paths import cache_root

CARD = ".md"
"""Files for people: nothing of them is needed to have the model again."""
WIDTHS = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8}
"""Bytes of one number, by its type's name in safetensors."""
OLDER_NAMES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64"}
"""What older versions of safetensors for Python are told instead."""


@dataclass(frozen=True)
class Counts:
    """Exact figures of one method with one preset on one backbone.

    checkpoint_bytes: all files of a checkpoint but its model card, in the precision asked for.
    payload_bytes: of these, the tensors alone, without the files' headers and JSON.
    payload_elements: how many numbers are stored: 4 bytes each in fp32, 2 in fp16 and bf16.
    """

    trainable_parameters: int
    checkpoint_bytes: int
    payload_bytes: int
    payload_elements: int

    @property
    def payload_bytes_fp32(self) -> int:
        """The tensors in float32."""
        return 4 * self.payload_elements

    @property
    def payload_bytes_fp16(self) -> int:
        """The tensors in float16."""
        return 2 * self.payload_elements


def exact_counts(
    method: str,
    backbone: str,
    preset: str = "paper",
    settings: Mapping[str, Any] | None = None,
    precision: str = "fp32",
) -> Counts:
    """The counts for a subject described in two words, such as a corgi dog.

    backbone: see `benchmark.estimate.weightless.NAMES`, or a folder. settings: single fields of
    the preset, changed. precision: "fp32", "fp16" or "bf16", of the loaded weights: checkpoints
    are saved in it. Controls count nothing. Remembered until the method's code changes.
    Raises UserError for unknown names, RefusedError where the method cannot train the backbone.
    """
    from benchmark.estimate.versions import versions

    values = full_settings(method, preset, settings or {}, steps=0)
    if values is None:
        return Counts(0, 0, 0, 0)
    question = [versions(method, backbone), dataclasses.asdict(values), backbone, precision]
    path = cache_root() / "predictions" / f"counts-{digest(question, 24)}.json"
    known = read_json(path)
    if known is None:
        known = dataclasses.asdict(_count(method, backbone, values, precision))
        remember(path, known)
    return Counts(**known)


def full_settings(
    method: str, preset: str, settings: Mapping[str, Any], steps: int | None = None
) -> Any:
    """The method's settings object; None for a control. UserError for a name nobody knows."""
    from benchmark.config import MethodEntry
    from benchmark.method_settings import method_settings
    from benchmark.subjects import unknown
    from methods import get_method, method_names

    if method not in method_names():
        raise UserError(unknown("method", method, method_names()))
    entry = MethodEntry(name=method, preset=preset, settings=dict(settings))
    values = method_settings(entry, None)
    if not get_method(method).trains:
        return None
    return values if steps is None else dataclasses.replace(values, steps=steps)


def _count(method: str, backbone: str, settings: Any, precision: str) -> Counts:
    import safetensors.torch
    from torch import Tensor

    from benchmark.estimate.made_up import made_up_task
    from benchmark.estimate.weightless import (
        converting,
        fill,
        pipeline_of_shapes,
        replaced,
        resolution_of,
        untouched,
    )
    from methods import get_method
    from textboost.compute import Compute

    chosen = get_method(method)
    task = made_up_task(resolution_of(backbone), Compute())
    # Files have the plain layout: from the other one all weights would be copied, and so touched.
    pipe = fill(pipeline_of_shapes(backbone), precision, untouched, channels_last=False)
    written: list[int] = []
    with (
        tempfile.TemporaryDirectory() as place,
        converting(untouched),
        # Tables grow by a row for each new token, and are filled with noise each time: seconds.
        replaced(Tensor, "normal_", _unfilled),
    ):
        try:
            # One class picture stands for hundreds, which no step looks at.
            trained = chosen.train(pipe, task, with_batch(settings, None)[0]).trainable_parameters
        except ValueError as error:
            raise RefusedError(f"{method} does not train {backbone}: {error}") from error
        with replaced(safetensors.torch, "serialize_file", partial(_reserve, written)):
            chosen.save(pipe, task, settings, Path(place))
        files = [Path(place) / file for file in files_under(Path(place)) if not _is_card(file)]
        size = sum(file.stat().st_size for file in files)
    width = 4 if precision == "fp32" else 2
    return Counts(trained, size, sum(written), sum(written) // width)


def _unfilled(tensor: Any, *_: Any, **__: Any) -> Any:
    """Instead of `Tensor.normal_`: values do not count."""
    return tensor


def _is_card(file: str) -> bool:
    return file.endswith(CARD)


def _reserve(
    written: list[int],
    tensors: Mapping[str, Any],
    filename: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Instead of safetensors' `serialize_file`: a file as long, without content."""
    described = []
    for name, spec in tensors.items():
        dtype = str(_field(spec, "dtype"))
        described.append((name, OLDER_NAMES.get(dtype, dtype), list(_field(spec, "shape"))))
    header, payload = layout(described, metadata)
    with open(filename, "wb") as file:
        file.truncate(header + payload)
    written.append(payload)


def layout(
    tensors: Sequence[tuple[str, str, Sequence[int]]], metadata: Mapping[str, str] | None
) -> tuple[int, int]:
    """Bytes of a safetensors file's header and of its tensors, (name, type, shape) each.

    https://huggingface.co/docs/safetensors: 8 bytes for the header's length, the header as JSON,
    filled up to a multiple of 8, the tensors one after another, wider types first, then by name.
    """
    described: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    start = 0
    for name, dtype, shape in sorted(tensors, key=lambda one: (-WIDTHS[one[1]], one[0])):
        end = start + WIDTHS[dtype] * math.prod(shape)
        described[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
        start = end
    text = json.dumps(described, separators=(",", ":"), ensure_ascii=False)
    return 8 + -(-len(text.encode()) // 8) * 8, start


def _field(spec: Any, name: str) -> Any:
    """A tensor's description is an object or, in older versions of safetensors, a mapping."""
    return spec[name] if isinstance(spec, Mapping) else getattr(spec, name)
