"""Files that are there whole or not at all, also when the process is killed while it writes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

SEAL = "seal"
"""Key of a record's own checksum: see `benchmark.records`."""


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Writes beside `path`, syncs, and renames: readers see the old content or the new one."""
    _replace(path, io.BytesIO(content))


def copy_file(source: Path, target: Path) -> None:
    """A copy of `source`, of any size, that readers of `target` never meet half written."""
    with source.open("rb") as opened:
        _replace(target, opened)


def _replace(path: Path, content: BinaryIO) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            shutil.copyfileobj(content, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Makes renames in the folder last through a power cut, where the file system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """`write_bytes` of the text in UTF-8, line ends as they are."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: Any) -> None:
    """The file with `json_text`."""
    write_text(path, json_text(content))


def json_text(content: Any) -> str:
    """JSON with two spaces of indent; keys stay in the order given."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def read_json(path: Path) -> Any:
    """What `write_json` wrote, or None when the file is missing or is no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def read_record(path: Path) -> dict[str, Any]:
    """What `write_json` wrote of a mapping; empty when the file is missing or holds no such.

    Without the seal that `benchmark.records` puts on some.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        return {}
    content.pop(SEAL, None)
    return content


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A fresh folder to fill; it takes the place of `path` when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as scratch:
        fresh = Path(scratch) / "new"
        fresh.mkdir()
        yield fresh
        for file in files_under(fresh):
            # Libraries leave private files behind; whoever may read the folder may read these.
            (fresh / file).chmod(0o666 & ~_umask())
            with (fresh / file).open("rb") as opened:
                os.fsync(opened.fileno())
        for folder in [*(f for f in fresh.rglob("*") if f.is_dir()), fresh]:
            sync_folder(folder)
        if path.exists():
            os.replace(path, Path(scratch) / "old")
        os.replace(fresh, path)
        sync_folder(path.parent)


def files_under(folder: Path) -> list[str]:
    """All files below `folder`, as relative paths with "/", sorted."""
    return sorted(f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file())


def checksum(path: Path | str) -> str:
    """SHA-256 of a file, hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums(folder: Path, keep: Callable[[str], bool] = lambda _: True) -> dict[str, str]:
    """Relative path -> SHA-256 of the files below `folder` whose path `keep` accepts."""
    return {name: checksum(folder / name) for name in files_under(folder) if keep(name)}


def digest(content: Any, length: int = 64) -> str:
    """SHA-256 over the canonical JSON of `content`, its first `length` hex digits."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
