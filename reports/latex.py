"""Tables as LaTeX: files to \\input, which need the packages booktabs and graphicx alone.

Whatever comes from users or data is text: every special character is escaped, accented letters
become LaTeX's accents, and what pdflatex has no letter for becomes its code point.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

from reports import format as show
from reports.cells import LONG_TEXT, NUMBER, Cell, Head, Table

PACKAGES = ("booktabs", "graphicx")
LONGEST_TEXT = 300
"""Characters of a text that may be broken into lines."""
LETTERS = 26
"""Characters that a line of such a text holds at least, on an average."""
LINES = 50
"""Lines of a float at most. A float that is cut at the foot of its page would lose its rest."""

ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "`": r"\textasciigrave{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    # At the beginning of a row these two would belong to the line break before it.
    "[": "{[}",
    "*": "{*}",
    **{c: f"\\{c}" for c in "{}$&#_%"},
    "\N{EN DASH}": "--",
    "\N{EM DASH}": "---",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{MIDDLE DOT}": r"\textperiodcentered{}",
    "\N{LATIN SMALL LETTER SHARP S}": r"{\ss}",
    "\N{UPWARDS ARROW}": r"$\uparrow$",
    "\N{DOWNWARDS ARROW}": r"$\downarrow$",
    "\N{RIGHTWARDS ARROW}": r"$\rightarrow$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{MINUS SIGN}": "$-$",
    "\N{MICRO SIGN}": r"$\mu$",
    "\N{ALMOST EQUAL TO}": r"$\approx$",
}
# Combining mark -> the command that sets it over (or under) a letter.
ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
}
LEGEND = {
    "best": r"\textbf{Bold}: best mean.",
    "tied": r"\underline{Underlined}: not told apart from the best.",
}


def escaped(text: object, limit: int | None = show.LONGEST_NAME) -> str:
    """A text as LaTeX that prints it, cut to `limit` characters."""
    return "".join(_letter(c) for c in unicodedata.normalize("NFC", show.plain(text, limit)))


def latex(table: Table) -> str:
    """The table as a float, or as several of a page or less, no wider than the line."""
    places = [place for place, head in enumerate(table.heads) if head.printed]
    heads = [table.heads[place] for place in places]
    rows = [[row[place] for place in places] for row in table.rows()]
    parts = _parts(rows, heads)
    ranks = {cell.rank for row in rows for cell in row}
    notes = [meaning for rank, meaning in LEGEND.items() if rank in ranks]
    notes += [escaped(note, limit=None) for note in table.notes]
    floats = [f"% Needs \\usepackage{{{','.join(PACKAGES)}}} in the preamble."]
    for number, part in enumerate(parts, start=1):
        caption = escaped(table.caption, limit=LONGEST_TEXT)
        label = rf"\label{{tab:{table.name.replace('_', '-')}}}"
        if len(parts) > 1:
            caption += f" Part {number} of {len(parts)}."
        if number > 1:
            # All parts have the number of the first, and stand once in a list of tables.
            titled = [r"\addtocounter{table}{-1}", rf"\caption[]{{{caption}}}"]
        else:
            titled = [rf"\caption{{{caption}}}", label]
        lines = []
        for place in part:
            if place in table.rules and place > part.start:
                lines.append(r"\midrule")
            entries = [_entry(cell, head) for cell, head in zip(rows[place], heads, strict=True)]
            lines.append(" & ".join(entries) + r" \\")
        floats += _float(heads, titled, lines, notes if number == len(parts) else [])
    return "\n".join([*floats, ""])


def _float(
    heads: Sequence[Head], titled: Sequence[str], rows: Sequence[str], notes: Sequence[str]
) -> list[str]:
    """The lines of one float; `titled` are those of its caption, `rows` those of its rows."""
    columns = "".join(_column(head) for head in heads)
    below = [r"\par\smallskip", rf"{{\raggedright\footnotesize {' '.join(notes)}\par}}"]
    return [
        r"\begin{table}",
        r"\centering",
        *titled,
        r"\smallskip",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
        r"\toprule",
        " & ".join(_head(head) for head in heads) + r" \\",
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}}",
        *(below if notes else []),
        r"\end{table}",
    ]


def _parts(rows: Sequence[Sequence[Cell]], heads: Sequence[Head]) -> list[range]:
    """The rows of every float: as many as have `LINES` lines, and at least one."""
    starts, filled = [0], 0
    for place, row in enumerate(rows):
        lines = max(_lines(cell, head) for cell, head in zip(row, heads, strict=True))
        if place > starts[-1] and filled + lines > LINES:
            starts.append(place)
            filled = 0
        filled += lines
    return [range(*ends) for ends in pairwise([*starts, len(rows)])]


def _lines(cell: Cell, head: Head) -> int:
    """Lines of an entry, at most: those of a long text wrap."""
    if head.kind != LONG_TEXT:
        return 1
    return max(1, math.ceil(len(show.plain(cell.number, LONGEST_TEXT)) / LETTERS))


def document(tables: Sequence[str], figures: Sequence[str]) -> str:
    """A document that shows files of these names, which lie beside it, each on a page."""
    shown = [rf"\input{{{name}}}\clearpage" for name in tables]
    shown += [
        rf"\noindent\includegraphics[width=\linewidth,height=0.9\textheight,keepaspectratio]"
        rf"{{{name}}}\clearpage"
        for name in figures
    ]
    return "\n".join(
        [
            r"\documentclass{article}",
            r"\usepackage[a4paper,margin=2cm]{geometry}",
            rf"\usepackage{{{','.join(PACKAGES)}}}",
            r"\begin{document}",
            *shown,
            r"\end{document}",
            "",
        ]
    )


def _letter(c: str) -> str:
    if c in ESCAPES:
        return ESCAPES[c]
    if c.isascii():
        return c
    base, *marks = list(unicodedata.normalize("NFD", c))
    if base.isascii() and base.isalpha() and len(marks) == 1 and marks[0] in ACCENTS:
        return f"\\{ACCENTS[marks[0]]}{{{base}}}"
    return f"{{[}}U+{ord(c):04X}]"


def _column(head: Head) -> str:
    return {NUMBER: "r", LONG_TEXT: "p{5cm}"}.get(head.kind, "l")


def _head(head: Head) -> str:
    if len(head.lines) == 1:
        return escaped(head.title)
    side = "r" if head.kind == NUMBER else "l"
    lines = r" \\ ".join(escaped(line) for line in head.lines)
    return rf"\begin{{tabular}}[b]{{@{{}}{side}@{{}}}}{lines}\end{{tabular}}"


def _entry(cell: Cell, head: Head) -> str:
    limit = LONGEST_TEXT if head.kind == LONG_TEXT else show.LONGEST_NAME
    value = escaped(cell.number, limit)
    command = {"best": r"\textbf", "tied": r"\underline"}.get(cell.rank)
    value = f"{command}{{{value}}}" if command else value
    return rf"{value} {{\scriptsize {cell.interval}}}" if cell.interval else value
