"""`tbbench perf run`: copies the trees, measures them and stores a file for each."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.errors import UserError
from benchmark.perf.compare import undecided
from benchmark.perf.rounds import measure
from benchmark.perf.stored import Stored, pytest_benchmark, read, save
from benchmark.perf.suite import CASES
from benchmark.perf.trees import (
    copy_checkout,
    copy_commit,
    copy_running,
    git,
    lend_instruments,
    own_cases,
    running_tree,
)


@dataclass(frozen=True)
class Request:
    """What is to be measured, and where it goes."""

    names: Sequence[str]
    out: Path
    against: str | None
    """A commit, or the folder of a clone. None: the running code alone."""
    patterns: Sequence[str] = ()
    """What `names` were chosen by; empty where they are the whole suite."""
    round: str = field(default_factory=lambda: uuid.uuid4().hex)
    """What the files of this measurement have in common, and no others."""

    @property
    def base_out(self) -> Path:
        """Where the base's measurement goes: perf.json -> perf-base.json."""
        return self.out.with_name(f"{self.out.stem}-base{self.out.suffix}")


def run(request: Request, log: Callable[[str], None]) -> list[Stored]:
    """The stored files, the new one last. UserError when the base cannot be had."""
    pytest_benchmark("stats")
    if request.out.is_dir():
        raise UserError(f"--out {request.out} is a folder; give the name of a file")
    with tempfile.TemporaryDirectory(prefix="tbbench-perf-") as scratch:
        # Equally long: "base" and "code".
        base, new = Path(scratch) / "base", Path(scratch) / "code"
        copy_running(new)
        commits = [commit_info(running_tree())]
        suites: list[Sequence[str] | None] = [list(CASES)]
        trees = [new]
        if request.against is not None:
            commits.insert(0, _take(request.against, base))
            suites.insert(0, own_cases(base))
            lend_instruments(new, base)
            trees.insert(0, base)
        measured = measure(
            trees, request.names, log, undecided if len(trees) == 2 else lambda _: ()
        )
    paths = [request.base_out, request.out][-len(trees) :]
    for side, (path, commit, suite) in enumerate(zip(paths, commits, suites, strict=True)):
        save(path, measured, side, commit, request.round, suite, request.patterns)
    return [read(path) for path in paths]


def written(request: Request) -> list[Path]:
    """The files of this measurement that are there by now, the base's first."""
    return [path for path in (request.base_out, request.out) if _is_of(path, request.round)]


def _is_of(path: Path, round_: str) -> bool:
    try:
        return read(path).round == round_
    except UserError:
        return False


def _take(against: str, target: Path) -> dict[str, Any]:
    """Copies the base to `target` and says what it is."""
    folder = Path(against)
    if folder.is_dir():
        copy_checkout(folder, target)
        return commit_info(folder)
    full = copy_commit(against, running_tree(), target)
    return commit_info(running_tree(), full)


def commit_info(clone: Path, commit: str | None = None) -> dict[str, Any]:
    """pytest-benchmark's fields for a commit of the clone, or for the clone as it lies there."""
    dirty = False
    try:
        if commit is None and (clone / ".git").exists():
            dirty = bool(git(clone, "status", "--porcelain", "--untracked-files=no").stdout.strip())
        show = git(clone, "show", "-s", "--format=%H%n%cI%n%aI", commit or "HEAD")
        lines = show.stdout.decode().split("\n") if (clone / ".git").exists() else []
    except UserError:  # no git: the code can be measured all the same
        lines = []
    known = len(lines) >= 3
    return {
        "id": lines[0] if known else "unknown",
        "time": lines[1] if known else None,
        "author_time": lines[2] if known else None,
        "dirty": dirty,
        "project": "textboost-bench",
        "branch": "(unknown)",
    }
