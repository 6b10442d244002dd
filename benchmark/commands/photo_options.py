"""Options of `tbbench run` that make a folder of photos the run's data set."""

from __future__ import annotations

import json
from dataclasses import dataclass

from benchmark.errors import UserError

TOY, PHOTOGRAPHIC = "dreambench-toy", "dreambench-sd15"
"""Ready runs that lend their methods, prompts and presets to a run that names none."""


@dataclass(frozen=True)
class PhotoOptions:
    """What was said on the command line; None where nothing was."""

    folder: str | None
    class_noun: str | None
    descriptor: str | None
    name: str | None
    train_photo: str | None
    live: bool | None


def photo_source(source: str | None, options: PhotoOptions, backbone: str | None) -> str:
    """The run that is meant; UserError when it cannot be told."""
    given = {
        "--class-noun": options.class_noun,
        "--descriptor": options.descriptor,
        "--name": options.name,
        "--train-photo": options.train_photo,
        "--live or --object": options.live,
    }
    if options.folder is None:
        stray = [option for option, value in given.items() if value is not None]
        if stray:
            raise UserError(f"{stray[0]} is about a folder of photos: add --photos DIR")
        if source is None:
            raise UserError(
                "name a ready run or a TOML file, such as `tbbench run quickstart`, or give "
                "--photos DIR --class-noun NOUN"
            )
        return source
    if options.class_noun is None:
        raise UserError("--photos: say what they show, such as --class-noun dog")
    if source is not None:
        return source
    return TOY if backbone in (None, "toy") else PHOTOGRAPHIC


def photo_overrides(source: str | None, options: PhotoOptions, backbone: str | None) -> list[str]:
    """`key=value` overrides that put the photos in the place of the run's data set."""
    overrides = [] if backbone is None else [f"backbone={json.dumps(backbone)}"]
    if options.folder is None or options.class_noun is None:
        return overrides
    from pathlib import Path

    from benchmark.config_photos import Photos
    from benchmark.own_photos import subject_name

    folder = str(Path(options.folder).expanduser().resolve())
    values = {
        "folder": folder,
        "class_noun": options.class_noun,
        "descriptor": options.descriptor,
        "name": options.name,
        "train_photo": options.train_photo,
        "live": options.live,
    }
    overrides += [
        f"photos.{key}={json.dumps(value)}" for key, value in values.items() if value is not None
    ]
    overrides += ['dataset="photos"', 'split="n1"', 'subjects="all"']
    if source is None:
        named = Photos.model_construct(folder=folder, name=options.name)
        name = subject_name(named)
        toy = backbone in (None, "toy")
        world = "the TOY backbone (64 px): shows the path, not the methods" if toy else backbone
        overrides.append(f"name={json.dumps(name)}")
        overrides.append(f"title={json.dumps(f'Photos of {name} on {world}')}")
    return overrides
