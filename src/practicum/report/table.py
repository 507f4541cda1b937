"""A table before it has a format: cells keep their numbers, and each writer decides how to show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from practicum.arena import Interval

BLANK = "–"
"""What a reader sees where there is nothing to say."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number that is shown rounded."""

    value: float
    digits: int = 0
    """Decimals shown."""
    percent: bool = False
    """Whether the value, a part of 1, is shown in percent."""

    def __str__(self) -> str:
        return _rounded(self.value, self.digits, self.percent)


@dataclass(frozen=True, slots=True)
class P:
    """How likely chance alone would go so far."""

    value: float

    def __str__(self) -> str:
        return "< 0.001" if self.value < 0.001 else f"{self.value:.3f}"

    @property
    def told(self) -> str:
        """The same within a sentence: `p < 0.001`, `p = 0.012`."""
        return f"p {self}" if self.value < 0.001 else f"p = {self}"


@dataclass(frozen=True, slots=True)
class Ratio:
    """So many of so many."""

    hits: int
    n: int

    def __str__(self) -> str:
        return f"{self.hits:,} of {self.n:,} ({_rounded(self.hits / self.n, 1, True)})" if self.n else "0 of 0"


@dataclass(frozen=True, slots=True)
class Span:
    """A range of numbers, or why there is none."""

    interval: Interval | None
    digits: int = 0
    percent: bool = False
    why: str = BLANK
    """What is shown where there is no interval."""

    def __str__(self) -> str:
        if self.interval is None:
            return self.why
        low, high = (_rounded(end, self.digits, self.percent).removesuffix(" %") for end in self.interval)
        return f"[{low}, {high}]{' %' if self.percent else ''}"


Cell = str | int | Number | P | Ratio | Span | None
"""None: nothing to say."""


@dataclass(frozen=True, slots=True)
class Note:
    """A remark that belongs to a table or to the whole."""

    text: str
    """One sentence or two, in one line."""
    severe: bool = False
    """Whether what it belongs to should not be trusted because of it."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that no format has touched."""

    name: str
    """A file's name without its ending: small letters and `_`."""
    title: str
    header: tuple[str, ...]
    """Each heading once."""
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[Note, ...] = ()

    def only(self, *headings: str) -> Table:
        """Return the table with these columns, in this order."""
        columns = [self.header.index(heading) for heading in headings]
        return Table(self.name, self.title, headings, tuple(tuple(row[column] for column in columns) for row in self.rows), self.notes)


def shown(cell: Cell) -> str:
    """Return what a reader sees of a cell."""
    if cell is None:
        return BLANK
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def to_the_right(rows: Sequence[Sequence[Cell]]) -> list[bool]:
    """Tell of each column whether it is of numbers, which are set to the right."""
    numbers = [[isinstance(cell, int | Number | P) for cell in column if cell is not None] for column in zip(*rows, strict=True)]
    return [bool(column) and all(column) for column in numbers]


def _rounded(value: float, digits: int, percent: bool) -> str:
    text = f"{value * 100 if percent else value:,.{digits}f}"
    if text.startswith("-") and not text.strip("-0.,"):
        text = text.removeprefix("-")  # -0.0 is no news
    return f"{text} %" if percent else text
