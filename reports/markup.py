"""Tables as Markdown and HTML, in which names and texts show no markup of their own."""

from __future__ import annotations

import re

from reports import format as show
from reports.cells import NUMBER, Cell, Table

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&!$^])")
"""What Markdown, or a common extension of it, may take for markup."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{ table.caption }}</title>
<style>
table { border-collapse: collapse; font: 14px/1.4 sans-serif }
caption { text-align: left; padding: 4px 0 }
th, td { padding: 3px 10px; text-align: right; vertical-align: top }
th { border-top: 2px solid; border-bottom: 1px solid }
tr.rule td { border-top: 1px solid }
.text { text-align: left }
small { white-space: nowrap }
</style>
</head>
<body>
<table>
<caption>{{ table.caption }}</caption>
<thead><tr>
{% for head in table.heads %}
<th scope="col"{% if head.kind != "number" %} class="text"{% endif %}>{{ head.title }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in table.rows() %}
<tr{% if loop.index0 in table.rules %} class="rule"{% endif %}>
{% for cell in row %}
<td{% if table.heads[loop.index0].kind != "number" %} class="text"{% endif %}>
{%- if cell.rank == "best" %}<strong>{{ plain(cell.number) }}</strong>
{%- else %}<bdi>{{ plain(cell.number) }}</bdi>{% endif %}
{%- if cell.rank == "tied" %} ≈{% endif %}
{%- if cell.interval %} <small>{{ cell.interval }}</small>{% endif %}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
{% for note in notes %}
<p>{{ note }}</p>
{% endfor %}
</body>
</html>
"""


def markdown(table: Table) -> str:
    """The table as Markdown, its caption above and its notes below."""
    head = [escaped(head.title) for head in table.heads]
    ruler = ["---:" if head.kind == NUMBER else ":---" for head in table.heads]
    rows = [[_markdown_entry(cell) for cell in row] for row in table.rows()]
    lines = ["| " + " | ".join(entries) + " |" for entries in (head, ruler, *rows)]
    below = [escaped(note, limit=None) for note in notes(table)]
    parts = [escaped(table.caption, limit=None), "\n".join(lines), *below]
    return "\n\n".join(parts) + "\n"


def html(table: Table) -> str:
    """The table as a page of its own, which loads nothing."""
    from jinja2 import Environment, StrictUndefined

    page = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string(PAGE)
    return page.render(table=table, notes=notes(table), plain=show.plain)


def notes(table: Table) -> list[str]:
    """The notes below a table, what marks mean first."""
    ranks = {cell.rank for row in table.rows() for cell in row}
    legend = ["Bold: best mean."] if "best" in ranks else []
    legend += ["≈: not told apart from the best."] if "tied" in ranks else []
    return [*([" ".join(legend)] if legend else []), *table.notes]


def escaped(text: object, limit: int | None = show.LONGEST_NAME) -> str:
    """A text in which Markdown finds no markup."""
    return SPECIAL.sub(r"\\\1", show.plain(text, limit))


def _markdown_entry(cell: Cell) -> str:
    value = escaped(cell.number)
    value = {"best": f"**{value}**", "tied": f"{value} ≈"}.get(cell.rank, value)
    return f"{value} {cell.interval}" if cell.interval else value
