"""What one report is about: a run, or several that are merged by method.

A study is read once and does not change while the report is made, also when a run goes on: its
tables are built in memory from the cells that are done, and nothing in a run's folder is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.atomic import digest
from benchmark.collect import States, environment_of, frames, states, stored_frames
from benchmark.config import RunConfig
from benchmark.environment_record import LOST
from benchmark.environment_words import machines, software, unlike_machines, unlike_software
from benchmark.errors import UserError
from benchmark.plan import Cell
from benchmark.store import Run
from reports.comparable import check_comparable
from reports.cost_figures import SEVERAL, stood_still

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Part:
    """One run of a study, as it was when it was read."""

    name: str
    """How the study calls the run: its folder's name, no two alike."""
    run: Run
    tables: dict[str, pd.DataFrame]
    """`results`, `costs` and `cells`, without cells that an earlier part has."""
    states: States
    """Of the same cells, by key."""

    @property
    def mixed(self) -> bool:
        """Whether unlike machines took part, so that its cells' costs do not compare."""
        return len(self.tables["costs"]) > 0 and len(self.machines) > 1

    @cached_property
    def environment(self) -> dict[str, Any]:
        """environment.json as far as its cells that are done were worked on under it."""
        return environment_of(self.run, self.states)

    @cached_property
    def machines(self) -> tuple[str, ...]:
        """The unlike machines that its cells were done on, in words: what costs depend on."""
        return tuple(machines(self.environment))


@dataclass(frozen=True)
class Study:
    """Everything that a report shows. Offers what `Run` does, for one run or several."""

    parts: tuple[Part, ...]
    apart: frozenset[tuple[str, str]]
    """(method, preset) that runs have in common by name alone: labels say which run."""
    repeated: int
    """Cells that several runs have, counted once."""
    unlike: int
    """How many of them have other scores in one run than in another."""

    @property
    def title(self) -> str:
        """The runs' titles, each once, joined by " + "."""
        titles = [str(part.run.about.get("title") or part.run.config.title) for part in self.parts]
        return " + ".join(dict.fromkeys(titles))

    @property
    def note(self) -> str:
        """What the backbone is, in a sentence; empty when nothing is to be said."""
        notes = [str(part.run.about.get("backbone_note") or "") for part in self.parts]
        return " ".join(dict.fromkeys(note for note in notes if note))

    @property
    def warnings(self) -> list[str]:
        """What readers must know of the runs and of how they were merged."""
        several = len(self.parts) > 1
        found = [
            f"{part.name}: {warning}" if several else str(warning)
            for part in self.parts
            for warning in part.run.about.get("warnings") or []
        ]
        if self.repeated:
            cells = "1 cell is" if self.repeated == 1 else f"{self.repeated} cells are"
            found.append(f"{cells} in several of these runs and counted once.")
        if self.unlike:
            cells = "1 of them has" if self.unlike == 1 else f"{self.unlike} of them have"
            found.append(
                f"{cells} other scores in one run than in another: those of the run that is named "
                "first are shown, and the runs do not agree."
            )
        whose = "these runs" if several else self.parts[0].name
        found += unlike_software(whose, [part.environment for part in self.parts])
        if len(self.machines) > 1:
            told = "; ".join(f"{', '.join(names)}: {on}" for on, names in self._told())
            found.append(
                f"These runs were measured on different machines ({told}): their seconds and their "
                "memory must not be compared."
            )
        for part in self.parts:
            if part.environment.get(LOST) or part.mixed:
                found += unlike_machines(part.name, part.environment)
        found += stood_still(self.costs())
        for method, preset in sorted(self.apart):
            found.append(
                f"{method} ({preset}) differs between these runs in its settings, its code or the "
                "machine it was measured on, or is there twice: it is shown once per run."
            )
        return found

    @property
    def about(self) -> dict[str, Any]:
        """run.json's content for the whole study."""
        versions = [(part.name, part.run.about.get("versions") or {}) for part in self.parts]
        return {
            "title": self.title,
            "backbone_note": self.note,
            "warnings": self.warnings,
            "versions": dict(versions) if len(versions) > 1 else versions[0][1],
        }

    @property
    def path(self) -> Path:
        """The first run's folder."""
        return self.parts[0].run.path

    @property
    def report_folder(self) -> Path:
        """Where the report goes by default: `report/` in the run, beside the first of several."""
        if len(self.parts) == 1:
            return self.path / "report"
        names = "-".join(re.sub(r"[^A-Za-z0-9._-]+", "-", part.name) for part in self.parts)
        return self.path.parent / f"report-{names[:80]}"

    @property
    def config(self) -> RunConfig:
        """The first run's configuration; the others' stand in `configurations`."""
        return self.parts[0].run.config

    @property
    def environment(self) -> dict[str, Any]:
        """environment.json; of several runs, one under each run's name."""
        if len(self.parts) == 1:
            return self.parts[0].run.environment
        return {part.name: part.run.environment for part in self.parts}

    @property
    def configurations(self) -> list[tuple[str, str]]:
        """(run's name, its config.toml as it lies there)."""
        return [
            (part.name, (part.run.path / "config.toml").read_text(encoding="utf-8"))
            for part in self.parts
        ]

    def results(self) -> pd.DataFrame:
        """One row per image x metric x encoder (x reference), of all runs."""
        return self._merged("results")

    def costs(self) -> pd.DataFrame:
        """One row per cell x stage x measure, of all runs.

        With the column `machine`, a name for each, where the runs or the cells of one come from
        different ones; `SEVERAL` for all rows of a run whose cells do.
        """
        import numpy as np

        merged = self._merged("costs")
        mixed = [part.name for part in self.parts if part.mixed]
        if len(self.machines) < 2 and not mixed:
            return merged
        of_run = {name: names[0] for names in self.machines.values() for name in names}
        of_run |= dict.fromkeys(mixed, SEVERAL)
        rows = [of_run[part.name] for part in self.parts for _ in part.tables["costs"].index]
        return merged.assign(machine=np.array(rows))

    def cells(self) -> pd.DataFrame:
        """One row per planned cell, of all runs."""
        return self._merged("cells")

    def cell_info(self) -> list[dict[str, Any]]:
        """Per planned cell: its identity, key, state, `run`, the name of its run, and `software`,
        which is `one` for all, `several` or `unknown`."""
        made_with = (
            "several" if len(software(*(part.environment for part in self.parts))) > 1 else "one"
        )
        return [
            {"key": cell.key, **cell.to_json(), "protocol": cell.protocol, "run": part.name}
            | {**part.states[cell.key]}
            | {"software": "unknown" if part.environment.get(LOST) else made_with}
            | {"preset": self._preset(cell.method, cell.preset, part)}
            for part in self.parts
            for cell in part.run.planned
            if cell.key in part.states
        ]

    @cached_property
    def machines(self) -> dict[tuple[str, ...], list[str]]:
        """Machines that costs come from -> names of their runs. Runs without a cost have none."""
        found: dict[tuple[str, ...], list[str]] = {}
        for part in self.parts:
            if len(part.tables["costs"]):
                found.setdefault(part.machines, []).append(part.name)
        return found

    def _told(self) -> list[tuple[str, list[str]]]:
        return [(" and ".join(of) or "unknown", names) for of, names in self.machines.items()]

    def image(self, cell_key: str, prompt_id: str, seed: int) -> Path:
        """Where the picture of this prompt and seed lies."""
        return self._holders[cell_key].image(cell_key, prompt_id, seed)

    def picture_sums(self, cell_key: str) -> dict[str, str]:
        """Name -> SHA-256 of the cell's pictures as they were scored."""
        return self._holders[cell_key].picture_sums(cell_key)

    def photos(self, subject: str) -> dict[str, list[Path]]:
        """Thumbnails of the subject's photos, "seen" (trained on) and "unseen" (held out)."""
        found: dict[str, list[Path]] = {"seen": [], "unseen": []}
        for part in self.parts:
            found = part.run.photos(subject)
            if any(found.values()):
                break
        return found

    @cached_property
    def _holders(self) -> dict[str, Run]:
        return {key: part.run for part in self.parts for key in part.states}

    def _merged(self, name: str) -> pd.DataFrame:
        import pandas as pd

        if len(self.parts) == 1:
            return self.parts[0].tables[name]
        tables = []
        for part in self.parts:
            table = part.tables[name]
            pairs = zip(table["method"], table["preset"], strict=True)
            named = [self._preset(method, preset, part) for method, preset in pairs]
            tables.append(table.assign(preset=pd.Series(named, index=table.index, dtype="str")))
        return pd.concat(tables, ignore_index=True)

    def _preset(self, method: str, preset: str, part: Part) -> str:
        """The preset, with the run's name where readers could not tell the runs apart."""
        return f"{preset}, run {part.name}" if (method, preset) in self.apart else preset


def open_study(paths: Sequence[Path]) -> Study:
    """The study of the runs in these folders. UserError for what is no run, is named twice, or
    cannot be compared with the first."""
    for place, path in enumerate(paths):
        if path.resolve() in [other.resolve() for other in paths[:place]]:
            raise UserError(f"{path} is named twice; name each run once")
    return merge([Run.open(path) for path in paths])


def merge(runs: Sequence[Run], known: Sequence[States] | None = None) -> Study:
    """The study of runs; UserError for runs that cannot be compared.

    known: the states of each run's planned cells, where they have been read already.
    """
    check_comparable([(str(run.path), run.planned) for run in runs])
    found: Sequence[States] = [states(run) for run in runs] if known is None else known
    holder: dict[str, int] = {}
    done: dict[str, list[int]] = {}
    for place, of_run in enumerate(found):
        for key, state in of_run.items():
            if state["status"] == "done":
                done.setdefault(key, []).append(place)
            # The same key is the same cell; the first run that has it done is as good as any.
            if key not in holder or (
                state["status"] == "done" and found[holder[key]][key]["status"] != "done"
            ):
                holder[key] = place
    parts = []
    for place, (name, run) in enumerate(zip(_names(runs), runs, strict=True)):
        kept = {key: state for key, state in found[place].items() if holder[key] == place}
        tables = stored_frames(run, kept) or frames(run, kept)
        parts.append(Part(name=name, run=run, tables=tables, states=kept))
    repeated = sum(len(places) > 1 for places in done.values())
    unlike = sum(
        not _agree([(runs[place], found[place][key]) for place in places], key)
        for key, places in done.items()
    )
    return Study(parts=tuple(parts), apart=_apart(parts), repeated=repeated, unlike=unlike)


def _agree(done: Sequence[tuple[Run, Mapping[str, Any]]], key: str) -> bool:
    """Whether the cell that was done in these runs has the same scores in all of them."""
    if len(done) < 2:
        return True
    first, *rest = (frames(run, {key: state})["results"] for run, state in done)
    return all(first.equals(other) for other in rest)


def _apart(parts: Sequence[Part]) -> frozenset[tuple[str, str]]:
    """(method, preset) of several runs that are not one and the same treatment.

    They are when settings, code, precision, prior pictures and captions agree, the costs come from
    the same kind of machine, and no subject was learned twice with the same training seed.
    """
    treatments: dict[tuple[str, str], dict[str, set[str]]] = {}
    learned: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for part in parts:
        for cell in part.run.planned:
            if cell.key not in part.states:
                continue
            named = (cell.method, cell.preset)
            treatment = digest([_treatment(cell), part.machines], 16)
            treatments.setdefault(named, {}).setdefault(part.name, set()).add(treatment)
            learned.setdefault(named, []).append((cell.subject, cell.train_seed))
    return frozenset(
        named
        for named, by_run in treatments.items()
        if len(by_run) > 1
        and (
            len(set().union(*by_run.values())) > 1 or len(set(learned[named])) < len(learned[named])
        )
    )


def _treatment(cell: Cell) -> list[Any]:
    return [
        dict(cell.settings),
        cell.code_version,
        dict(cell.compute),
        dict(cell.prior),
        cell.captions,
    ]


def _names(runs: Sequence[Run]) -> list[str]:
    """The folders' names, with as much of what is above them as it takes to tell them apart."""
    paths = [run.path.resolve() for run in runs]
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]
