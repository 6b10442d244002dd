from pathlib import Path

import pytest

from benchmark.atomic import read_record
from benchmark.records import seal_holds, write_sealed


def test_a_seal_tells_every_flipped_bit_and_readers_do_not_see_it(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    content = {"b": [1, 2.5, "é☃"], "a": {"x": None}, "text": "A"}
    write_sealed(path, content)
    assert read_record(path) == content
    assert seal_holds(path) is True
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bit in range(8):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
            # Blanks between the parts mean nothing.
            assert seal_holds(path) is not True or read_record(path) == content, (place, bit)


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", '{"a": 1}'])
def test_what_was_never_sealed_is_told_apart(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    assert seal_holds(tmp_path / "x.json") is None
