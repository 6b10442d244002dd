"""A cell's files from another folder, or another machine, put in place as if made there.

cell.json comes last: whenever this is interrupted, the cell counts as not done.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from benchmark.atomic import copy_file, files_under, write_bytes
from benchmark.owner import confirm
from benchmark.store import CellFolder

LAST = ("checkpoint.json", "cell.json")
"""Files that vouch for others, in the order in which they are written."""


def cell_files(folder: Path) -> list[str]:
    """Relative paths of all that a cell's folder holds, without locks and half-written files."""
    if not folder.is_dir():
        return []
    return [name for name in files_under(folder) if not _hidden(name)]


def check_name(name: str) -> None:
    """ValueError when `name` is no plain relative path below a folder, such as "images/a-0.png"."""
    path = PurePosixPath(name)
    odd = not path.parts or "\\" in name or "\0" in name or str(path) != name
    if odd or path.is_absolute() or ".." in path.parts or _hidden(name):
        raise ValueError(f"{name!r} is not the name of a file of a cell")


def put_cell(folder: CellFolder, files: Mapping[str, bytes | memoryview | Path]) -> None:
    """Makes `files`, contents or where they lie, all that the cell's folder holds.

    The caller holds the cell's lock. Before anything is written: ValueError when a name would leave
    the folder, or a folder of that name is a link out of it; OwnerLostError when another process
    took the cell over meanwhile, whose files these must not replace.
    """
    for name in files:
        check_name(name)
        for parent in PurePosixPath(name).parents:
            if (folder.path / parent).is_symlink():
                raise ValueError(f"{folder.path / parent} is a link; a cell's folders are none")
    confirm(folder.path)
    # Without it nothing of what lies there counts until all of the new is there.
    (folder.path / "cell.json").unlink(missing_ok=True)
    for name in cell_files(folder.path):
        if name not in files:
            (folder.path / name).unlink()
    for name in sorted(files, key=lambda name: (_rank(name), name)):
        content = files[name]
        if isinstance(content, Path):
            copy_file(content, folder.path / name)
        else:
            write_bytes(folder.path / name, content)


def _rank(name: str) -> int:
    return LAST.index(name) + 1 if name in LAST else 0


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(name).parts)
