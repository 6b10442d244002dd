"""A cell's key: everything that its outcome depends on changes it, nothing else does."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.config import (
    TRACKERS,
    Execution,
    Generation,
    Prior,
    RunConfig,
    Scoring,
    Tracking,
    Training,
)
from benchmark.plan import LATER, Cell, cell_key, plan

Small = Callable[..., RunConfig]
FIXED = settings(
    deadline=None,
    derandomize=True,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
INVERSION = {"name": "textual-inversion", "preset": "toy"}
FIELDS = {field.name: field for field in dataclasses.fields(Cell)}
RESOLVED: dict[str, Any] = {}

TEXT = st.text(max_size=12)
NUMBERS = st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, width=32)
PLAIN = st.none() | st.booleans() | NUMBERS | TEXT
VALUES: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("settings", "compute", "prior"), st.dictionaries(TEXT, PLAIN, max_size=4)),
    **dict.fromkeys(
        ("seen", "unseen", "prompts", "metrics", "image_encoders", "text_encoders", "others"),
        st.dictionaries(TEXT, TEXT, max_size=4),
    ),
    "probes": st.dictionaries(
        TEXT, st.dictionaries(TEXT, st.integers(1, 9), max_size=2), max_size=2
    ),
    "seeds": st.lists(st.integers(0, 2**40), max_size=4),
    **dict.fromkeys(("train_seed", "resolution", "steps", "outcome_version"), st.integers(0, 9999)),
    "guidance_scale": st.floats(0, 100, width=32),
    "live": st.booleans(),
    "protocol_name": st.none() | TEXT,
}
"""A strategy per field of `Cell`; text for all others."""


@pytest.fixture
def cell(small: Small) -> Cell:
    (only,) = plan(small(methods=[INVERSION]), RESOLVED)
    return only


def canonical(value: Any) -> str:
    """Equal for two values exactly when JSON cannot tell them apart."""
    return json.dumps(value, sort_keys=True)


@given(data=st.data())
@FIXED
@pytest.mark.parametrize("name", FIELDS)
def test_another_value_of_any_field_is_another_key(name: str, cell: Cell, data) -> None:
    value = data.draw(VALUES.get(name, TEXT))
    before = getattr(cell, name)
    same = canonical(value) == canonical(before)
    if name in LATER:  # an empty one says the same as none
        same = same or (not value and not before)
    assert (dataclasses.replace(cell, **{name: value}).key == cell.key) == same


@given(data=st.data())
@FIXED
def test_no_two_cells_that_differ_share_a_key(cell: Cell, data) -> None:
    """Also where several fields differ at once, as when a value moves from one to another."""
    names = data.draw(
        st.lists(st.sampled_from(sorted(FIELDS)), min_size=2, max_size=4, unique=True)
    )
    first, second = (
        dataclasses.replace(cell, **{n: data.draw(VALUES.get(n, TEXT)) for n in names})
        for _ in range(2)
    )
    plain = [
        canonical({k: v for k, v in one.to_json().items() if v or k not in LATER})
        for one in (first, second)
    ]
    assert (first.key == second.key) == (plain[0] == plain[1])


@given(order=st.permutations(sorted(FIELDS)))
@FIXED
def test_a_key_survives_json_and_any_order_of_fields(cell: Cell, order: list[str]) -> None:
    content = json.loads(json.dumps(cell.to_json()))
    assert cell_key({name: content[name] for name in order}) == cell.key
    assert Cell.from_json({name: content[name] for name in order}).key == cell.key


def keys(config: RunConfig) -> set[str]:
    return {cell.key for cell in plan(config, RESOLVED)}


POSITIVE = st.integers(1, 10_000)
IRRELEVANT = {
    "title": TEXT,
    "name": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True),
    "generation.batch_size": POSITIVE,
    "scoring.batch_size": POSITIVE,
    "execution.workers": POSITIVE | st.none(),
    "execution.threads": POSITIVE,
    "execution.device": st.sampled_from(["auto", "cpu", "mps", "cuda", "cuda:3"]),
    "tracking.to": st.sets(st.sampled_from(TRACKERS)).map(tuple),
}


def changed(config: RunConfig, changes: dict[str, Any]) -> RunConfig:
    table = config.model_dump()
    for key, value in changes.items():
        part, _, name = key.rpartition(".")
        (table[part] if part else table)[name] = value
    return RunConfig.model_validate(table)


@given(changes=st.fixed_dictionaries({}, optional=IRRELEVANT))
@FIXED
def test_what_changes_no_outcome_changes_no_key(small: Small, changes: dict[str, Any]) -> None:
    config = small()
    assert keys(changed(config, changes)) == keys(config)


def test_nothing_of_execution_is_part_of_a_key(cell: Cell) -> None:
    """Every field that [execution] has or will have: no cell names it."""
    assert not set(Execution.model_fields) & (FIELDS.keys() | cell.compute.keys())


@given(
    methods=st.permutations([{"name": "base"}, {"name": "copy"}, INVERSION]),
    subjects=st.permutations(["spotted_dog", "rain_boot", "picnic_teapot"]),
    seeds=st.permutations([0, 3, 7]),
    kept=st.integers(1, 3),
)
@FIXED
def test_neither_order_nor_the_plans_other_cells_change_a_key(
    small: Small, methods: list[Any], subjects: list[str], seeds: list[int], kept: int
) -> None:
    everything = keys(
        small(
            methods=[{"name": "base"}, {"name": "copy"}, INVERSION],
            subjects=["spotted_dog", "rain_boot", "picnic_teapot"],
            train_seeds=[0, 3, 7],
        )
    )
    assert len(everything) == 27
    part = keys(small(methods=methods[:kept], subjects=subjects[:kept], train_seeds=seeds[:kept]))
    assert len(part) == kept**3
    assert part <= everything


RELEVANT: dict[str, st.SearchStrategy[Any]] = {
    "training.steps": st.integers(1, 500),
    "training.precision": st.sampled_from(["fp32", "bf16", "fp16"]),
    "training.resolution": st.integers(8, 512),
    "training.attention": st.sampled_from(["sdpa", "math"]),
    "training.gradient_checkpointing": st.booleans(),
    "training.accumulation": st.integers(1, 8),
    "prior.steps": st.integers(1, 100),
    "prior.guidance_scale": st.floats(0, 20, width=32),
    "prior.sampler": st.sampled_from(["dpm++", "ddim", "ddim-eta1", "default"]),
    "generation.seeds": st.lists(st.integers(0, 2**31), min_size=1, max_size=4, unique=True).map(
        tuple
    ),
    "generation.steps": st.integers(1, 100),
    "generation.guidance_scale": st.floats(0, 20, width=32),
    "generation.sampler": st.sampled_from(["dpm++", "ddim", "ddim-eta1", "default"]),
    "split": st.sampled_from(["n1", "n1-1", "n1-2", "n1-3"]),
    "train_seeds": st.integers(0, 2**31).map(lambda seed: (seed,)),
    "subjects": st.sampled_from([("spotted_dog",), ("rain_boot",)]),
    "scoring.metrics": st.sampled_from([(), ("vendi",), ("fidelity",), ("vendi", "fidelity")]),
}
CHANGES = st.fixed_dictionaries({}, optional=RELEVANT)


@given(first=CHANGES, second=CHANGES)
@FIXED
def test_two_configurations_share_a_key_only_where_they_mean_the_same(
    small: Small, first: dict[str, Any], second: dict[str, Any]
) -> None:
    one, other = (changed(small(methods=[INVERSION]), changes) for changes in (first, second))

    def meaning(config: RunConfig) -> Any:
        found = config.model_dump(exclude={"name", "title", "execution"})
        # `n1` of the toy world is its first view; None is the backbone's own size.
        found["training"]["resolution"] = config.training.resolution or 32
        found["scoring"]["metrics"] = sorted(config.scoring.metrics)
        return found

    assert (keys(one) == keys(other)) == (meaning(one) == meaning(other))


def test_the_strategies_name_every_field_that_a_run_has() -> None:
    """A field that comes later must be told apart here: relevant to the outcome, or not."""
    known = {*RELEVANT, *IRRELEVANT}
    # By name alone: what they may be depends on what is installed, or is tested elsewhere.
    known |= {"protocol", "backbone", "dataset", "prompts", "methods", "training.optimizer"}
    known |= {"scoring.image_encoders", "scoring.text_encoders"}
    parts = {"training": Training, "prior": Prior, "generation": Generation, "scoring": Scoring}
    parts |= {"tracking": Tracking}
    for part, model in parts.items():
        assert {f"{part}.{name}" for name in model.model_fields} <= known
    # `photos` is in the data set's name, as tests/benchmark/test_own_photos.py holds.
    plain = set(RunConfig.model_fields) - {*parts, "execution", "photos"}
    assert plain <= known
