"""What a bundle's config.toml chose, against the cells: subjects, prompts, methods, their steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmark.claims.measured import preset_settings
from benchmark.config import RunConfig
from benchmark.plan import Cell
from benchmark.subjects import DATASET_NAMES, open_dataset


def choice_differences(config: RunConfig, cells: Sequence[Cell]) -> Iterator[str]:
    """Lines that name what is chosen and was not planned, and what was planned and is not chosen.

    Every choice must show in the cells, both ways: a subject, prompt or method taken out of the
    configuration is named as well as one put in.
    """
    subjects = {cell.subject for cell in cells}
    chosen = set(config.subjects) or _all_subjects(config)
    if chosen is not None:
        yield from _both_ways("subject", chosen, subjects)
    yield from _prompts(config, cells)
    methods = {f"{entry.name} with preset {entry.preset}" for entry in config.methods}
    made = {f"{cell.method} with preset {cell.preset}" for cell in cells}
    yield from _both_ways("method", methods, made)
    planned = {(cell.method, cell.preset, cell.subject, cell.train_seed) for cell in cells}
    seeds = {cell.train_seed for cell in cells}
    for method, preset in sorted({(cell.method, cell.preset) for cell in cells}):
        for subject in sorted(subjects):
            for seed in sorted(seeds):
                if (method, preset, subject, seed) not in planned:
                    yield f"plan.json: no cell of {method} ({preset}), {subject}, seed {seed}"
    yield from _settings(config, cells)


def _both_ways(kind: str, chosen: set[str], planned: set[str]) -> Iterator[str]:
    for name in sorted(chosen - planned):
        yield f"config.toml: {kind} {name} has no cells"
    for name in sorted(planned - chosen):
        yield f"config.toml: no {kind} {name}, which cells have"


def _all_subjects(config: RunConfig) -> set[str] | None:
    """What `subjects = "all"` stands for; None where nothing here knows the data set."""
    if config.dataset not in DATASET_NAMES:
        return None
    dataset = open_dataset(config.dataset)
    split = dataset.split(config.split)
    return {name for name in dataset.subject_names() if name in split}


def _prompts(config: RunConfig, cells: Sequence[Cell]) -> Iterator[str]:
    """A subject gets the prompts that its kind has; together the kinds have all that is chosen."""
    made = {id for cell in cells for id in cell.prompts}
    if config.prompts:
        for id in sorted(made - set(config.prompts)):
            yield f"config.toml: no prompt {id}, which cells have"
    if config.dataset not in DATASET_NAMES:
        return
    dataset = open_dataset(config.dataset)
    known = {live: {prompt.id for prompt in dataset.prompts(live)} for live in (True, False)}
    for live in sorted({cell.live for cell in cells}):
        wanted = known[live] & (set(config.prompts) or known[live])
        mine = [cell for cell in cells if cell.live == live]
        for id in sorted(id for id in wanted if not all(id in cell.prompts for cell in mine)):
            yield f"config.toml: prompt {id} is missing from cells"
    for id in sorted(set(config.prompts) - known[True] - known[False] - made):
        yield f"config.toml: prompt {id} has no cells"


def _settings(config: RunConfig, cells: Sequence[Cell]) -> Iterator[str]:
    """Every field of a cell that differs from its preset is asked for: in settings, or as steps."""
    entries = {(entry.name, entry.preset): entry for entry in config.methods}
    told = set()
    for cell in cells:
        entry = entries.get((cell.method, cell.preset))
        expected = preset_settings(cell.method, cell.preset)
        if entry is None or expected is None:
            continue
        asked = set(entry.settings) | ({"steps"} if config.training.steps is not None else set())
        for name in sorted(cell.settings.keys() - asked):
            if cell.settings[name] != expected.get(name):
                line = f"{cell.method}.{name} is {cell.settings[name]!r} in cells"
                if line not in told:
                    told.add(line)
                    yield f"config.toml: {line} and not asked for"
