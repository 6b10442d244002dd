"""Columns chosen by name."""

import pandas as pd
import pytest

from benchmark.errors import UserError
from reports.choice import chosen, known_names
from reports.cost_figures import COSTS
from reports.tables import Column, summary
from tests.reports.studies import alignment, scores

ENCODERS = ("clip-vit-b-32", "clip-vit-l-14", "dino-vits16", "dinov2-vitb14", "toy-clip")


@pytest.fixture(scope="module")
def table():
    two = {"a": [0.5], "b": [0.4]}
    parts = [
        scores(two, encoder=encoder, reference=reference)
        for encoder in ENCODERS
        for reference in ("unseen", "seen")
    ]
    parts += [alignment(two, encoder=encoder) for encoder in ("clip-vit-b-32", "toy-clip")]
    parts += [scores(two, metric="vendi", reference=None)]
    return summary(pd.concat(parts, ignore_index=True))


def short(columns):
    return [
        (column.metric, column.reference, column.encoder)
        if isinstance(column, Column)
        else next(name for name, figure in COSTS.items() if figure == column)
        for column in columns
    ]


def test_names_of_papers_mean_their_own_encoders_and_no_others(table):
    """DINO is not DINOv2, and the toy world's CLIP is no CLIP of a paper."""
    assert short(chosen(table, ["DINO:unseen"])) == [("fidelity", "unseen", "dino-vits16")]
    assert short(chosen(table, ["dinov2:unseen"])) == [("fidelity", "unseen", "dinov2-vitb14")]
    assert short(chosen(table, ["CLIP-T"])) == [("alignment", None, "clip-vit-b-32")]
    assert short(chosen(table, ["CLIP-I unseen"])) == [
        ("fidelity", "unseen", "clip-vit-b-32"),
        ("fidelity", "unseen", "clip-vit-l-14"),
    ]


def test_a_metric_is_narrowed_by_reference_and_encoder(table):
    assert len(chosen(table, ["fidelity"])) == 10
    assert len(chosen(table, ["fidelity:seen"])) == 5
    assert short(chosen(table, ["fidelity@toy-clip"])) == [
        ("fidelity", "unseen", "toy-clip"),
        ("fidelity", "seen", "toy-clip"),
    ]
    assert short(chosen(table, ["fidelity:seen@toy-clip"])) == [("fidelity", "seen", "toy-clip")]


def test_columns_keep_the_order_asked_for_and_come_once(table):
    asked = ["peak_memory", "alignment@toy-clip", "checkpoint", "alignment"]
    assert short(chosen(table, asked)) == [
        "peak_memory",
        ("alignment", None, "toy-clip"),
        "checkpoint",
        ("alignment", None, "clip-vit-b-32"),
    ]


def test_groups_and_the_default(table):
    assert len(chosen(table, ["all"])) == 13
    assert len(chosen(table, ["headline"])) == 7
    assert {column.metric for column in chosen(table)} == {"fidelity", "alignment"}
    only = table[table["metric"] == "vendi"]
    assert short(chosen(only)) == [("vendi", None, "toy-clip")]


@pytest.mark.parametrize(
    "name", ["fidelty", "alignment:seen", "fidelity@dino", "lpips-diversity", "", "@", "peak"]
)
def test_what_is_not_there_is_told_with_what_is(table, name):
    with pytest.raises(UserError, match=r"unknown column .* in --columns; .*known: ") as caught:
        chosen(table, ["alignment", name])
    line = str(caught.value)
    for known in ("fidelity", "vendi", "CLIP-T", "DINOv2", "headline", "peak_memory"):
        assert known in line
    assert "\n" not in line


def test_a_papers_name_without_its_encoder_is_not_offered(table):
    toy = table[table["encoder"] == "toy-clip"]
    assert "CLIP-T" not in known_names(toy)
    with pytest.raises(UserError, match="unknown column 'CLIP-T'"):
        chosen(toy, ["CLIP-T"])
