"""Claims files, keys and answers of blind studies, and names for papers that are refused."""

from __future__ import annotations


def claim(**changes: str) -> str:
    """A claims file of one claim; values are TOML, None leaves the key out."""
    keys = {
        "id": '"a"',
        "sentence": '"S."',
        "source": '"here"',
        "expression": '"checkpoint_bytes(textboost) < 3 MB"',
    }
    lines = [f"{key} = {value}" for key, value in (keys | changes).items() if value]
    return "[[claim]]\n" + "\n".join(lines) + "\n"


EXPRESSIONS = (
    *("", " ", "1", "1 < 2", "x", "textboost", "checkpoint_bytes", "checkpoint_bytes(textboost)"),
    *("checkpoint_bytes(textboost) <", "< 3", "checkpoint_bytes() < 3", "checkpoint_bytes(x) < 3"),
    *("nothing(textboost) < 3", "checkpoint_bytes(textboost) < three"),
    *("checkpoint_bytes(textboost) < 3 XB", "checkpoint_bytes(textboost) != 3"),
    *("checkpoint_bytes(textboost) < nan", "checkpoint_bytes(textboost) < 1e999"),
    *("checkpoint_bytes(textboost) < -inf", "checkpoint_bytes(textboost) < 3 seconds"),
    *("ratio(seconds, textboost) < 1", "ratio(seconds, textboost, textboost, base) < 1"),
    *("difference(alignment@, textboost, base) > 0", "ratio(ratio, ratio, ratio) < 1"),
    *("__import__('os').system('touch executed')", "exec(open('x').read())"),
    *(
        "checkpoint_bytes(__import__) < 3",
        "().__class__.__bases__[0]",
        "lambda: 0",
        "1 if 1 else 2",
    ),
    *("checkpoint_bytes(textboost) < 3; import os", "checkpoint_bytes(textboost) < 9**9**9"),
    *("(" * 500 + ")" * 500, "checkpoint_bytes(" * 200, "a" * 100_000, "\u202e\u200b", "½ < 1"),
)

CLAIMS: dict[str, str] = {
    "empty": "",
    "no claim": "claim = 3\n",
    "claim is a table": '[claim]\nid = "a"\n',
    "claim of numbers": "claim = [1, 2]\n",
    "no claims": "claim = []\n",
    "another table": claim() + "[[claims]]\nx = 1\n",
    "unknown key": claim(weight="1"),
    "unknown method": claim(expression='"checkpoint_bytes(textbost) < 3 MB"'),
    "id twice": claim() + claim(),
    "no id": claim(id=""),
    "id is a number": claim(id="1"),
    "id is a path": claim(id='"../x"'),
    "id with a line break": claim(id='"a\\nb"'),
    "id of 81 letters": claim(id='"' + "a" * 81 + '"'),
    "no sentence": claim(sentence=""),
    "empty sentence": claim(sentence='" "'),
    "sentence of two lines": claim(sentence='"a\\nb"'),
    "no source": claim(source=""),
    "both": claim(unjudged='"why"'),
    "neither": claim(expression=""),
    "unknown protocol": claim(protocol='"none"'),
    "unknown backbone": claim(backbone='"sd99"'),
    "unknown dataset": claim(dataset='"none"'),
    "preset is a number": claim(preset="1"),
    "YAML": "!!python/object/apply:os.system ['touch executed']",
    "deep": "claim = " + "[" * 3000 + "]" * 3000,
    "open": "[[claim]\n",
}

KEY = (
    '{"version": 1, "study": "s", "question": "fidelity", "pairs": [{"id": "p", "subject": "d", '
    '"prompt_id": "q", "prompt": "w", "seed": 0, "train_seed": 0, '
    '"pictures": {"x": "textboost", "y": "base"}}]}'
)
KEYS: dict[str, str] = {
    "empty": "",
    "a list": "[]",
    "a table": "{}",
    "later version": KEY.replace('"version": 1', '"version": 2'),
    "no pairs": KEY[: KEY.index("[")] + "[]}",
    "pairs is a number": KEY[: KEY.index("[")] + "1}",
    "three pictures": KEY.replace('"y": "base"', '"y": "base", "z": "copy"'),
    "one picture": KEY.replace(', "y": "base"', ""),
    "seed is a text": KEY.replace('"seed": 0', '"seed": "0"'),
    "unknown field": KEY.replace('"study"', '"x": 1, "study"'),
    "cut": KEY[:80],
    "deep": "[" * 5000,
}

ROW = "s,anna,p,x,y,left,1.5\n"
ANSWERS: dict[str, bytes] = {
    "empty": b"",
    "no rows": b"",
    "another study": ROW.replace("s,", "t,", 1).encode(),
    "no rater": ROW.replace("anna", "").encode(),
    "unknown pair": ROW.replace(",p,", ",q,").encode(),
    "unknown picture": ROW.replace(",x,", ",z,").encode(),
    "the same picture twice": ROW.replace(",y,", ",x,").encode(),
    "unknown choice": ROW.replace("left", "both").encode(),
    "too short": b"s,anna,p\n",
    "too long": ROW.strip().encode() + b",9\n",
    "two ways": (ROW + ROW.replace("left", "right")).encode(),
    "Latin-1": ROW.replace("anna", "ä").encode("latin-1"),
    "zero bytes": b"\0\0\0\n",
    "an open quote": b'"s,anna\n',
}
"""Rows under a right header, but for the first, which has none."""

NAMES: dict[str, bytes] = {
    "unknown table": b"[method]\n",
    "methods is a list": b"methods = []\n",
    "a number": b"[methods]\ntextboost = 1\n",
    "empty name": b'[methods]\ntextboost = ""\n',
    "two of one name": b'[methods]\ntextboost = "A"\nbase = "A"\n',
    "colour is a word": b'[colours]\ntextboost = "red"\n',
    "colour that is a style": b'[colours]\ntextboost = "#000000;}"\n',
    "Latin-1": "[methods]\ntextboost = 'ä'\n".encode("latin-1"),
    "open": b"[methods\n",
    "deep": b"methods = " + b"[" * 3000,
}
