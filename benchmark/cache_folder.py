"""A folder of the cache that several processes fill and read, and several users may share."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from benchmark.atomic import write_json
from benchmark.errors import UserError
from benchmark.paths import cache_root

CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def cache_folder(kind: str, name: str) -> Iterator[Path]:
    """`cache_root()/kind/name` for this process alone.

    Where this user may not write, as in another's cache, what is whole there is read without a
    lock; UserError when something of it has to be made.
    """
    folder = cache_root() / kind / name
    lock = FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        if error.errno not in CLOSED:
            raise
    try:
        yield folder
    except OSError as error:
        inside = error.filename and Path(str(error.filename)).parent == folder
        if error.errno not in CLOSED or not inside:
            raise
        raise UserError(
            f"{folder} lacks something and cannot be written ({error.strerror}); set TBBENCH_CACHE "
            "to a folder of your own, or make that one writable"
        ) from error
    finally:
        lock.release()


def remember(path: Path, content: Any) -> None:
    """Keeps in the cache, as JSON, what can be worked out anew; not where that is impossible."""
    with suppress(OSError):
        write_json(path, content)
