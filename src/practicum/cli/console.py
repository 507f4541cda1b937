"""What the verbs share when they print: lines, colours, tables that know how wide Chinese is, JSON."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import typer

Cell = str | int


def complain(text: str) -> None:
    """Print an error, a line for each mistake; what is indented belongs to the line above."""
    for line in text.splitlines():
        tell(line if line.startswith(" ") else f"practicum: {line}")


def tell(text: str) -> None:
    """Print a line that is not the verb's result: progress, notes, errors."""
    print(text, file=sys.stderr, flush=True)


def colored(text: str, color: str, *, bold: bool = False) -> str:
    """Return text in a colour where standard output is a terminal that wants one (https://no-color.org)."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return typer.style(text, fg=color or None, bold=bold)


def width_of(text: str) -> int:
    """Return how many columns a terminal gives to a text: two for a Chinese character, none for a combining mark."""
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def clip(text: str, width: int) -> str:
    """Return a text on one line, cut to so many columns, the last one … where something is missing."""
    line = " ".join(text.split())
    if width_of(line) <= width:
        return line
    while line and width_of(line) > width - 1:
        line = line[:-1]
    return f"{line}…"


def table(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """Yield an aligned table: numbers to the right, text to the left, lines no wider than the terminal.

    Without a terminal nothing is cut.
    """
    shown = [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows]
    widths = [max(map(width_of, column)) for column in zip(header, *shown, strict=True)]
    right = [bool(rows) and isinstance(cell, int) for cell in (rows[0] if rows else header)]
    limit = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize

    def line(cells: Sequence[str]) -> str:
        padded = []
        for cell, width, to_the_right in zip(cells, widths, right, strict=True):
            blank = " " * (width - width_of(cell))
            padded.append(blank + cell if to_the_right else cell + blank)
        text = "  ".join(padded).rstrip()
        return text if width_of(text) <= limit else _cut(text, limit)

    yield colored(line(header), "", bold=True)
    yield from map(line, shown)


def _cut(line: str, width: int) -> str:
    """Cut a line of a table, whose blanks must stay."""
    kept = width - 1
    for end, char in enumerate(line):
        kept -= width_of(char)
        if kept < 0:
            return f"{line[:end]}…"
    return line


def print_json(value: Any, *, to_stderr: bool = False, indent: bool = True) -> None:
    """Print dataclasses, mappings and paths as one JSON value."""
    import orjson

    option = orjson.OPT_NON_STR_KEYS | (orjson.OPT_INDENT_2 if indent else 0)
    print(orjson.dumps(value, option=option, default=_plain).decode(), file=sys.stderr if to_stderr else sys.stdout, flush=True)


def _plain(value: Any) -> Any:
    return dict(value) if hasattr(value, "keys") else str(value)


def count(number: int, noun: str) -> str:
    """Return `1 session`, `2,000 sessions`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(seconds: float) -> str:
    """Return a rough length of time: `45 s`, `12 min`, `3 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


def local_time(at: float) -> str:
    """Return a moment, seconds since 1970, as the clock on the wall shows it."""
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
