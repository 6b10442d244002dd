"""Protocols: how pictures are made and scored, each a TOML file of this folder.

A protocol fixes what a table's numbers depend on: sampler, steps, guidance, seeds, metrics and
encoders, and to which photos the headline compares. A run under a protocol may set none of these
otherwise. Published protocols have quirks: what is reproduced stands under `quirks`, and what is
not under `differences`; see protocol.md's presets in the papers they name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from benchmark.errors import UserError
from benchmark.shipped import toml_names
from benchmark.subjects import unknown

if TYPE_CHECKING:
    import pandas as pd

Texts = Annotated[tuple[str, ...], Field(strict=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Shown(_Part):
    """A score that is shown as published code computes it: max(floor, cosine) x factor.

    `results.parquet` keeps the raw cosine alone.
    """

    metric: str
    name: str
    factor: float = 1.0
    floor: float | None = None


class Protocol(_Part):
    """One protocol."""

    title: str
    source: str
    headline: Literal["unseen", "seen"]
    """The photos that the headline's fidelity compares with: held-out ones or the training ones."""
    aggregation: Literal["subjects"] = "subjects"
    """Scores are averaged within a subject first, then over subjects."""
    generation: Mapping[str, Any]
    """Keys of the run's [generation]: seeds, steps, guidance_scale, sampler."""
    scoring: Mapping[str, Any]
    """Keys of the run's [scoring]: metrics, image_encoders, text_encoders."""
    shown: Annotated[tuple[Shown, ...], Field(strict=False)] = ()
    quirks: Texts = ()
    differences: Texts = ()


def protocol_names() -> list[str]:
    """All protocols, `strict` first."""
    return sorted(toml_names("protocols"), key=lambda name: (name != "strict", name))


@cache
def get_protocol(name: str) -> Protocol:
    """The protocol; UserError with the nearest spelling when there is none."""
    if name not in protocol_names():
        raise UserError(unknown("protocol", name, protocol_names()))
    text = (resources.files(__name__) / f"{name}.toml").read_text("utf-8")
    return Protocol.model_validate(tomllib.loads(text))


def choose_protocol(table: dict[str, Any], name: str) -> None:
    """Puts a run's parsed TOML under a protocol; what that fixes replaces what the run says."""
    protocol = get_protocol(name)
    table["protocol"] = name
    for part in ("generation", "scoring"):
        table[part] = {**table.get(part, {}), **getattr(protocol, part)}


def apply_protocol(table: dict[str, Any], source: str) -> None:
    """Fills in what the run's protocol fixes, if it names one.

    UserError when the run sets such a key otherwise: its numbers would not be the protocol's.
    """
    name = table.get("protocol")
    if not isinstance(name, str):
        return
    protocol = get_protocol(name)
    for part in ("generation", "scoring"):
        own = table.setdefault(part, {})
        if not isinstance(own, dict):
            return  # said in better words when the whole configuration is validated
        for key, value in getattr(protocol, part).items():
            if own.setdefault(key, value) != value:
                raise UserError(
                    f"{source}: {part}.{key} is {own[key]!r}, but protocol {name!r} fixes it to "
                    f"{value!r}; leave out the key, or the protocol"
                )


def as_published(results: pd.DataFrame) -> pd.DataFrame:
    """Tidy results with the rows that their protocols show otherwise added, under their own names.

    `results` has the columns protocol, metric and value; rows of other protocols are left alone.
    """
    import pandas as pd

    added = []
    for name in set(results["protocol"].dropna()) & set(protocol_names()):
        for shown in get_protocol(str(name)).shown:
            mine = (results["protocol"] == name) & (results["metric"] == shown.metric)
            rows = results[mine]
            value = rows["value"] if shown.floor is None else rows["value"].clip(lower=shown.floor)
            added.append(rows.assign(metric=shown.name, value=value * shown.factor))
    return pd.concat([results, *added], ignore_index=True) if added else results


def shown_directions() -> dict[str, str]:
    """Metrics that only protocols show -> the metric whose better direction they share."""
    return {
        shown.name: shown.metric for name in protocol_names() for shown in get_protocol(name).shown
    }
