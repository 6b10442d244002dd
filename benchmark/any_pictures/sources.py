"""Which layout a folder or file has, and everything that is in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.any_pictures import (
    dreambench_plus_layout,
    manifest_layout,
    run_layout,
    textboost_layout,
)
from benchmark.any_pictures.records import Reading, method_name
from benchmark.errors import UserError

LAYOUTS = (
    "a run's folder (config.toml), seed0/SUBJECT/PROMPT.png, src_image + text + tgt_image, "
    "or a manifest.csv or .parquet with the columns image, subject, prompt, seed"
)
MANIFESTS = ("manifest.csv", "manifest.parquet")


def read_source(path: Path, name: str | None = None) -> Reading:
    """All that `path` holds, with `name` for its method, or the folder's own name.

    UserError when it does not exist, has none of the layouts or several of them, or holds nothing.
    """
    if path.is_file():
        if path.suffix.lower() not in manifest_layout.SUFFIXES:
            raise UserError(f"{path} is no folder and no .csv or .parquet manifest")
        method = method_name(name or path.stem, str(path))
        return _not_empty(manifest_layout.read(path, method))
    if not path.is_dir():
        raise UserError(f"{path} does not exist; give a folder of pictures or a manifest")
    method = method_name(name or path.resolve().name, str(path))
    fitting = layouts_of(path)
    if len(fitting) > 1:
        raise UserError(
            f"{path} could be {' or '.join(fitting)}; give the part that counts, such as the "
            "manifest itself, or move the rest elsewhere"
        )
    if not fitting:
        inside = [p.name for p in sorted(path.iterdir()) if p.is_dir() and layouts_of(p)]
        hint = f"; {', '.join(inside)} in it would do: give each of them" if inside else ""
        raise UserError(f"{path} has no known layout{hint}; expected {LAYOUTS}")
    if fitting == ["run"]:
        return run_layout.read(path, name)
    if fitting == ["textboost"]:
        return _not_empty(textboost_layout.read(path, method))
    if fitting == ["dreambench++"]:
        return _not_empty(dreambench_plus_layout.read(path, method))
    return read_source(path / fitting[0], method)


def layouts_of(folder: Path) -> list[str]:
    """Names of the layouts that a folder fits; of manifests, the files' names."""
    if run_layout.fits(folder):
        return ["run"]
    found = [name for name in MANIFESTS if (folder / name).is_file()]
    if textboost_layout.fits(folder):
        found.append("textboost")
    if dreambench_plus_layout.fits(folder):
        found.append("dreambench++")
    return found


def check_methods(readings: Sequence[Reading]) -> dict[str, Path]:
    """Method -> where it comes from. UserError when two sources call a method the same."""
    owners: dict[str, Path] = {}
    for reading in readings:
        for name in methods_of(reading):
            if name in owners:
                raise UserError(
                    f"{owners[name]} and {reading.source} both have a method {name!r}; give one "
                    f"of them another name with --method NAME={reading.source}"
                )
            owners[name] = reading.source
    return owners


def methods_of(reading: Reading) -> list[str]:
    """Methods of a reading, in their order; also those of which nothing can be scored."""
    planned = [target.cell.method for target in (reading.targets or {}).values() if target.cell]
    found = [record.method for record in reading.records]
    listed = [problem.method for problem in reading.problems if problem.method]
    return list(dict.fromkeys([*planned, *found, *listed]))


def _not_empty(reading: Reading) -> Reading:
    if not reading.records and not reading.problems:
        raise UserError(f"{reading.source} holds no pictures; expected {LAYOUTS}")
    return reading
