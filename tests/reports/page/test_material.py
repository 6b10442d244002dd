"""What a page is about, read from a run."""

import json

import pytest

from benchmark.errors import UserError
from reports.page.material import material_of, read_claims

CLAIM = {"id": "cheaper", "verdict": "SUPPORTED", "n": 6}


def test_claims_are_those_that_verify_wrote_and_none_without(run, tmp_path):
    assert read_claims(tmp_path) == ()
    (tmp_path / "verdicts.json").write_text(json.dumps([CLAIM]))
    assert read_claims(tmp_path) == (CLAIM,)
    material = material_of(run)
    assert (material.claims, material.home) == ((), run.path)


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
