"""The untouched text-to-image models that methods personalize.

A new backbone is one entry in `HUB` (hub.py) or in `NAMED`; a folder in diffusers' format and a
model on the hub, `owner/name` or `owner/name@revision`, need none. Other packages add backbones
through the entry point group `tbbench.backbones`: the entry's name is the backbone's, its value a
function without arguments that gives a `Backbone`. It is imported when a run names it, not before.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from importlib.metadata import EntryPoint, entry_points
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
from benchmark.errors import UserError, plugin_code
from benchmark.plugins import GROUPS, refuse_taken
from benchmark.subjects import unknown

__all__ = [
    "NAMED",
    "Backbone",
    "backbone_names",
    "check_name",
    "open_backbone",
    "open_folder",
    "plugin_origins",
]

ENTRY_POINTS = GROUPS["backbone"]


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


def backbone_names() -> list[str]:
    """All names, ours first and then those of installed packages, of which none is imported."""
    return [*NAMED, *sorted(_plugins().keys() - NAMED.keys())]


def plugin_origins() -> dict[str, str]:
    """Backbone of an installed package -> its entry point's value, "module:function"."""
    return {name: entry.value for name, entry in _plugins().items() if name not in NAMED}


def _plugins() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}


def _open_plugin(entry: EntryPoint) -> Backbone:
    with plugin_code("backbone", entry.name):
        made = entry.load()()
    if not isinstance(made, Backbone) or made.name != entry.name:
        raise UserError(
            f"backbone {entry.name!r}: {entry.value} gave no Backbone of that name; that is for "
            "the package that offers it to mend"
        )
    return made


def check_name(name: str) -> None:
    """UserError when nothing can be a backbone of this name, or when a package takes one of ours.

    Imports and fetches nothing.
    """
    refuse_taken("backbone", name)
    if name not in backbone_names() and not Path(name).is_dir() and not HUB_ID.fullmatch(name):
        raise UserError(
            f"{unknown('backbone', name, backbone_names())}, a folder made by diffusers or a hub "
            "id (owner/name@commit)"
        )


@lru_cache
def open_backbone(name: str) -> Backbone:
    """The backbone called `name`, in the folder `name` or with the hub id `name`.

    It imports no torch and builds nothing. What is on the hub is fetched here, before any training
    begins. UserError when there is no such backbone or it cannot be had.
    """
    check_name(name)
    if name in NAMED:
        return NAMED[name]()
    if name in _plugins():
        return _open_plugin(_plugins()[name])
    if Path(name).is_dir():
        return open_folder(name, Path(name).resolve(), general_captions(), "local folder")
    return open_hub_id(name)
