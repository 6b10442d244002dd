"""Tables of costs, settings and claims."""

from reports.fact_tables import (
    claims_in_cells,
    costs_in_cells,
    settings_in_cells,
)
from reports.format import MISSING
from reports.naming import Naming
from tests.reports.studies import costs

ROWS = [
    ("base", "s0", "generate", "wall_seconds", 1.0, "measured"),
    ("a", "s0", "train", "wall_seconds", 10.0, "measured"),
    ("a", "s1", "train", "wall_seconds", 20.0, "measured"),
    ("a", "s0", "train", "peak_rss_bytes", 2e9, "measured"),
    ("a", "s0", "train", "peak_live_bytes", 1.5e9, "predicted"),
    ("a", "s0", "train", "flops_per_step", 3.2e12, "analytic"),
    ("b", "s0", "train", "wall_seconds", 5.0, "measured"),
]
VERDICT = {
    "id": "memory",
    "sentence": "TextBoost needs less memory than DreamBooth.",
    "claims": {"ratio": 0.5},
    "verdict": "supported",
    "estimate": 0.41,
    "low": 0.38,
    "high": 0.44,
    "n": 30,
    "bound": "below 1",
    "source": "arXiv:2409.08248",
    "evidence": "costs.parquet",
    "kind": "measured",
}


def texts(table):
    titles = [head.title for head in table.heads]
    return [dict(zip(titles, [cell.number for cell in row], strict=True)) for row in table.rows()]


def test_measured_and_predicted_memory_stand_side_by_side():
    first, second, control = texts(costs_in_cells(costs(ROWS), Naming({"b": "B"})))
    assert (first["method"], second["method"], control["method"]) == ("B", "a", "base")
    assert second["cells"] == "2"
    assert second["training"] == "15 s"
    assert second["peak memory in training (process, RSS)"] == "2 GB"
    assert second["peak memory (predicted)"] == "1.5 GB"
    assert second["FLOPs per step (analytic)"] == "3.2 TFLOPs"
    assert first["peak memory in training (process, RSS)"] == "not measured"
    assert first["peak memory (predicted)"] == MISSING
    assert control["training"] == MISSING


def test_what_a_predicted_peak_leaves_out_is_said_where_there_is_one():
    said = [note for note in costs_in_cells(costs(ROWS)).notes if "CUDA context" in note]
    assert len(said) == 1
    measured = [row for row in ROWS if row[-1] != "predicted"]
    assert not any("CUDA context" in note for note in costs_in_cells(costs(measured)).notes)


def test_a_line_parts_methods_from_controls():
    assert costs_in_cells(costs(ROWS)).rules == (2,)
    assert costs_in_cells(costs(ROWS[:1])).rules == ()


def test_settings_stand_in_the_readers_order():
    shared = {"backbone": "toy", "dataset": "d", "split": "n1", "protocol": "p", "preset": "toy"}
    cells = [
        shared | {"method": "a", "settings": {"steps": 120, "rank": 4}},
        shared | {"method": "b", "settings": {"steps": 80}},
    ]
    rows = texts(settings_in_cells(cells, Naming({"b": "Bee"})))
    assert rows == [
        {"setting": "preset", "Bee": "toy", "a": "toy"},
        {"setting": "steps", "Bee": "80", "a": "120"},
        {"setting": "rank", "Bee": MISSING, "a": "4"},
    ]
    assert list(rows[0]) == ["setting", "Bee", "a"]


def test_claims_carry_their_verdict_interval_and_source():
    table = claims_in_cells([VERDICT])
    (row,) = texts(table)
    assert row["file"] == "ratio 0.5"
    assert row["verdict"] == "supported"
    assert row["n"] == "30"
    assert row["source"] == "arXiv:2409.08248"
    estimate = table.rows()[0][4]
    assert (estimate.number, estimate.interval) == ("0.41", "[0.38, 0.44]")


def test_a_verdict_that_is_no_papers_says_so_and_a_figure_has_its_unit():
    one = VERDICT | {"label": "toy", "unit": "s", "run": "a"}
    (row,) = texts(claims_in_cells([one]))
    assert row["verdict"] == "supported (toy)"
    assert row["unit"] == "s"
    assert "run" not in row
    both = texts(claims_in_cells([one, VERDICT | {"run": "b"}]))
    assert [(row["run"], row["verdict"]) for row in both] == [
        ("a", "supported (toy)"),
        ("b", "supported"),
    ]


def test_a_claim_that_was_not_measured_says_so_and_shows_no_number():
    unknown = {"id": "x", "verdict": "not tested", "estimate": None, "low": None, "n": None}
    (row,) = texts(claims_in_cells([unknown]))
    assert row["estimate"] == "not measured"
    assert row["n"] == row["sentence"] == MISSING


def test_a_plain_number_has_no_word_for_a_unit():
    bare = [VERDICT | {"unit": unit} for unit in ("count", "ratio", "score")]
    table = claims_in_cells([*bare, VERDICT | {"unit": "ratio", "bound": "below 50%"}])
    shown = [(row["estimate"], row["unit"]) for row in texts(table)]
    assert shown == [*[("0.41", "")] * 3, ("41", "%")]


def test_an_estimate_has_the_unit_of_its_bound_and_no_interval_where_it_was_counted():
    counted = VERDICT | {"unit": "bytes", "bound": "within 5% of 75 MB"}
    counted |= dict.fromkeys(("estimate", "low", "high"), 76_684_000.0)
    plain = counted | {"unit": "count", "bound": "== 76_684_000"}
    timed = VERDICT | {"unit": "seconds", "bound": "< 2 min", "estimate": 90, "low": 60, "high": 96}
    table = claims_in_cells([counted, plain, timed])
    shown = [(row["estimate"], row["unit"]) for row in texts(table)]
    assert shown == [("76.68", "MB"), ("76,684,000", ""), ("1.5", "min")]
    place = [head.title for head in table.heads].index("estimate")
    assert [row[place].interval for row in table.rows()] == ["", "", "[1, 1.6]"]
