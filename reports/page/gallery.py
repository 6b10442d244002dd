"""The pictures of a page as compact data, which the page's script draws as the reader scrolls."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import pandas as pd

from reports.figures import mark
from reports.page.material import Material
from reports.page.thumbnails import Thumbnail
from reports.tables import (
    CONTROLS,
    IDENTITY,
    YARDSTICKS,
    belongs,
    columns,
    headline,
    labels,
)

T = TypeVar("T")

BUDGET = 900
"""Generated pictures that a page holds at most when they lie inside it."""
PICTURE = ["subject", "train_seed", "prompt_id", "seed"]
"""What names one picture of a method."""

Thumbnails = Callable[[Iterable[Path], Mapping[Path, str]], Mapping[Path, Thumbnail]]
"""(files, SHA-256 of those whose content is known) -> thumbnails of those that can be shown."""


@dataclass(frozen=True)
class Gallery:
    """What the script reads, and what the page says about it."""

    content: str
    """JSON that is safe inside a script element."""
    pictures: int
    left_out: str
    """What of the run is not shown; empty when all is."""
    lacking: int
    """Pictures that are missing, damaged or not those that were scored."""


@dataclass(frozen=True)
class Selection:
    """How much of every subject's grid fits."""

    prompts: int
    seeds: int


def select(subjects: int, methods: int, prompts: int, seeds: int, budget: int) -> Selection:
    """As many prompts and seeds as the budget allows; seeds give way first, down to one."""
    grids = max(1, subjects * methods)
    for kept in range(seeds, 0, -1):
        if grids * prompts * kept <= budget:
            return Selection(prompts, kept)
    return Selection(max(1, min(prompts, budget // grids)), 1)


def evenly(items: Sequence[T], count: int) -> list[T]:
    """`count` of the items, spread over the whole list, the first always among them."""
    if count >= len(items):
        return list(items)
    return [items[index * len(items) // count] for index in range(count)]


def gallery(
    material: Material,
    table: pd.DataFrame,
    made: Thumbnails,
    beside: Path | None,
    all_of_them: bool,
) -> Gallery | None:
    """The gallery of all done cells; None without one.

    `table` is the summary of the results, which gives the order of methods and scores. `made`
    makes thumbnails. `beside` is the page's folder where it may link to the pictures' own files.
    Unless `all_of_them`, prompts and seeds are left out to hold `BUDGET`.
    """
    done = [dict(cell) for cell in material.cells if cell["status"] == "done"]
    if not done:
        return None
    for cell, label in zip(done, labels(pd.DataFrame(done)), strict=True):
        cell["label"] = label
    ranked = list(table["label"].unique()) if len(table) else []
    places = {label: place for place, label in enumerate(ranked)}
    subjects = list(dict.fromkeys(cell["subject"] for cell in done))
    done.sort(
        key=lambda cell: (
            subjects.index(cell["subject"]),
            cell["train_seed"],
            places.get(cell["label"], len(places)),
            cell["label"],
        )
    )
    left_out = "" if all_of_them else _leave_out(done)
    frame = _pictures(done)
    files = [
        material.image(str(done[cell]["key"]), prompt, seed)
        for cell, prompt, seed in zip(frame["cell"], frame["prompt_id"], frame["seed"], strict=True)
    ]
    photos = {subject: material.photos(subject) for subject in subjects}
    kept = [path for kinds in photos.values() for found in kinds.values() for path in found]
    sums = {
        path.with_name(name): sum
        for cell in done
        for path in [material.image(str(cell["key"]), "any", 0)]
        for name, sum in material.sums(str(cell["key"])).items()
    }
    small = made([*files, *kept], sums)
    shown = [small.get(path) for path in files]
    scores, names = _scores(frame, material.results, table)
    frame["pixelated"] = [bool(thumbnail and thumbnail.pixelated) for thumbnail in shown]
    methods = list(dict.fromkeys(cell["label"] for cell in done))
    methods.sort(key=lambda label: (places.get(label, len(places)), label))
    prompts = list(
        dict.fromkeys((name, text) for cell in done for name, text in cell["prompts"].items())
    )
    prompt_place = {prompt: place for place, prompt in enumerate(prompts)}
    of_label = {cell["label"]: cell["method"] for cell in done}
    content = {
        "methods": [
            {
                "name": label,
                "control": of_label[label] in CONTROLS,
                "colour": mark(of_label[label]).colour,
            }
            for label in methods
        ],
        "subjects": [
            {
                "name": subject,
                "noun": next(str(c["class_noun"]) for c in done if c["subject"] == subject),
                **{
                    kind: [small[path].source for path in found if path in small]
                    for kind, found in photos[subject].items()
                },
            }
            for subject in subjects
        ],
        "prompts": [{"id": name, "text": text} for name, text in prompts],
        "scores": names,
        "cells": [
            [
                methods.index(cell["label"]),
                subjects.index(cell["subject"]),
                cell["train_seed"],
                [prompt_place[item] for item in cell["prompts"].items()],
                list(cell["seeds"]),
                int(bool(frame.loc[frame["cell"] == number, "pixelated"].any())),
            ]
            for number, cell in enumerate(done)
        ],
        "folders": _folders(done, material, beside),
        "files": [thumbnail.source if thumbnail else "" for thumbnail in shown],
        "values": scores,
    }
    lacking = sum(thumbnail is None for thumbnail in shown)
    return Gallery(script_safe(content), len(files), left_out, lacking)


def script_safe(content: object) -> str:
    """JSON that no text in it can end the script element of, nor open a comment in."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    # Half of a surrogate pair cannot be written as UTF-8.
    return text.encode("utf-8", "replace").decode("utf-8")


def _folders(
    done: Sequence[Mapping[str, Any]], material: Material, beside: Path | None
) -> list[str]:
    """Per cell the address of the folder of its pictures, seen from a page in the run's folder.

    None of any for a page elsewhere, which may be passed on without the run. A picture's name is
    made of its prompt and seed there, as `benchmark.store` gives it.
    """
    home = None if material.home is None else material.home.resolve()
    if beside is None or home is None or not beside.resolve().is_relative_to(home):
        return []
    found = []
    for cell in done:
        folder = material.image(str(cell["key"]), "any", 0).parent
        found.append(quote(Path(os.path.relpath(folder, beside)).as_posix()))
    return found


def _leave_out(done: list[dict[str, Any]]) -> str:
    """Keeps what fits into `BUDGET` and says what was left out."""
    subjects = len({cell["subject"] for cell in done})
    methods = len({(cell["label"], cell["train_seed"]) for cell in done})
    prompts = max(len(cell["prompts"]) for cell in done)
    seeds = max(len(cell["seeds"]) for cell in done)
    fits = select(subjects, methods, prompts, seeds, BUDGET)
    for cell in done:
        chosen = evenly(list(cell["prompts"]), fits.prompts)
        cell["prompts"] = {name: cell["prompts"][name] for name in chosen}
        cell["seeds"] = list(cell["seeds"])[: fits.seeds]
    parts = []
    if fits.prompts < prompts:
        parts.append(f"{fits.prompts} of {prompts} prompts")
    if fits.seeds < seeds:
        parts.append(f"{fits.seeds} of {seeds} seeds")
    return " and ".join(parts)


def _pictures(done: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per picture, by cell, prompt and seed, with the place of its cell."""
    return pd.DataFrame(
        [
            {"cell": number, "prompt_id": prompt, "seed": seed, "subject": cell["subject"]}
            | {"train_seed": cell["train_seed"]}
            | {name: cell.get(name) for name in IDENTITY}
            for number, cell in enumerate(done)
            for prompt in cell["prompts"]
            for seed in cell["seeds"]
        ],
        columns=["cell", *PICTURE[2:], *PICTURE[:2], *IDENTITY],
    )


def _scores(
    frame: pd.DataFrame, results: pd.DataFrame, table: pd.DataFrame
) -> tuple[list[list[float | None]], list[dict[str, Any]]]:
    """Per score one value per picture, and what the scores are called; the headline first."""
    scored = results[
        results["seed"].notna()
        & results["prompt_id"].notna()
        & ~results["metric"].isin(list(YARDSTICKS))
    ]
    found = columns(table) if len(scored) else []
    first = headline(table) if len(table) else []
    found.sort(key=lambda column: first.index(column) if column in first else len(first))
    keys = [*IDENTITY, *PICTURE]
    both = pd.concat([_as_text(frame, keys), _as_text(scored, keys)], ignore_index=True)
    # Pictures and scores with the same number belong together.
    numbered = both.groupby(keys, sort=False).ngroup().to_numpy()
    wanted, own = numbered[: len(frame)], numbered[len(frame) :]
    values, names = [], []
    for column in found:
        rows = belongs(scored, column).to_numpy()
        here = scored["value"][rows].groupby(own[rows]).mean().reindex(wanted)
        if here.notna().any():
            values.append([None if pd.isna(v) else round(float(v), 4) for v in here])
            names.append({"name": column.title, "better": column.better})
    return values, names


def _as_text(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """The columns as texts, so that 1, 1.0 and a missing value compare alike on both sides."""
    made = {}
    for key in keys:
        column = frame[key] if key in frame else pd.Series(None, index=frame.index)
        if key in ("seed", "train_seed"):
            column = column.astype("int64")
        made[key] = column.astype("str").where(column.notna(), "")
    return pd.DataFrame(made, index=frame.index)
