"""The untouched text-to-image models that methods personalize.

A new backbone is one entry in `HUB` (hub.py) or in `NAMED`; a folder in diffusers' format and a
model on the hub, `owner/name` or `owner/name@revision`, need none.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

from benchmark.backbones.backbone import Backbone, general_captions
from benchmark.backbones.blank import BLANK, open_blank
from benchmark.backbones.folder import (
    check_complete,
    folder_resolution,
    folder_revision,
)
from benchmark.backbones.hub import HUB, HUB_ID, open_hub, open_hub_id
from benchmark.backbones.toy import TOY_NOTE, toy_captions, toy_folder
from benchmark.errors import UserError
from benchmark.subjects import unknown

__all__ = ["NAMED", "Backbone", "open_backbone", "open_folder"]


def open_folder(name: str, folder: Path, captions: Path, note: str) -> Backbone:
    """The backbone in a folder; UserError when it is no pipeline that the harness can load."""
    check_complete(name, folder)
    return Backbone(
        name, folder, folder_revision(folder), folder_resolution(folder), note, captions
    )


def _open_toy(name: str) -> Backbone:
    return open_folder(name, toy_folder(), toy_captions(), TOY_NOTE)


NAMED: dict[str, Callable[[], Backbone]] = {
    "toy": partial(_open_toy, "toy"),
    **{name: partial(open_hub, name) for name in HUB},
    **{name: partial(open_blank, name) for name in BLANK},
}


@lru_cache
def open_backbone(name: str) -> Backbone:
    """The backbone called `name`, in the folder `name` or with the hub id `name`.

    It imports no torch and builds nothing. What is on the hub is fetched here, before any training
    begins. UserError when there is no such backbone or it cannot be had.
    """
    if name in NAMED:
        return NAMED[name]()
    if Path(name).is_dir():
        return open_folder(name, Path(name).resolve(), general_captions(), "local folder")
    if HUB_ID.fullmatch(name):
        return open_hub_id(name)
    raise UserError(
        f"{unknown('backbone', name, list(NAMED))}, a folder made by diffusers or a hub id "
        "(owner/name@commit)"
    )
