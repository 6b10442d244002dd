"""Embeddings, and hashes of pictures, that were computed before.

One SQLite file in the cache folder. A row's key hashes the content itself (pixels, or a text), the
encoder, its weights, how pictures are prepared for it, the number format and the kind of device;
never a file's name. The hash of a file's pixels is kept by the hash of its bytes, so that a file
that was scored before need not be decoded. Several processes may read and write at once. Beyond its
limit, 2 GB or $TBBENCH_EMBEDDINGS_MB, what was not used for longest goes; 0 turns the cache off.

Nothing depends on the cache: a row that is damaged counts as missing, and a file that cannot be
opened or written costs time, not a result.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmark.errors import UserError
from benchmark.paths import cache_root

T = TypeVar("T")

LIMIT_VARIABLE = "TBBENCH_EMBEDDINGS_MB"
DEFAULT_LIMIT_MB = 2048
WAIT_SECONDS = 30.0
KEPT_SHARE = 0.9
"""Of the limit, once the cache has outgrown it: so that not every write has to make room."""
USED_STEP_SECONDS = 3600
"""How exactly the last use of a row is known; finer would turn every read into a write."""

_CHECK_BYTES = 8
_AT_ONCE = 500
_TABLE = """
create table if not exists embeddings (
    key blob primary key, vector blob not null, used integer not null
)
"""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Info:
    """What a cache holds."""

    file: Path
    embeddings: int
    bytes: int
    limit: int
    """Bytes; 0 when the cache is turned off."""


@dataclass(frozen=True)
class EmbeddingCache:
    """A cache in `file` that keeps below `limit` bytes; 0 keeps nothing."""

    file: Path
    limit: int

    @staticmethod
    def key(about: Sequence[str], content: bytes) -> bytes:
        """32 bytes over what is embedded and everything that decides its embedding."""
        head = json.dumps([*about]).encode()
        return hashlib.sha256(b"%d " % len(head) + head + content).digest()

    def read(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """What is there of it, by key."""
        found: dict[bytes, bytes] = {}
        if not self.limit or not self.file.is_file():
            return found
        now = int(time.time())

        def work(database: sqlite3.Connection) -> None:
            stale = []
            for chosen in _pieces(keys):
                marks = ",".join("?" * len(chosen))
                select = f"select key, vector, used from embeddings where key in ({marks})"
                for key, stored, used in database.execute(select, chosen):
                    content, check = stored[:-_CHECK_BYTES], stored[-_CHECK_BYTES:]
                    if _check(key, content) != check:
                        continue
                    found[key] = content
                    if used < now - USED_STEP_SECONDS:
                        stale.append((now, key))
            database.executemany("update embeddings set used = ? where key = ?", stale)

        self._transact(work)
        return found

    def write(self, contents: Mapping[bytes, bytes]) -> None:
        """Keeps the contents, and drops others where the limit asks for it."""
        if not self.limit or not contents:
            return
        now = int(time.time())
        records = [(key, kept + _check(key, kept), now) for key, kept in contents.items()]

        def work(database: sqlite3.Connection) -> None:
            database.executemany("insert or replace into embeddings values (?, ?, ?)", records)
            if _size(database) > self.limit:
                _shrink(database, int(self.limit * KEPT_SHARE))

        self._transact(work)

    def info(self) -> Info:
        """What the cache holds now."""
        counted = self._transact(_count) if self.file.is_file() else None
        embeddings, size = counted or (0, 0)
        return Info(self.file, embeddings, size, self.limit)

    def prune(self, limit: int) -> Info:
        """Drops what was not used for longest until at most `limit` bytes are left."""
        if self.file.is_file():
            self._transact(lambda database: _shrink(database, limit))
            self._transact(_vacuum)
        return self.info()

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """`work` as one transaction; None when the file cannot be used, which is logged.

        A file that is no database any more is deleted.
        """
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.file, timeout=WAIT_SECONDS)) as database:
                # What a power cut destroys here is computed again.
                database.execute("pragma synchronous = off")
                database.execute("pragma page_size = 16384")
                database.execute(_TABLE)
                with database:
                    return work(database)
        except (sqlite3.OperationalError, OSError) as error:
            log.warning("embedding cache %s not used: %s", self.file, error)
        except sqlite3.DatabaseError as error:
            log.warning("embedding cache %s is damaged and begun anew: %s", self.file, error)
            self.file.unlink(missing_ok=True)
        return None


def open_cache() -> EmbeddingCache:
    """This user's cache. UserError for a limit that is no number."""
    given = os.environ.get(LIMIT_VARIABLE, str(DEFAULT_LIMIT_MB))
    try:
        limit = int(float(given) * 1_000_000)
    except (ValueError, OverflowError):
        limit = -1
    if limit < 0:
        raise UserError(f"{LIMIT_VARIABLE} is {given!r}; expected megabytes, or 0 for no cache")
    return EmbeddingCache(cache_root() / "embeddings.sqlite", limit)


def _check(key: bytes, content: bytes) -> bytes:
    return hashlib.blake2b(key + content, digest_size=_CHECK_BYTES).digest()


def _count(database: sqlite3.Connection) -> tuple[int, int]:
    """Rows and bytes."""
    ((rows,),) = database.execute("select count(*) from embeddings").fetchall()
    return int(rows), _size(database)


def _vacuum(database: sqlite3.Connection) -> None:
    database.execute("vacuum")


def _size(database: sqlite3.Connection) -> int:
    """Bytes in use, free pages of the file aside."""
    values = [
        database.execute(f"pragma {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    ]
    return int((values[0] - values[1]) * values[2])


def _shrink(database: sqlite3.Connection, limit: int) -> None:
    """Deletes the rows not used for longest until the rest fits into `limit` bytes."""
    count, size = _count(database)
    while count and size > limit:
        surplus = max(1, count - int(count * limit / size))
        database.execute(
            "delete from embeddings where key in "
            "(select key from embeddings order by used, key limit ?)",
            (surplus,),
        )
        count, size = _count(database)


def _pieces(keys: Sequence[bytes]) -> Iterator[list[bytes]]:
    distinct = list(dict.fromkeys(keys))
    for start in range(0, len(distinct), _AT_ONCE):
        yield distinct[start : start + _AT_ONCE]
