"""Tables as Markdown, CSV, LaTeX; results as JSON."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from practicum.arena import JudgeCard, Ranking
from practicum.report.table import BLANK, Cell, Note, Number, P, Ratio, Span, Table, shown, to_the_right

WIDEST = 6
"""Columns that fit on a page as they are; a wider LaTeX table is scaled down to it."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "²": r"\textsuperscript{2}",
    # After the end of a row these two would be read as its arguments.
    "[": "{[}",
    "*": "{*}",
    **{char: f"\\{char}" for char in "&%$#_{}"},
}


def to_markdown(table: Table) -> str:
    """Return a table with its title as a heading and its notes below, as GitHub and pandoc read it."""
    right = to_the_right(table.rows)
    lines = [
        f"## {_markdown(table.title)}",
        "",
        _markdown_row(table.header),
        _markdown_row(["---:" if right[column] else "---" for column in range(len(table.header))], raw=True),
        *(_markdown_row([shown(cell) for cell in row]) for row in table.rows),
        "",
        *(line for note in table.notes for line in (markdown_note(note), "")),
    ]
    return "\n".join(lines)


def _markdown_row(cells: Iterable[str], *, raw: bool = False) -> str:
    return f"| {' | '.join(cell if raw else _markdown(cell) for cell in cells)} |"


def markdown_note(note: Note) -> str:
    """Return a note, in bold if it is severe."""
    return f"**{_markdown(note.text)}**" if note.severe else _markdown(note.text)


def _markdown(text: str) -> str:
    return re.sub(r"(\]\(|[\\`*_~|]|<(?=[^\s\d])|&(?=#?\w+;))", r"\\\1", " ".join(text.split()))


def to_csv(table: Table) -> bytes:
    """Return a table for Excel and pandas: numbers in full, an interval as two columns, no notes.

    UTF-8 with a byte order mark, or Excel takes Chinese for Latin; text that a spreadsheet would run as a formula begins with an
    apostrophe.
    """
    kinds = [next((cell for cell in column if isinstance(cell, Ratio | Span)), None) for column in zip(*table.rows, strict=True)]
    file = io.StringIO()
    write = csv.writer(file).writerow
    write([_safe(heading + suffix) for heading, kind in zip(table.header, kinds, strict=True) for suffix in _suffixes(kind)])
    for row in table.rows:
        write([_safe(text) for cell, kind in zip(row, kinds, strict=True) for text in _fields(cell, len(_suffixes(kind)))])
    return b"\xef\xbb\xbf" + file.getvalue().encode()


def _suffixes(kind: Ratio | Span | None) -> tuple[str, ...]:
    if kind is None:
        return ("",)
    return (" low", " high") if isinstance(kind, Span) else ("", " n")


def _fields(cell: Cell, width: int) -> list[str]:
    match cell:
        case Span(interval=None, why=why):
            found = ["" if why == BLANK else why]
        case Span(interval=(low, high)):
            found = [_exact(low), _exact(high)]
        case Ratio(hits, n):
            found = [str(hits), str(n)]
        case Number(value) | P(value):
            found = [_exact(value)]
        case _:
            found = ["" if cell is None else str(cell)]
    return found + [""] * (width - len(found))


def _exact(value: float) -> str:
    return f"{value:.10g}"


def _safe(text: str) -> str:
    """Disarm what a spreadsheet would run: a formula may begin after blanks, too."""
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) and not _NUMBER.fullmatch(text) else text


def to_latex(table: Table) -> str:
    r"""Return a table to be read by \input, with the rules of booktabs; Chinese stays as it is."""
    right = to_the_right(table.rows)
    wide = len(table.header) > WIDEST
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering\small",
            rf"\caption{{{_latex(table.title)}}}",
            rf"\label{{tab:{table.name.replace('_', '-')}}}",
            (r"\resizebox{\textwidth}{!}{" if wide else "") + rf"\begin{{tabular}}{{{''.join('r' if one else 'l' for one in right)}}}",
            r"\toprule",
            _latex_row(table.header),
            r"\midrule",
            *(_latex_row([shown(cell) for cell in row]) for row in table.rows),
            r"\bottomrule",
            r"\end{tabular}" + ("}" if wide else ""),
            *(rf"\par\medskip{{\footnotesize {latex_note(note)}\par}}" for note in table.notes),
            r"\end{table}",
            "",
        ]
    )


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(_latex(cell) for cell in cells) + r" \\"


def latex_note(note: Note) -> str:
    """Return a note, in bold if it is severe."""
    return rf"\textbf{{{_latex(note.text)}}}" if note.severe else _latex(note.text)


def _latex(text: str) -> str:
    return "".join(_LATEX.get(char, char) for char in " ".join(text.split()))


def to_json(ranking: Ranking | None, card: JudgeCard, notes: Sequence[Note] = ()) -> bytes:
    """Return all that is known, with every digit, as one JSON object: card, ranking, notes.

    Args:
        ranking: None where strengths are not identified.
        card: Always there.
        notes: Warnings that belong to both.
    """
    value = {"card": card, "ranking": ranking, "notes": notes}
    return orjson.dumps(value, default=_plain, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _plain(value: Any) -> Any:
    """Return what orjson does not know: intervals and ranks by their fields, other mappings than dict."""
    return value._asdict() if hasattr(value, "_asdict") else dict(value)
