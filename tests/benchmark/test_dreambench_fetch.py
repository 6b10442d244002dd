"""Fetching DreamBench from a small repository served by this machine: zip over http, and git."""

import csv
import hashlib
import io
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmark.cli import app
from benchmark.dreambench import Fetched, fetch
from benchmark.errors import UserError

PHOTOS = {("cup", "00.jpg"): b"c" * 40_000, ("cup", "01.jpg"): b"d" * 9, ("hen", "00.jpg"): b"hen"}


class Server(ThreadingHTTPServer):
    """Serves `content` under any path. `ranges`: whether it honours a Range request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = b""
        self.ranges = True
        self.break_after: int | None = None
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/archive.zip"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        total = len(self.server.content)
        if asked and self.server.ranges and start >= total:
            self.send_error(416)
            return
        if asked and self.server.ranges:
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            start = 0
            self.send_response(200)
        self.send_header("Content-Length", str(total - start))
        self.end_headers()
        self.wfile.write(self.server.content[start : self.server.break_after])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the machine's has no part in talking to itself."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def make_zip(photos: dict[tuple[str, str], bytes], *more: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("repo-1234/README.md", "unwanted")
        for (subject, photo), content in photos.items():
            archive.writestr(f"repo-1234/dataset/{subject}/{photo}", content)
        for name in more:
            archive.writestr(name, "unwanted")
    return buffer.getvalue()


@pytest.fixture
def facts(tmp_path: Path, server: Server) -> Path:
    """Checksums and addresses; by git nothing is to be had."""
    folder = tmp_path / "facts"
    folder.mkdir()
    write_source(folder, server.url, tmp_path / "no-repository", "main")
    with (folder / "checksums.csv").open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(["subject", "photo", "sha256", "bytes"])
        for (subject, photo), content in PHOTOS.items():
            table.writerow([subject, photo, hashlib.sha256(content).hexdigest(), len(content)])
    server.content = make_zip(PHOTOS)
    return folder


def write_source(facts: Path, archive: str, repository: Path, commit: str) -> None:
    (facts / "provenance.toml").write_text(
        f'[source]\narchive = "{archive}"\nrepository = "{repository.as_posix()}"\n'
        f'commit = "{commit}"\nfolder = "dataset"\n'
    )


def found(root: Path) -> dict[tuple[str, str], bytes]:
    """Everything a fetch left in `root`, its work folder aside."""
    files = (p for p in root.rglob("*") if p.is_file() and ".fetch" not in p.parts)
    return {(p.parent.name, p.name): p.read_bytes() for p in files}


def test_brings_the_recorded_photos_and_nothing_else(
    tmp_path: Path, facts: Path, server: Server
) -> None:
    root = tmp_path / "photos"
    server.content = make_zip(PHOTOS, "repo-1234/dataset/cup/99.jpg", "../../evil", "/evil")
    assert fetch(root=root, facts=facts) == Fetched(root, written=3, kept=0, source=server.url)
    assert found(root) == PHOTOS
    assert not list(tmp_path.rglob("evil"))
    assert not list(root.rglob("*.zip*"))


def test_reports_progress_in_bytes(tmp_path: Path, facts: Path, server: Server) -> None:
    calls: list[tuple[int, int | None]] = []
    fetch(lambda done, total: calls.append((done, total)), tmp_path / "photos", facts)
    assert calls[-1] == (len(server.content), len(server.content))


def test_asks_for_nothing_when_all_is_there(tmp_path: Path, facts: Path, server: Server) -> None:
    root = tmp_path / "photos"
    fetch(root=root, facts=facts)
    shutil.rmtree(root / ".fetch")
    server.asked.clear()
    assert fetch(root=root, facts=facts) == Fetched(root, written=0, kept=3, source="")
    assert server.asked == []
    assert not (root / ".fetch").exists()


def test_mends_a_damaged_photo(tmp_path: Path, facts: Path) -> None:
    root = tmp_path / "photos"
    fetch(root=root, facts=facts)
    (root / "cup" / "00.jpg").write_bytes(b"x" * 40_000)
    done = fetch(root=root, facts=facts)
    assert (done.written, done.kept) == (1, 2)
    assert found(root) == PHOTOS


def test_goes_on_where_a_broken_download_stopped(
    tmp_path: Path, facts: Path, server: Server
) -> None:
    root = tmp_path / "photos"
    server.break_after = 30_000
    with pytest.raises(UserError, match=r"broke off after 30000 of \d+ bytes"):
        fetch(root=root, facts=facts)
    assert found(root) == {}
    server.break_after = None
    fetch(root=root, facts=facts)
    assert server.asked == [None, "bytes=30000-"]
    assert found(root) == PHOTOS


def test_starts_anew_when_the_server_ignores_ranges(
    tmp_path: Path, facts: Path, server: Server
) -> None:
    root = tmp_path / "photos"
    (root / ".fetch").mkdir(parents=True)
    (root / ".fetch" / "archive.zip.part").write_bytes(b"left from before")
    server.ranges = False
    fetch(root=root, facts=facts)
    assert server.asked == ["bytes=16-"]
    assert found(root) == PHOTOS


def test_uses_a_download_that_was_already_complete(
    tmp_path: Path, facts: Path, server: Server
) -> None:
    root = tmp_path / "photos"
    (root / ".fetch").mkdir(parents=True)
    (root / ".fetch" / "archive.zip.part").write_bytes(server.content)
    fetch(root=root, facts=facts)
    assert found(root) == PHOTOS


def test_an_altered_photo_is_refused_by_name(tmp_path: Path, facts: Path, server: Server) -> None:
    root = tmp_path / "photos"
    server.content = make_zip({**PHOTOS, ("hen", "00.jpg"): b"HEN"})
    with pytest.raises(UserError, match=r"hen/00\.jpg has SHA-256 \w{12}, expected \w{12}"):
        fetch(root=root, facts=facts)
    assert ("hen", "00.jpg") not in found(root)


def test_a_photo_of_another_size_is_refused_unread(
    tmp_path: Path, facts: Path, server: Server
) -> None:
    server.content = make_zip({**PHOTOS, ("cup", "01.jpg"): b"d" * 10})
    with pytest.raises(UserError, match=r"cup/01\.jpg has 10 bytes, expected 9"):
        fetch(root=tmp_path / "photos", facts=facts)


@pytest.mark.parametrize("content", [b"<html>not a zip</html>", make_zip({})])
def test_another_file_than_the_archive_is_refused_and_not_kept(
    tmp_path: Path, facts: Path, server: Server, content: bytes
) -> None:
    root = tmp_path / "photos"
    good, server.content = server.content, content
    with pytest.raises(UserError, match="not the expected one"):
        fetch(root=root, facts=facts)
    server.content = good
    fetch(root=root, facts=facts)
    assert found(root) == PHOTOS


def test_offline_is_one_line_with_a_way_out(tmp_path: Path, facts: Path, server: Server) -> None:
    write_source(facts, "http://127.0.0.1:9/archive.zip", tmp_path / "no-repository", "main")
    with pytest.raises(UserError) as caught:
        fetch(root=tmp_path / "photos", facts=facts)
    message = str(caught.value)
    assert "http://127.0.0.1:9/archive.zip: " in message
    assert "DREAMBENCH_ROOT" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("fetched", "line"),
    [
        (Fetched(Path("p"), 0, 158, ""), "158 photos in p were there already; nothing was fetched"),
        (Fetched(Path("p"), 158, 0, "https://a"), "158 photos fetched from https://a into p"),
        (
            Fetched(Path("p"), 2, 156, "https://a"),
            "2 photos fetched from https://a into p; 156 were there already",
        ),
    ],
)
def test_the_command_says_what_it_did(
    monkeypatch: pytest.MonkeyPatch, fetched: Fetched, line: str
) -> None:
    monkeypatch.setattr("benchmark.dreambench.fetch", lambda progress: fetched)
    assert CliRunner().invoke(app, ["data", "fetch", "dreambench"]).stdout.strip() == line


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_falls_back_on_git_at_the_recorded_commit(tmp_path: Path, facts: Path) -> None:
    repository = tmp_path / "repository"

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        command = ["git", "-C", str(repository), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    for (subject, photo), content in PHOTOS.items():
        (repository / "dataset" / subject).mkdir(parents=True, exist_ok=True)
        (repository / "dataset" / subject / photo).write_bytes(content)
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "photos")
    commit = git("rev-parse", "HEAD")
    (repository / "dataset" / "hen" / "00.jpg").write_bytes(b"newer")
    git("commit", "--quiet", "-a", "-m", "another photo")
    write_source(facts, "http://127.0.0.1:9/archive.zip", repository, commit)
    root = tmp_path / "photos"
    assert fetch(root=root, facts=facts).source == repository.as_posix()
    assert found(root) == PHOTOS
