"""The protocols as a page of the docs (`python -m benchmark.protocol_table`) and for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmark.protocols import get_protocol, protocol_names

_SCORING = ("metrics", "image_encoders", "text_encoders")
_HEAD = """# Protocols

How pictures are made and scored. `tbbench run NAME --protocol strict` puts a run under one, and so
does `protocol = "strict"` in its configuration; a run may then not set otherwise what the protocol
fixes. Every row of `results.parquet` carries the protocol's name. Under all of them scores are
averaged within a subject first, so that every subject weighs the same.

This page is written by `python -m benchmark.protocol_table` from the files in
`benchmark/protocols/`.
"""


def markdown() -> str:
    """The page: one table, then each protocol's quirks and differences."""
    columns = ("protocol", "sampler", "steps", "guidance", "seeds", "headline", "metrics")
    lines = [
        _HEAD,
        _row([*columns, "image encoders", "text encoders"]),
        _row([":---"] * 9),
    ]
    chosen = [(name, get_protocol(name)) for name in protocol_names()]
    for name, protocol in chosen:
        made = protocol.generation
        cells = [f"`{name}`", f"`{made['sampler']}`", made["steps"], made["guidance_scale"]]
        cells += [_span(made["seeds"]), f"{protocol.headline} photos"]
        cells += [", ".join(protocol.scoring[key]) or "none" for key in _SCORING]
        lines.append(_row([str(cell) for cell in cells]))
    for name, protocol in chosen:
        lines.append(f"\n## {name}\n\n{protocol.title}. Source: {protocol.source}.")
        lines.extend(_listed("Quirks that are reproduced:", protocol.quirks))
        lines.extend(_listed("Not as published:", protocol.differences))
    return "\n".join(lines) + "\n"


def as_text() -> Iterator[str]:
    """Lines for a terminal."""
    for name in protocol_names():
        protocol = get_protocol(name)
        made = protocol.generation
        yield f"[bold]{name}[/bold]  {protocol.title} [dim]({protocol.source})[/dim]"
        yield (
            f"  {made['sampler']}, {made['steps']} steps, guidance {made['guidance_scale']:g}, "
            f"seeds {_span(made['seeds'])}; headline on {protocol.headline} photos"
        )
        for key in _SCORING:
            yield f"  {key.replace('_', ' ')}: {', '.join(protocol.scoring[key]) or 'none'}"
        for text in protocol.quirks:
            yield f"  quirk: {text}"
        for text in protocol.differences:
            yield f"  not as published: {text}"


def _listed(title: str, texts: Sequence[str]) -> list[str]:
    return [f"\n{title}\n", *(f"- {text}" for text in texts)] if texts else []


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _span(seeds: Sequence[int]) -> str:
    whole = list(seeds) == list(range(seeds[0], seeds[-1] + 1))
    return f"{seeds[0]} to {seeds[-1]}" if whole and len(seeds) > 2 else ", ".join(map(str, seeds))


if __name__ == "__main__":
    print(markdown(), end="")
