"""The run directory: what lies where, and how to read it while a run goes on.

config.toml  environment.json  run.json  plan.json
cells/KEY/   cell.json checkpoint/ checkpoint.json losses.json images/PROMPT-SEED.png
             generate.json probes/ scores.parquet cost.json log.txt .owner/
photos/SUBJECT/seen-NAME.png unseen-NAME.png
predictions.json                                   see `benchmark.estimate.planned`
results.parquet costs.parquet cells.parquet        rebuilt from all of it by `collect`
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import owner
from benchmark.atomic import checksum, checksums, digest, read_record
from benchmark.config import RunConfig, parse_config
from benchmark.environment_record import recorded_environment
from benchmark.errors import UserError
from benchmark.failures import one_line, redacted, writable
from benchmark.plan import Cell
from benchmark.plan_file import read_cells
from benchmark.records import read_intact, read_versioned, seal_holds, write_sealed

if TYPE_CHECKING:
    import pandas as pd

STATUSES = ("done", "failed", "pending")
OUTCOME = ("scores.parquet", "cost.json")
TABLES = ("results", "costs", "cells")
ARTIFACTS = ("checkpoint.json", "losses.json", "generate.json", *OUTCOME)
ARTIFACT_FOLDERS = ("checkpoint", "images", "probes")
"""What lasts of a cell, beside cell.json, which holds the checksums of it, and the log."""
QUARANTINE = "quarantine"
"""Folder of a run for what a repair set aside."""
CELL_VERSION = 2
"""Of cell.json. 2: `artifacts`."""
RUN_VERSION = 1


@dataclass(frozen=True)
class CellFolder:
    """`cells/KEY` of one run: the only writer of `cell.json`."""

    path: Path

    @property
    def images(self) -> Path:
        """The folder of the generated pictures."""
        return self.path / "images"

    @property
    def checkpoint(self) -> Path:
        """The folder that the method's `save` writes into."""
        return self.path / "checkpoint"

    @property
    def log(self) -> Path:
        """What the worker printed, in all attempts."""
        return self.path / "log.txt"

    def image(self, prompt_id: str, seed: int) -> Path:
        """The picture of one prompt and seed, as PNG, whether or not it is there yet."""
        return self.images / f"{prompt_id}-{seed}.png"

    def losses(self) -> dict[str, list[float]]:
        """`losses` and `step_seconds`, a number per training step; both empty without training."""
        content = read_intact(self.path / "losses.json")
        kept = {name: content.get(name) for name in ("losses", "step_seconds")}
        return {name: value if isinstance(value, list) else [] for name, value in kept.items()}

    def write_losses(self, losses: Sequence[float], step_seconds: Sequence[float]) -> None:
        """losses.json, as `losses` reads it."""
        content = {"losses": list(losses), "step_seconds": list(step_seconds)}
        write_sealed(self.path / "losses.json", content)

    def lock(self, wait: bool = True) -> AbstractContextManager[owner.Ownership]:
        """Held by whoever works on the cell: see `benchmark.owner`, also for `wait`."""
        return owner.hold(self.path, wait)

    def busy(self) -> bool:
        """Whether a process that lives works on the cell right now."""
        return owner.live_owner(self.path)

    def state(self) -> dict[str, Any]:
        """status, kind_of_failure, message, attempts, stage, log_tail, flags and environments.

        `pending`: never started, not finished, another cell's folder under this one's name, or what
        came of it is not as it was written.
        stage and log_tail are those of a failure. flags: what is strange about a cell that is done.
        UserError for a cell.json of a newer version.
        """
        content = read_versioned(self.path / "cell.json", CELL_VERSION)
        if content.get("key", self.path.name) != self.path.name:
            content = {}
        status = content.get("status", "pending")
        altered = content.get("told", told_digest(content)) != told_digest(content)
        if status == "done" and (altered or content.get("outcome") != self._outcome()):
            status = "pending"
        attempts = content.get("attempts")
        return {
            "status": status if status in STATUSES else "pending",
            "kind_of_failure": content.get("kind_of_failure"),
            "message": content.get("message"),
            "attempts": attempts if isinstance(attempts, int) else 0,
            "stage": content.get("stage"),
            "log_tail": content.get("log_tail"),
            "flags": content.get("flags") or {},
            "environments": content.get("environments") or [],
        }

    def done(self) -> bool:
        """Whether the cell is done and what came of it is as it was written."""
        return bool(self.state()["status"] == "done")

    def begin(self, cell: Cell) -> None:
        """Counts one more attempt. The owner clears away what a killed one left half written."""
        if owner.holds(self.path):
            self.clear()
        self._write(cell.to_json(), "pending", self.state()["attempts"] + 1)

    def finish(
        self,
        cell: Cell,
        flags: Mapping[str, Any] | None = None,
        environments: Collection[str] = (),
    ) -> None:
        """Marks the cell as done. Everything else must be on disk by now.

        flags: what is strange about it, name -> `count` and `names`; no score depends on them.
        environments: `identity` of what it was worked on under, one or several.
        ValueError when the checkpoint is not the one that checkpoint.json was written for.
        """
        artifacts = self.artifacts()
        files = read_record(self.path / "checkpoint.json").get("files", {})
        place = f"{self.checkpoint.name}/"
        found = {k.removeprefix(place): v for k, v in artifacts.items() if k.startswith(place)}
        if files != found:
            raise ValueError("the checkpoint changed while the cell was worked on; try again")
        told = {
            "outcome": {name: artifacts.pop(name) for name in OUTCOME if name in artifacts},
            "artifacts": artifacts,
            "flags": dict(flags or {}),
            "environments": sorted(environments),
        }
        told["told"] = told_digest(told)
        self._write(cell.to_json(), "done", self.state()["attempts"], told)

    def fail(
        self,
        cell: Cell,
        kind: str,
        message: str,
        stage: str | None = None,
        log_tail: str = "",
    ) -> None:
        """Records why the cell failed: see `benchmark.failures` for the kinds.

        The message becomes one line; neither it nor the end of the log may hold a secret. A process
        that does not own the cell records nothing where a live one does, or where the cell has been
        done meanwhile.
        """
        why = {
            "kind_of_failure": kind,
            "message": one_line(message) or kind,
            "stage": stage,
            "log_tail": redacted(writable(log_tail)),
        }
        if owner.holds(self.path):
            self._write(cell.to_json(), "failed", max(1, self.state()["attempts"]), why)
            return
        with suppress(owner.FolderTakenError), self.lock(wait=False):
            if not self.done():
                self._write(cell.to_json(), "failed", max(1, self.state()["attempts"]), why)

    def reopen(self) -> None:
        """Has the next run do what is missing of a cell that was done; its attempts stay counted.

        The caller owns the cell.
        """
        record = read_versioned(self.path / "cell.json", CELL_VERSION)
        if record:
            self._write(record["cell"], "pending", record["attempts"])

    def clear(self) -> None:
        """Removes what a killed process left half written. The caller owns the cell."""
        for private in [*self.path.rglob(".*.????????")]:
            if owner.PLACE in private.parts:
                continue
            if private.is_dir() and not private.is_symlink():
                shutil.rmtree(private, ignore_errors=True)
            else:
                private.unlink(missing_ok=True)

    def artifacts(self) -> dict[str, str]:
        """Relative path -> SHA-256 of everything that lasts of the cell, as it lies there."""
        found = {n: checksum(self.path / n) for n in ARTIFACTS if (self.path / n).is_file()}
        for folder in ARTIFACT_FOLDERS:
            sums = checksums(self.path / folder, _lasts)
            found |= {f"{folder}/{name}": value for name, value in sums.items()}
        return found

    def recorded(self) -> dict[str, str]:
        """`artifacts` as they were when the cell was done; none of one that is not."""
        found = read_record(self.path / "cell.json").get("artifacts")
        return dict(found) if isinstance(found, dict) else {}

    def _write(
        self,
        identity: dict[str, Any],
        status: str,
        attempts: int,
        told: Mapping[str, Any] | None = None,
    ) -> None:
        """cell.json; `told` replaces what is empty without it."""
        owner.confirm(self.path)
        content = {
            "version": CELL_VERSION,
            "key": self.path.name,
            "status": status,
            "kind_of_failure": None,
            "message": None,
            "attempts": attempts,
            "stage": None,
            "log_tail": None,
            "outcome": None,
            "artifacts": None,
            "flags": {},
            "environments": [],
            **(told or {}),
            "cell": identity,
        }
        write_sealed(self.path / "cell.json", content)

    def _outcome(self) -> dict[str, str]:
        """Checksums of what the tables are made from."""
        # Read twice for each of ten thousand cells: a `Path` more per file would show.
        found = {}
        for name in OUTCOME:
            with suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):
                found[name] = checksum(f"{self.path}/{name}")
        return found


def told_digest(content: Mapping[str, Any]) -> str:
    """A checksum of what reports say of a cell beside its scores and costs."""
    return digest([content.get("flags") or {}, content.get("environments") or []], 16)


def _lasts(name: str) -> bool:
    """Whether a file is no private one, which a killed process may have left half written."""
    return not any(part.startswith(".") for part in name.split("/"))


def cell_folder(run: Path, key: str) -> CellFolder:
    """The folder of the cell with this key."""
    return CellFolder(run.joinpath("cells", key))


@dataclass(frozen=True)
class Run:
    """A run directory, for reading. Cells that are no longer planned are left out."""

    path: Path
    config: RunConfig
    environment: dict[str, Any]
    about: dict[str, Any]
    """run.json: title, backbone_note, versions, and warnings that the report shows."""
    planned: tuple[Cell, ...]

    @staticmethod
    def open(path: Path | str, planned: Sequence[Cell] | None = None) -> Run:
        """The run in the folder `path`. UserError when it holds none, one of a newer version, or
        one whose config.toml or run.json was changed since its cells were planned.

        planned: the cells of its plan.json, for a caller that knows them.
        """
        folder = Path(path)
        try:
            content = (folder / "config.toml").read_bytes()
            text = content.decode("utf-8")
        except OSError as error:
            raise UserError(
                f"{folder} holds no run (config.toml: {error.strerror}); "
                "give the folder that `tbbench run` printed, such as runs/quickstart"
            ) from error
        except UnicodeDecodeError as error:
            raise UserError(f"{folder}/config.toml is not UTF-8; save it as UTF-8") from error
        cells = read_cells(folder) if planned is None else tuple(planned)
        about = read_versioned(folder / "run.json", RUN_VERSION)
        if not about or seal_holds(folder / "run.json") is False:
            raise UserError(
                f"{folder}/run.json is missing or not as it was written, and a report would lack "
                "what it says; the command that made the run writes it anew"
            )
        if about.get("config", found := hashlib.sha256(content).hexdigest()) != found:
            raise UserError(
                f"{folder}/config.toml was changed since the run was planned; put it back, or "
                f"`tbbench run {folder}/config.toml --out {folder}` plans it anew"
            )
        return Run(
            path=folder,
            config=parse_config(text, str(folder / "config.toml")),
            environment=recorded_environment(folder),
            about=about,
            planned=cells,
        )

    def folder(self, cell_key: str) -> CellFolder:
        """The cell's folder in this run, whether or not it is there yet."""
        return cell_folder(self.path, cell_key)

    def cells(self) -> pd.DataFrame:
        """One row per planned cell, as of the last `collect`."""
        return self._table("cells")

    def results(self) -> pd.DataFrame:
        """One row per image x metric x encoder (x reference)."""
        return self._table("results")

    def costs(self) -> pd.DataFrame:
        """One row per cell x stage x measure."""
        return self._table("costs")

    def image(self, cell_key: str, prompt_id: str, seed: int) -> Path:
        """Where the picture of this prompt and seed lies."""
        return self.folder(cell_key).image(prompt_id, seed)

    def picture_sums(self, cell_key: str) -> dict[str, str]:
        """Name -> SHA-256 of the cell's pictures as they were scored; none without a record."""
        recorded = self.folder(cell_key).recorded().items()
        return {k.removeprefix("images/"): v for k, v in recorded if k.startswith("images/")}

    def photos(self, subject: str) -> dict[str, list[Path]]:
        """Thumbnails of the subject's photos, "seen" (trained on) and "unseen" (held out)."""
        folder = self.path / "photos" / subject
        return {kind: sorted(folder.glob(f"{kind}-*.png")) for kind in ("seen", "unseen")}

    def cell_info(self) -> list[dict[str, Any]]:
        """Per planned cell: its identity (method, settings, subject, ...), key and state."""
        return [
            {"key": cell.key, **cell.to_json(), "protocol": cell.protocol}
            | self.folder(cell.key).state()
            for cell in self.planned
        ]

    def _table(self, name: str) -> pd.DataFrame:
        import pandas as pd

        return pd.read_parquet(self.path / f"{name}.parquet")
