"""The archive itself: the same files give the same bytes, and no archive can do harm.

A bundle comes from somebody else. Nothing in it is written where its name says: names are compared
with the few forms that there are, links and encrypted entries are refused, and sizes are counted
while reading, whatever the archive says of them.
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from benchmark.errors import UserError

MANIFEST = "bundle.json"
TABLE_FILES = ("results.parquet", "costs.parquet", "cells.parquet")
RECORDS = ("config.toml", "environment.json", "run.json", "plan.json")
PREDICTIONS = "predictions.json"
"""Only in bundles of runs that trained something."""
CELL_FILES = ("cell.json", "scores.parquet", "cost.json", "checkpoint.json")
DERIVED = ("statistics.json", "verdicts.json")
PICTURES = "pictures.json"

_PLAIN = frozenset({MANIFEST, *TABLE_FILES, *RECORDS, PREDICTIONS, *DERIVED, PICTURES})
_NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]*"
_FORMS = (
    re.compile(rf"cells/[0-9a-f]{{16}}/({'|'.join(map(re.escape, CELL_FILES))})"),
    re.compile(rf"claims/{_NAME}\.toml"),
    re.compile(rf"thumbnails/[0-9a-f]{{16}}/{_NAME}\.jpg"),
)
MOST_FILES = 200_000
LARGEST_FILE = 256 * 2**20
LARGEST_BUNDLE = 2 * 2**30

PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_DATE = (1980, 1, 1, 0, 0, 0)
_MODE = (stat.S_IFREG | 0o644) << 16


def known_name(name: str) -> bool:
    """Whether a file of a bundle may be called so."""
    return name in _PLAIN or any(form.fullmatch(name) for form in _FORMS)


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """The archive: entries sorted, dates and modes fixed."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in sorted(files):
            assert known_name(name), name
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = _MODE
            entry.create_system = 3
            packed = name.endswith((".json", ".toml"))
            entry.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
            archive.writestr(entry, files[name], compresslevel=9 if packed else None)
    return content.getvalue()


def read_zip(path: Path) -> dict[str, bytes]:
    """All files of the archive. UserError when it is damaged or holds what no bundle holds."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_FILES:
                raise UserError(f"{path} holds more than {MOST_FILES} files; no bundle does")
            files: dict[str, bytes] = {}
            room = LARGEST_BUNDLE
            for entry in entries:
                _refuse(path, entry, entry.filename in files)
                limit = min(LARGEST_FILE, room)
                with archive.open(entry) as opened:
                    content = opened.read(limit + 1)
                if len(content) > limit:
                    raise UserError(
                        f"{path}: {entry.filename} is larger than any file of a bundle may be"
                    )
                room -= len(content)
                files[entry.filename] = content
            return files
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError) as error:
        raise UserError(f"{path} is no whole zip archive: {error}") from error
    except OSError as error:  # offsets that lie outside of the file
        raise UserError(f"{path} is no whole zip archive: {error}") from error


def _refuse(path: Path, entry: zipfile.ZipInfo, again: bool) -> None:
    name = entry.filename
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if not known_name(name):
        raise UserError(f"{path} holds {name!r}, which belongs to no bundle; do not trust it")
    if again:
        raise UserError(f"{path} holds {name!r} twice; do not trust it")
    if kind not in (0, stat.S_IFREG):
        raise UserError(f"{path}: {name} is no plain file but a link or the like; do not trust it")
    if entry.flag_bits & 0x1:
        raise UserError(f"{path}: {name} is encrypted; no bundle is")
    if entry.compress_type not in PACKINGS:
        raise UserError(f"{path}: {name} is packed in a way that no bundle is; do not trust it")
