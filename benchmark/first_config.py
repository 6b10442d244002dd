"""A configuration to start from: every key there is, with what it means and its default."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from benchmark.config_schema import kind_of, part_of, plain_schema

EXAMPLES: Mapping[str, Any] = {
    "protocol": "strict",
    "photos.folder": "photos/my-dog",
    "photos.class_noun": "dog",
    "photos.descriptor": "corgi",
    "photos.name": "my_dog",
    "photos.live": True,
    "photos.train_photo": "01.jpg",
    "methods.settings": {"steps": 50},
    "training.steps": 50,
    "training.resolution": 512,
    "execution.address": "auto",
    "execution.workers": 2,
    "execution.cell_timeout": 3600.0,
}
"""What stands in the place of a default where there is none, or where it would show nothing."""

METHOD = {"name": "textboost", "preset": "toy"}
"""The preset that was made for the toy backbone, which is the default one."""

_HEAD = """A run of textboost-bench. Lines that begin with `#` and no space are keys that are left
out: they show the default, or an example where there is none. Take the # away to set one."""
_WIDTH = 100


def first_config(name: str) -> str:
    """The TOML of a run called `name`, its title the same; nothing in it differs from the defaults.

    Keys of the run itself are set, unless they have no default; those of its tables are comments.
    """
    schema = plain_schema()
    lines = [*_comment(_HEAD), ""]
    tables = []
    for key, field in schema["properties"].items():
        part = part_of(field) or part_of(field.get("items", {}))
        if part:
            tables.append((key, field, schema["$defs"][part]))
        else:
            given = {"name": name, "title": name}.get(key, field.get("default"))
            lines += _key(key, field, given, EXAMPLES.get(key))
    for key, field, part in tables:
        lines += ["", *_comment(part["description"]), _header(key, field)]
        for inner, content in part["properties"].items():
            example = EXAMPLES.get(f"{key}.{inner}", content.get("default"))
            lines += _key(inner, content, METHOD.get(inner) if key == "methods" else None, example)
    return "\n".join(lines) + "\n"


def _header(key: str, field: Mapping[str, Any]) -> str:
    if "items" in field:
        return f"[[{key}]]"
    return f"[{key}]" if "default" in field else f"#[{key}]"


def _key(key: str, field: Mapping[str, Any], given: Any, example: Any) -> Iterator[str]:
    """Lines of one key: what it means, and its value, behind `#` unless it is `given`."""
    choices = f" It is {kind_of(field)}." if "enum" in field else ""
    yield from _comment(field["description"] + choices)
    yield f"#{key} = {_literal(example)}" if given is None else f"{key} = {_literal(given)}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        " ".join(text.split()),
        _WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _literal(value: Any) -> str:
    """A value as TOML; texts, numbers and lists are written there as in JSON."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_literal(inner)}' for key, inner in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)
