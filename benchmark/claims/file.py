"""Claims files: TOML in, validated claims with their expressions understood out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from benchmark.claims.language import Expression, known_backbone, parse
from benchmark.errors import UserError, shown
from benchmark.protocols import protocol_names
from benchmark.shipped import toml_names
from benchmark.subjects import DATASET_NAMES, unknown
from benchmark.toml_text import read_toml

LARGEST = 1_000_000
"""Bytes of a claims file."""


def _one_line(value: str) -> str:
    if not value.strip() or "\n" in value:
        raise ValueError("expected one line of text")
    return value


def _known_protocol(value: str) -> str:
    if value not in protocol_names():
        raise ValueError(unknown("protocol", value, protocol_names()))
    return value


def _known_dataset(value: str) -> str:
    if value not in DATASET_NAMES:
        raise ValueError(unknown("dataset", value, DATASET_NAMES))
    return value


Line = Annotated[str, AfterValidator(_one_line)]


class Claim(BaseModel):
    """One claim."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,79}$")]
    sentence: Line
    """What is claimed, in words."""
    source: Line
    """Where it is claimed."""
    expression: Line | None = None
    """What is judged, see `benchmark.claims.language`."""
    unjudged: Line | None = None
    """In the place of an expression: why nothing here can judge it."""
    protocol: Annotated[str, AfterValidator(_known_protocol)] | None = None
    backbone: Annotated[str, AfterValidator(known_backbone)] | None = None
    dataset: Annotated[str, AfterValidator(_known_dataset)] | None = None
    split: Line | None = None
    preset: Line | None = None
    """Of all methods of the expression that name none; left out: `paper`."""
    note: Line | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Claim:
        if (self.expression is None) == (self.unjudged is None):
            raise ValueError("expected either expression or unjudged")
        parsed = self.parsed
        named = parsed.backbone if parsed else None
        if named and self.backbone and named != self.backbone:
            raise ValueError(f"backbone is {self.backbone!r}, but the expression names {named!r}")
        return self

    @cached_property
    def parsed(self) -> Expression | None:
        """The expression, understood; ValueError when it cannot be."""
        return None if self.expression is None else parse(self.expression)

    @property
    def on(self) -> str | None:
        """The backbone that the claim speaks of, wherever it is named."""
        return (self.parsed.backbone if self.parsed else None) or self.backbone


@dataclass(frozen=True)
class ClaimsFile:
    """A claims file, understood."""

    name: str
    """The file's own name, without folder and ending."""
    text: str
    claims: tuple[Claim, ...]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    claim: Annotated[tuple[Claim, ...], Field(strict=False, min_length=1)]


def shipped_names() -> list[str]:
    """Names of the claims files that come with the project."""
    return toml_names("claims")


def load_claims(source: str) -> ClaimsFile:
    """The claims file called `source`: a shipped name or a path. UserError in one line."""
    if source in shipped_names():
        folder = resources.files(__package__)
        return parse_claims((folder / f"{source}.toml").read_text("utf-8"), source)
    path = Path(source)
    if path.suffix != ".toml":
        raise UserError(f"{unknown('claims file', source, shipped_names())}, or a path of a .toml")
    try:
        if path.stat().st_size > LARGEST:
            raise UserError(f"{source} is larger than {LARGEST} bytes; no claims file is")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{source} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{source} is not a TOML file: it is no UTF-8 text") from error
    return parse_claims(text, source)


def parse_claims(text: str, source: str) -> ClaimsFile:
    """`text` as a claims file; `source` names it in errors."""
    table = read_toml(text, source)
    try:
        claims = _Table.model_validate(table).claim
    except ValidationError as error:
        raise UserError(f"{source}: {_described(error, table)}") from error
    ids = [claim.id for claim in claims]
    for id in ids:
        if ids.count(id) > 1:
            raise UserError(
                f"{source}: claim {shown(id)} is there twice; give each an id of its own"
            )
    return ClaimsFile(Path(source).name.removesuffix(".toml"), text, claims)


def _described(error: ValidationError, table: dict[str, Any]) -> str:
    """The first thing wrong, in one line that names the claim and the key."""
    first = error.errors()[0]
    location = [part for part in first["loc"] if part != "claim"]
    where = ""
    if location and isinstance(location[0], int):
        number = int(location.pop(0))
        entry = table["claim"][number]
        id = entry.get("id") if isinstance(entry, dict) else None
        where = f"claim {shown(id)}: " if isinstance(id, str) else f"claim number {number + 1}: "
    key = ".".join(str(part) for part in location)
    named = f"{key}: " if key else ""
    match first["type"]:
        case "value_error" if where:
            return f"{where}{named}{first['ctx']['error']}"
        case "extra_forbidden":
            return where + unknown("key", key, [*Claim.model_fields] if where else ["claim"])
        case _ if not where:
            return "it holds no claim; expected tables [[claim]]"
        case "missing":
            return f"{where}missing key {key!r}"
        case "string_pattern_mismatch":
            return f"{where}{named}expected letters, digits, '.', '_', '+' and '-', 80 at most"
        case "model_type":
            return f"{where}expected a table [[claim]]"
        case "string_type":
            return f"{where}{named}expected text in quotes, got {shown(first['input'])}"
        case _:
            return f"{where}{named}{first['msg']}"
