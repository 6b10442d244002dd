"""`tbbench schema`: what a configuration may hold, for editors and for the documentation."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from benchmark.commands import examples

app = typer.Typer()


@app.command(
    epilog=examples(
        "tbbench schema > run.schema.json  # your run's first line: #:schema ./run.schema.json",
        "tbbench schema --markdown > docs/reference/configuration.md",
    )
)
def schema(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="The reference page, in place of the JSON Schema.")
    ] = False,
) -> None:
    """Print the JSON Schema of a run's configuration, for completion and checks in an editor.

    It knows the methods, presets, settings, backbones, metrics and encoders of this installation.
    """
    from benchmark.config_schema import json_schema, reference_page

    if markdown:
        print(reference_page(), end="")
    else:
        print(json.dumps(json_schema(), indent=2))
