"""What a page is about, read from a run."""

import json

import pytest

from benchmark.collect import stamp
from benchmark.errors import UserError
from reports.page.material import material_of, read_claims
from tests.reports.made_up import cell, make_run

CLAIM = {"id": "cheaper", "verdict": "SUPPORTED", "n": 6}


def test_claims_are_those_that_verify_wrote_and_none_without(run, tmp_path):
    assert read_claims(tmp_path) == ()
    (tmp_path / "verdicts.json").write_text(json.dumps([CLAIM]))
    assert read_claims(tmp_path) == (CLAIM,)
    material = material_of(run)
    assert (material.claims, material.home) == ((), run.path)


def test_verdicts_from_before_a_change_of_the_run_say_so(tmp_path):
    run = make_run(tmp_path / "run", [cell("base", "dog_a")])
    now = CLAIM | {"stamp": stamp(run)}
    records = [now, now | {"stamp": "another", "label": "toy"}]
    (run.path / "verdicts.json").write_text(json.dumps(records))
    labels = [claim.get("label") for claim in material_of(run).claims]
    assert labels == [None, "toy, older than the run"]


@pytest.mark.parametrize(
    "content",
    ["", "[{", "{}", "null", '["cheaper"]', '[{"verdict": "SUPPORTED"}]', '[{"id": 3}]', "\xff"],
)
def test_damaged_claims_are_a_mistake_in_one_line_that_says_how_to_mend_them(tmp_path, content):
    (tmp_path / "verdicts.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError) as raised:
        read_claims(tmp_path)
    message = str(raised.value)
    assert "\n" not in message
    assert message.startswith(f"{tmp_path / 'verdicts.json'} is damaged")
    assert f"tbbench verify {tmp_path}" in message
