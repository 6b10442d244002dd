"""The hub's checksums of what it gave, compared with what is on disk.

The hub library names every file in its cache after the checksum that the hub told it, and links to
it from the folder of the commit; it does not compare the two itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from benchmark.atomic import read_json
from benchmark.cache_folder import remember
from benchmark.errors import UserError
from benchmark.paths import cache_root


def check_hub_files(what: str, folder: Path, files: Sequence[str]) -> None:
    """UserError when a file of the commit's folder is not what the hub's checksum says.

    `what` is what the files are of, in the words of the error message.

    A file is read again only when its size, times or inode have changed. A cache without links (a
    file system that has none) holds no checksums: there the commit alone vouches for the files.
    """
    record = cache_root() / "hub-checksums" / f"{folder.name}.json"
    known = read_json(record)
    checked: dict[str, list[object]] = {}
    for file in files:
        blob = (folder / file).resolve()
        expected = blob.name
        if len(expected) not in (40, 64) or set(expected) - set("0123456789abcdef"):
            continue
        stat = blob.stat()
        checked[file] = [expected, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        before = known.get(file) if isinstance(known, dict) else None
        if before != checked[file] and _checksum(blob, len(expected)) != expected:
            raise UserError(
                f"{what}: {file} is not what the hub says it is; delete {blob} and run again"
            )
    if checked and checked != known:
        remember(record, checked)


def _checksum(path: Path, length: int) -> str:
    """SHA-256 of large files (64 digits), git's own SHA-1 of small ones (40 digits)."""
    with path.open("rb") as file:
        if length == 64:
            return hashlib.file_digest(file, "sha256").hexdigest()
        content = file.read()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
