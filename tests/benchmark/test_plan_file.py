"""plan.json: what is written is read, in both versions, and nothing else is taken for a plan."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.config import RunConfig
from benchmark.errors import UserError
from benchmark.plan import Cell, plan
from benchmark.plan_file import (
    LISTS,
    TABLES,
    plan_seal_holds,
    plan_text,
    read_cells,
    read_keys,
    read_resolved,
    write_plan,
)

Small = Callable[..., RunConfig]


@pytest.fixture
def cells(small: Small) -> list[Cell]:
    return plan(small(subjects=["spotted_dog", "rain_boot"], train_seeds=[0, 1, 2]))


def test_what_is_written_is_read(cells: list[Cell], tmp_path: Path) -> None:
    write_plan(tmp_path, cells, {"question": {"settings": {}}})
    assert list(read_cells(tmp_path)) == cells
    assert read_keys(tmp_path) == {cell.key for cell in cells}
    assert read_resolved(tmp_path) == {"question": {"settings": {}}}


def test_a_plan_of_the_first_version_is_read(cells: list[Cell], tmp_path: Path) -> None:
    content = {"cells": [cell.to_json() for cell in cells], "resolved": {}}
    (tmp_path / "plan.json").write_text(json.dumps(content))
    assert list(read_cells(tmp_path)) == cells


def test_tables_are_written_once_however_many_cells_have_them(cells: list[Cell]) -> None:
    text = plan_text(cells, {})
    for word in ("on-the-beach", next(iter(cells[0].seen.values()))):
        assert text.count(word) == 1
    content = json.loads(text)
    assert len(content["cells"]) == len(cells) == 12
    distinct = {json.dumps(getattr(cell, name)) for cell in cells for name in (*TABLES, *LISTS)}
    assert len(content["shared"]) == len(distinct)


def test_the_same_plan_is_not_written_again(cells: list[Cell], tmp_path: Path) -> None:
    write_plan(tmp_path, cells, {})
    before = (tmp_path / "plan.json").stat().st_ino
    write_plan(tmp_path, cells, {})
    assert (tmp_path / "plan.json").stat().st_ino == before
    write_plan(tmp_path, cells[1:], {})
    assert len(read_cells(tmp_path)) == len(cells) - 1


def test_a_plan_that_lost_cells_is_refused(cells: list[Cell], tmp_path: Path) -> None:
    """It is whole JSON of the right form, and tables would lack a method without a word."""
    write_plan(tmp_path, cells, {})
    lines = (tmp_path / "plan.json").read_text().splitlines(keepends=True)
    first = lines.index('"cells": [\n') + 1
    (tmp_path / "plan.json").write_text("".join(lines[:first] + lines[first + 1 :]))
    assert len(json.loads((tmp_path / "plan.json").read_text())["cells"]) == len(cells) - 1
    with pytest.raises(UserError, match=r"plan\.json is not as it was written; start"):
        read_cells(tmp_path)


def test_a_plan_of_a_later_version_is_refused_by_name(cells: list[Cell], tmp_path: Path) -> None:
    text = plan_text(cells, {}).replace('"version": 2', '"version": 3')
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(UserError, match=r"newer textboost-bench \(plan\.json version 3, this one"):
        read_cells(tmp_path)
    with pytest.raises(UserError, match="newer"):
        read_keys(tmp_path)


def test_a_changed_byte_of_a_plan_shows_in_its_seal(cells: list[Cell], tmp_path: Path) -> None:
    assert plan_seal_holds(tmp_path) is None
    write_plan(tmp_path, cells, {})
    assert plan_seal_holds(tmp_path)
    whole = (tmp_path / "plan.json").read_bytes()
    for place in (0, len(whole) // 2, len(whole) - 10):
        content = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        (tmp_path / "plan.json").write_bytes(content)
        assert plan_seal_holds(tmp_path) is False


@pytest.mark.parametrize(
    "change",
    [
        {"prompts": "000000000000"},
        {"prompts": ["in-the-jungle"]},
        {"prompts": {"../../outside": "a {subject}"}},
        {"prompts": {"": "a {subject}"}},
        {"subject": "../../outside"},
        {"subject": "dog\0"},
        {"subject": ".."},
        {"subject": 3},
        {"seeds": 3},
        {"steps": "25"},
        {"live": "yes"},
        {"protocol_name": 1},
        {"unknown": 1},
    ],
    ids=str,
)
def test_a_plan_that_was_tampered_with_is_refused(
    cells: list[Cell], tmp_path: Path, change: dict[str, Any]
) -> None:
    content = json.loads(plan_text(cells, {}))
    content["cells"][1] |= change
    (tmp_path / "plan.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"plan\.json is missing, damaged or of another version"):
        read_cells(tmp_path)


def test_nothing_is_taken_from_a_plan_whose_settings_have_changed(
    small: Small, tmp_path: Path
) -> None:
    """Else a flipped digit would be what the next run trains with, under a new seal."""
    config = small()
    found: dict[str, Any] = {}
    cells = plan(config, found)
    write_plan(tmp_path, cells, found)
    file = tmp_path / "plan.json"
    head, word, rest = file.read_text().partition('"steps": 2')
    assert word, "the settings of what trains"
    file.write_text(f'{head}"steps": 3{rest}')
    again = read_resolved(tmp_path)
    assert plan(config, again) == cells
    write_plan(tmp_path, plan(config, again), again)
    assert read_resolved(tmp_path) == found
