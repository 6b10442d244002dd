"""What becomes of the cells of one call: counted, and written down where a worker could not."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmark.executors import Job
from benchmark.failures import START, death, is_full, log_tail, reason, redact_log
from benchmark.owner import FolderTakenError
from benchmark.plan import Cell
from benchmark.store import CellFolder, cell_folder


@dataclass(frozen=True)
class Fate:
    """How a cell ended. `failure`: why it failed, None where it is done."""

    failure: str | None = None
    remark: str = ""
    """What is strange about a cell that is done, such as pictures of one colour."""


@dataclass
class Begun:
    """A cell as it was when its worker began."""

    attempts: int
    log_bytes: int
    stage: str = START
    """The last one that the worker told of."""


class Fates:
    """Follows every job from its start to its end, in the process that called the executor."""

    def __init__(self, max_failures: int | None = None) -> None:
        self.failures: list[tuple[Job, str]] = []
        self.begun = 0
        """How many jobs have started."""
        self._most = max_failures
        self._begun: dict[str, Begun] = {}

    def started(self, job: Job) -> None:
        """Notes the attempts so far and where in its log, in bytes, the cell begins."""
        folder = _folder(job)
        size = folder.log.stat().st_size if folder.log.is_file() else 0
        self.begun += 1
        self._begun[job.key] = Begun(folder.state()["attempts"], size)

    def progressed(self, job: Job, stage: str) -> None:
        """Notes the stage that the cell has reached."""
        self._begun[job.key].stage = stage

    def ended(self, job: Job, exit_code: int) -> Fate:
        """The cell's fate; a failure that the worker did not write down is written down now."""
        folder = _folder(job)
        if not folder.busy():  # else another run writes to it by now
            redact_log(folder.log)
        begun = self._begun.pop(job.key)
        state = folder.state()
        # A worker that died before it began has left the failure of an earlier attempt there; one
        # that came to its end found that another run had just failed.
        same = state["status"] == "failed" and state["attempts"] == begun.attempts
        unsaid = same and exit_code != 0
        if state["status"] == "pending" or unsaid:
            kind, message = death(exit_code, job.timeout)
            cell = Cell.from_json(job.cell)
            state = {"stage": begun.stage, "kind_of_failure": kind, "message": message}
            try:
                # Where another process works on the cell by now, what becomes of it is its to say.
                with suppress(FolderTakenError), folder.lock(wait=False):
                    if unsaid:
                        folder.begin(cell)
                    tail = log_tail(folder.log, begun.log_bytes)
                    folder.fail(cell, kind, message, begun.stage, tail)
                state = folder.state() | state
            except OSError as error:
                if not is_full(error):
                    raise
                said = f"{message}; the disk is full, so this is not recorded"
                state |= {"kind_of_failure": "DiskFull", "message": said}
        if state.get("status") == "done":
            return Fate(remark=remark(state["flags"]))
        failure = reason(state)
        self.failures.append((job, failure))
        return Fate(failure)

    def keep_going(self) -> bool:
        """Whether more cells may start: not after `max_failures` failures."""
        return self._most is None or len(self.failures) < self._most


def remark(flags: dict[str, dict[str, object]]) -> str:
    """A cell's flags in a few words; empty without any."""
    found = flags.get("one_colour")
    if not found:
        return ""
    pictures = "1 picture is" if found["count"] == 1 else f"{found['count']} pictures are"
    return f"{pictures} of one single colour"


def _folder(job: Job) -> CellFolder:
    return cell_folder(Path(job.run), job.key)
