"""The command line's words as a `Request`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from benchmark.any_pictures.find import Request
from benchmark.any_pictures.records import method_name
from benchmark.config import Execution, Scoring, describe
from benchmark.errors import UserError


def make_request(
    sources: Sequence[Path],
    named: Sequence[str],
    *,
    dataset: str | None = None,
    split: str | None = None,
    subjects: str | None = None,
    prompts: str | None = None,
    seeds: str | None = None,
    scoring: Mapping[str, str | None] | None = None,
    out: Path | None = None,
    device: str = "auto",
) -> Request:
    """What is asked for. UserError for what cannot be understood.

    `named` are texts NAME=DIR; `subjects`, `prompts`, `seeds` and the values of `scoring` are lists
    with commas, and what is None of the latter keeps the default of a run's [scoring].
    """
    pairs: list[tuple[Path, str | None]] = [(source, None) for source in sources]
    for text in named:
        name, equals, path = text.partition("=")
        if not equals or not path:
            raise UserError(f"--method {text!r}: expected NAME=DIR, such as mine=benchmarks/run7")
        pairs.append((Path(path), method_name(name, f"--method {text!r}")))
    if not pairs:
        raise UserError(
            "nothing to score; give a folder or manifest: tbbench score benchmarks/run7"
        )
    chosen = {key: _list(value) for key, value in (scoring or {}).items() if value is not None}
    try:
        settings = Scoring.model_validate(chosen)
        Execution(device=device)
    except ValidationError as error:
        raise UserError(f"score: {describe(error)}") from error
    return Request(
        sources=pairs,
        scoring=settings,
        dataset=dataset,
        split=split,
        subjects=tuple(_list(subjects or "")),
        prompts=tuple(_list(prompts or "")),
        seeds=_seeds(seeds),
        out=out,
        device=device,
    )


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _seeds(text: str | None) -> tuple[int, ...]:
    parts = _list(text or "")
    if not all(part.isascii() and part.isdecimal() for part in parts) or (text and not parts):
        raise UserError(f"--seeds {text!r}: expected whole numbers with commas, such as 0,1,2,3")
    return tuple(dict.fromkeys(int(part) for part in parts))
