import io

import pytest
from rich.console import Console
from rich.text import Text

from benchmark.executors import Job
from benchmark.fates import Fate, Fates
from benchmark.progress import RunProgress

DOG = Job("k1", "base · dog", "run", {}, 1, 1, 1)
CAT = Job("k2", "textboost [toy] · cat", "run", {}, 1, 1, 1)


class Told(Fates):
    """Knows what became of two cells without looking for them on disk."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def started(self, job: Job) -> None:
        self.heard.append((job.key, "start"))

    def progressed(self, job: Job, stage: str) -> None:
        self.heard.append((job.key, stage))

    def ended(self, job: Job, exit_code: int) -> Fate:
        if exit_code:
            return Fate("train: RuntimeError: no")
        return Fate(remark="2 pictures are of one single colour")


def watch(terminal: bool) -> tuple[RunProgress, io.StringIO, str]:
    """A run of four cells, one done before, that goes through one good and one bad cell."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=terminal, width=120)
    progress = RunProgress(console, 4, 1, Told())
    with progress:
        progress.started(DOG)
        progress.started(CAT)
        progress.progressed(DOG, "train", 3, 7)
        progress.progressed(CAT, "score", 0, 0)
        progress._bars.refresh()
        during = screen.getvalue()
        progress.ended(DOG, 0)
        progress.ended(CAT, 1)
        progress.waiting(1)
    return progress, screen, during


def test_off_a_terminal_each_cell_is_one_line() -> None:
    progress, screen, _ = watch(terminal=False)
    lines = screen.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("[2/4] base · dog: done in ")
    assert lines[0].endswith(" s; 2 pictures are of one single colour")
    assert lines[1] == "[3/4] textboost [toy] · cat: failed: train: RuntimeError: no"
    assert isinstance(progress._fates, Told)
    heard = [("k1", "start"), ("k2", "start"), ("k1", "train"), ("k2", "score")]
    assert progress._fates.heard == heard


@pytest.mark.parametrize(
    "shown", ["1/4", "base · dog · train", "3/7", "textboost [toy] · cat · sc"]
)
def test_on_a_terminal_it_shows_cells_stages_and_steps(shown: str) -> None:
    _, _, during = watch(terminal=True)
    assert shown in during


def test_on_a_terminal_only_what_went_wrong_stays() -> None:
    _, screen, _ = watch(terminal=True)
    assert "failed: train: RuntimeError: no" in screen.getvalue()
    assert "2 pictures are of one single colour" in screen.getvalue()
    assert "[2/4]" in screen.getvalue()


def test_a_long_name_takes_no_figure_from_a_narrow_terminal() -> None:
    screen = io.StringIO()
    progress = RunProgress(Console(file=screen, force_terminal=True, width=80), 1, 0, Told())
    job = Job("k", "dreambooth [paper-text-encoder] · spotted_dog · 0", "run", {}, 1, 1, 1)
    with progress:
        progress.started(job)
        progress.progressed(job, "train", 30, 700)
        progress._bars.refresh()
        during = screen.getvalue()
    line = Text.from_ansi(during).plain.splitlines()[-1]
    assert "dreambooth [paper-text-encoder] · sp" in line
    assert line.rstrip().endswith("30/700 0:00:00 -:--:--")
