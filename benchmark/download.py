"""Getting public files: one over http, resumable, or one folder of a git repository."""

from __future__ import annotations

import http.client
import os
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

Progress = Callable[[int, int | None], None]
"""Called with bytes so far and bytes in all, None while the server does not say."""

LARGEST = 2 * 2**30
"""Bytes that a download may have unless its caller says otherwise."""

_BLOCK = 1 << 18
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follows a redirection to https alone."""

    def redirect_request(  # type: ignore[no-untyped-def]
        self, request, answer, code, reason, headers, url
    ) -> urllib.request.Request | None:
        check_address(url)
        return super().redirect_request(request, answer, code, reason, headers, url)


def check_address(url: str) -> None:
    """OSError for an address that is not https, but for one of this very machine."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _THIS_MACHINE):
        raise OSError(f"{url} is no https address; nothing is downloaded from others")


def download(
    url: str,
    target: Path,
    progress: Progress | None = None,
    timeout: float = 30.0,
    largest: int = LARGEST,
) -> None:
    """Download `url`, an https address, to `target`; at most `largest` bytes of it.

    The bytes gather in `target` + `.part`. When such a file is left from an earlier attempt, only
    what is missing is asked for (HTTP Range); a server that ignores the request sends the whole
    file and the part is written anew. The caller checks the content.

    `timeout` is in seconds and holds for each wait for the server. Raises OSError, with a message
    fit for a user, when the server cannot be reached, refuses, stops half way or sends too much,
    and for an address, or one that it leads to, that is not https.
    """
    check_address(url)
    part = target.with_name(target.name + ".part")
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "textboost-bench"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        opener = urllib.request.build_opener(_OnlyHttps)
        with opener.open(request, timeout=timeout) as response:
            if not _continues_at(response, have):
                have = 0
            total = _total(response, have)
            _check_size(url, total or 0, largest, part)
            with part.open("ab" if have else "wb") as out:
                while block := response.read(_BLOCK):
                    out.write(block)
                    have += len(block)
                    _check_size(url, have, largest, part)
                    if progress:
                        progress(have, total)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise OSError(f"the server answered {error.code} {error.reason}") from error
        # The part holds all there is: the earlier attempt stopped between the last byte and the
        # renaming below. Should it hold too much, the caller's check of the content fails.
        total = None
    except urllib.error.URLError as error:
        raise OSError(getattr(error.reason, "strerror", None) or str(error.reason)) from error
    except http.client.HTTPException as error:
        raise OSError(f"the connection broke off ({error!r})") from error
    if total is not None and have < total:
        raise OSError(f"the connection broke off after {have} of {total} bytes")
    part.replace(target)


def _check_size(url: str, size: int, largest: int, part: Path) -> None:
    """OSError when there is more than there may be; what came of it is deleted."""
    if size > largest:
        part.unlink(missing_ok=True)
        raise OSError(f"{url} has more than the {largest} bytes that may be downloaded from it")


def _continues_at(response: http.client.HTTPResponse, have: int) -> bool:
    """Whether the answer starts at byte `have` rather than at the beginning of the file."""
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return False
    if (response.getheader("Content-Range") or "").startswith(f"bytes {have}-"):
        return True
    raise OSError("the server continued the download at the wrong place")


def _total(response: http.client.HTTPResponse, have: int) -> int | None:
    length = response.getheader("Content-Length")
    return have + int(length) if length else None


def check_out(repository: str, commit: str, folder: str, target: Path) -> None:
    """Clone only `folder` of a git repository, as it was at `commit`, to `target`.

    Nothing is asked at the terminal, and a connection under 1 kB/s for a minute counts as broken.
    Raises OSError, with git's own last line, when git is not installed or fails, and for an address
    that is not https; a folder of this machine may be given.
    """
    if ":" in repository and not Path(repository).is_absolute():
        check_address(repository)
    slow = ["-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60"]
    sparse = ["--filter=blob:none", "--sparse", "--no-checkout"]
    for command in (
        ["git", *slow, "clone", "--quiet", *sparse, repository, str(target)],
        ["git", "-C", str(target), "sparse-checkout", "set", folder],
        ["git", *slow, "-C", str(target), "checkout", "--quiet", commit],
    ):
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            raise OSError(f"git: {lines[-1]}")
