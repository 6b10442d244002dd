"""results.parquet, costs.parquet and cells.parquet, rebuilt from the cells of a run.

Rows are sorted, and nothing goes in but the cells' own files and what was predicted of their
trainings (predictions.json): the same files give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from benchmark.atomic import checksum, read_json, read_record, write_bytes, write_json
from benchmark.environment_record import used
from benchmark.estimate.planned import FILE as PREDICTIONS
from benchmark.estimate.planned import predicted_costs, read_trainings
from benchmark.plan import Cell
from benchmark.store import TABLES, CellFolder, Run

if TYPE_CHECKING:
    import pandas as pd

CELL_COLUMNS = ("method", "preset", "backbone", "dataset", "split", "subject", "train_seed")
RESULT_COLUMNS = (
    *CELL_COLUMNS,
    *("prompt_id", "prompt", "seed", "image"),
    *("protocol", "metric", "encoder", "reference", "value"),
)
COST_COLUMNS = (*CELL_COLUMNS, "stage", "measure", "value", "unit", "kind")
STATE_COLUMNS = ("key", *CELL_COLUMNS, "status", "kind_of_failure", "message", "attempts")
STAMP = ".collected.json"
"""Of which state of the cells the tables are, and their checksums."""
States = Mapping[str, Mapping[str, Any]]
"""Cells' keys -> what they have come to: see `CellFolder.state`."""
CELLS_AT_ONCE = 500
"""So many cells' scores are in memory one by one."""
WHOLE_NUMBERS = ("train_seed", "seed", "attempts")


def collect(run: Run) -> bool:
    """Writes the three tables, unless they already hold the cells as they are. Says which."""
    if _collected(run, stamp(run)):
        return False
    # Of two runs in one folder, such as shards, the later one must not be overwritten by the other
    # with what that one saw before.
    with FileLock(run.path / ".collect.lock"):
        cells = stamp(run)
        if _collected(run, cells):
            return False
        for name, frame in frames(run, states(run)).items():
            _write(run.path / f"{name}.parquet", frame)
        write_json(run.path / STAMP, {"cells": cells, "tables": _tables(run)})
    return True


def _collected(run: Run, cells: str) -> bool:
    return bool(read_json(run.path / STAMP) == {"cells": cells, "tables": _tables(run)})


def states(run: Run) -> dict[str, dict[str, Any]]:
    """The state of every planned cell by its key, as it is on disk at this moment."""
    return {cell.key: run.folder(cell.key).state() for cell in run.planned}


def environment_of(run: Run, known: States) -> dict[str, Any]:
    """environment.json as far as those of the cells that are done were worked on under it."""
    done = (state for state in known.values() if state["status"] == "done")
    return used(run.environment, (state["environments"] for state in done))


def frames(run: Run, known: States) -> dict[str, pd.DataFrame]:
    """The tables `results`, `costs` and `cells` of the cells whose states are `known`.

    Nothing is written, so a reader of a run that goes on never meets the run's own `collect`: what
    a cell that is done has written does not change any more.
    """
    planned = [cell for cell in run.planned if cell.key in known]
    done = [(cell, run.folder(cell.key)) for cell in planned if known[cell.key]["status"] == "done"]
    return {
        "results": _results(done),
        "costs": _costs(run, done),
        "cells": _states(
            [{"key": cell.key} | _identity(cell) | {**known[cell.key]} for cell in planned]
        ),
    }


def stored_frames(run: Run, known: States) -> dict[str, pd.DataFrame] | None:
    """The tables as `collect` left them, where they are what `frames` would give; else None.

    They are when no cell has changed since and the cells' states are still those of the table.
    """
    import pandas as pd

    record = read_record(run.path / STAMP)
    sums = record.get("tables")
    if not isinstance(sums, dict) or record.get("cells") != stamp(run):
        return None
    tables = {}
    for name in TABLES:
        try:
            content = (run.path / f"{name}.parquet").read_bytes()
        except OSError:
            return None
        if hashlib.sha256(content).hexdigest() != sums.get(f"{name}.parquet"):
            return None
        tables[name] = pd.read_parquet(io.BytesIO(content))
    stated = dict(zip(tables["cells"]["key"], tables["cells"]["status"], strict=True))
    if stated != {key: state["status"] for key, state in known.items()}:
        return None
    return tables


def _tables(run: Run) -> dict[str, str]:
    """Checksums of the tables as they lie there."""
    files = [run.path / f"{name}.parquet" for name in TABLES]
    return {file.name: checksum(file) for file in files if file.is_file()}


def stamp(run: Run) -> str:
    """Changes whenever a planned cell starts, finishes or fails, the plan changes, or something
    new is predicted."""
    content = hashlib.sha256()
    for cell in run.planned:
        file = run.folder(cell.key).path / "cell.json"
        content.update(cell.key.encode())
        content.update(file.read_bytes() if file.is_file() else b"-")
    predictions = run.path / PREDICTIONS
    if predictions.is_file():
        content.update(predictions.read_bytes())
    return content.hexdigest()


def _results(done: list[tuple[Cell, CellFolder]]) -> pd.DataFrame:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Joined before they become frames, and what a cell's rows share is added to all at once: a
    # frame or a column per cell takes ten times as long, and hundreds of megabytes in the end.
    joined = []
    for start in range(0, len(done), CELLS_AT_ONCE):
        some = done[start : start + CELLS_AT_ONCE]
        parts = []
        for _, folder in some:
            with pq.ParquetFile(folder.path / "scores.parquet") as file:
                parts.append(file.read())
        block = pa.concat_tables(parts, promote_options="permissive").combine_chunks()
        shared = [_identity(cell) | {"protocol": cell.protocol} for cell, _ in some]
        of = np.repeat(np.arange(len(some)), [part.num_rows for part in parts])
        for name in (*CELL_COLUMNS, "protocol"):
            values = pa.array([each[name] for each in shared])
            block = block.append_column(name, values.take(pa.array(of)))
        joined.append(block)
    if not joined:
        return _table(pd.DataFrame(), RESULT_COLUMNS)
    whole = pa.concat_tables(joined, promote_options="permissive")
    numbers = {pa.int64(): pd.Int64Dtype()}.get  # a seed as a float would lose its last digits
    return _table(whole.to_pandas(types_mapper=numbers, ignore_metadata=True), RESULT_COLUMNS)


def _costs(run: Run, done: list[tuple[Cell, CellFolder]]) -> pd.DataFrame:
    import pandas as pd

    trainings = read_trainings(run.path)
    rows = [
        _identity(cell) | cost
        for cell, folder in done
        for cost in [*read_json(folder.path / "cost.json"), *predicted_costs(trainings, cell)]
    ]
    return _table(pd.DataFrame(rows), COST_COLUMNS)


def _states(rows: list[Mapping[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return _table(pd.DataFrame(rows), STATE_COLUMNS)


def _identity(cell: Cell) -> dict[str, Any]:
    return {name: getattr(cell, name) for name in CELL_COLUMNS}


def _table(frame: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """The columns in their order and types, the rows sorted by all columns but the value."""
    types = {
        name: "Int64" if name in WHOLE_NUMBERS else "float64" if name == "value" else "str"
        for name in columns
    }
    typed = frame.reindex(columns=list(columns)).astype(types)
    order = [name for name in columns if name != "value"]
    return typed.sort_values(order, kind="stable", na_position="first", ignore_index=True)


def _write(path: Path, frame: pd.DataFrame) -> None:
    content = io.BytesIO()
    frame.to_parquet(content, index=False)
    write_bytes(path, content.getvalue())
