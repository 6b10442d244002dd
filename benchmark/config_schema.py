"""The configuration as a JSON Schema for editors, and as a page of the documentation.

`benchmark.first_config` makes a configuration to start from of the same schema.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from benchmark.config import RunConfig

JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a run's TOML file, with the names that are known here.

    Where a folder, a hub id or a plug-in may be named as well, known names are offered and others
    pass. Presets and settings are those of each method. Imports the methods, and torch with them.
    """
    from benchmark.backbones import NAMED
    from benchmark.encoder_sources import encoder_names, text_encoder_names
    from benchmark.metrics import metric_names
    from benchmark.protocols import protocol_names
    from benchmark.subjects import DATASET_NAMES, PHOTOS
    from methods import method_names

    schema = plain_schema()
    parts = schema["$defs"]
    top = schema["properties"]
    scoring = parts["Scoring"]["properties"]
    top["backbone"] |= _offered(list(NAMED))
    top["dataset"] |= _offered([*DATASET_NAMES, PHOTOS])
    top["protocol"]["enum"] = list(protocol_names())
    scoring["metrics"]["items"] = _offered(metric_names())
    scoring["image_encoders"]["items"] = _offered(encoder_names())
    scoring["text_encoders"]["items"] = _offered(text_encoder_names())
    parts["MethodEntry"]["properties"]["name"]["enum"] = method_names()
    parts["MethodEntry"]["allOf"] = [_method_rule(name) for name in method_names()]
    return schema


def reference_page() -> str:
    """The configuration reference as Markdown: a table of keys for every table of the TOML."""
    schema = plain_schema()
    parts: Mapping[str, Any] = schema["$defs"]
    lines = [
        "# Configuration reference",
        "",
        "A run is one TOML file. `tbbench schema --markdown` wrote this page from the same",
        "definitions that check a file when it is read; an unknown key or value is refused in one",
        "line that names it. Names are listed by `tbbench methods`, `tbbench metrics`,",
        "`tbbench backbones` and `tbbench protocols`.",
        "",
        "For completion and checks while you type, save the schema and name it in the first line",
        "of your file (editors with Taplo, such as VS Code's Even Better TOML, read it):",
        "",
        "```console",
        "tbbench schema > run.schema.json",
        "```",
        "",
        "```toml",
        "#:schema ./run.schema.json",
        'name = "mine"',
        'title = "My first run"',
        "",
        "[[methods]]",
        'name = "textboost"',
        'preset = "toy"',
        "```",
        "",
        "`--set KEY=VALUE` sets any key on the command line: `--set generation.steps=50`, or",
        "`--set methods.textboost.steps=50` for a setting of one method.",
    ]
    tables: dict[str, Mapping[str, Any]] = {"": schema}
    for name, field in schema["properties"].items():
        part = part_of(field) or part_of(field.get("items", {}))
        if part:
            tables[f"[[{name}]]" if "items" in field else f"[{name}]"] = parts[part]
    for title, table in tables.items():
        lines += ["", f"## {title or 'Top level'}", ""]
        if title:
            lines += [table["description"], ""]
        lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
        lines += _rows(table)
    return "\n".join(lines) + "\n"


def plain_schema() -> dict[str, Any]:
    """The schema of the configuration's classes alone; TOML has no null, so none is offered."""
    schema = RunConfig.model_json_schema()
    for table in (schema, *schema["$defs"].values()):
        for field in table["properties"].values():
            field.pop("title", None)
            if "description" in field:
                field["description"] = " ".join(field["description"].split())
            choices = [part for part in field.get("anyOf", []) if part.get("type") != "null"]
            if len(choices) == 1:
                del field["anyOf"]
                field |= choices[0]
            if field.get("default", ...) is None:
                del field["default"]
    for name in ("subjects", "prompts"):
        schema["properties"][name]["default"] = "all"
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "A run of textboost-bench"
    return schema


def _offered(names: typing.Iterable[str]) -> dict[str, Any]:
    return {"anyOf": [{"enum": list(names)}, {"type": "string"}]}


def _method_rule(name: str) -> dict[str, Any]:
    """Presets and settings of one method, as a rule for the entries that name it."""
    from benchmark.errors import plugin_code
    from methods import get_method

    with plugin_code("method", name):
        method = get_method(name)
        kinds = typing.get_type_hints(method.Settings)
        settings = {
            field.name: {"type": JSON_TYPES[kinds[field.name]]}
            if kinds[field.name] in JSON_TYPES
            else {}
            for field in dataclasses.fields(method.Settings)
        }
        presets = list(method.presets)
    known = {
        "preset": {"enum": presets},
        "settings": {"properties": settings, "additionalProperties": False},
    }
    return {
        "if": {"properties": {"name": {"const": name}}, "required": ["name"]},
        "then": {"properties": known},
    }


def _rows(table: Mapping[str, Any]) -> Iterator[str]:
    required = table.get("required", [])
    for key, field in table["properties"].items():
        if part_of(field) or part_of(field.get("items", {})):
            continue  # a table of its own
        if key in required:
            default = "required"
        else:
            default = f"`{json.dumps(field['default'])}`" if "default" in field else ""
        cells = (f"`{key}`", kind_of(field), default, field["description"])
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def kind_of(field: Mapping[str, Any]) -> str:
    """A field's type in words: `integer > 0`, `one of fp32, fp16`, `list of string`."""
    if "enum" in field:
        return "one of " + ", ".join(f"`{name}`" for name in field["enum"])
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "anyOf" in field:
        return " or ".join(kind_of(part) for part in field["anyOf"])
    if "items" in field:
        return f"list of {kind_of(field['items'])}"
    bounds = {"exclusiveMinimum": ">", "minimum": ">="}
    bound = [f"{sign} {field[name]}" for name, sign in bounds.items() if name in field]
    names = {"object": "table", "boolean": "true or false", "string": "text"}
    return " ".join([names.get(field["type"], field["type"]), *bound])


def part_of(field: Mapping[str, Any]) -> str | None:
    """Name of the part that a field holds, or None."""
    reference = field.get("$ref")
    return str(reference).rpartition("/")[2] if reference else None
