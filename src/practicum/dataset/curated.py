"""What a curation wrote, and what it did not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from practicum.core import Split


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSize:
    """One split, as it was written."""

    sessions: int
    rows: int
    clients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CurateReport:
    """A curation in figures. Counts are of sessions where nothing else is said; names are those of the checks."""

    read: int
    bad: int
    """Rows that could not be read."""
    left_out: Mapping[str, int]
    """Sessions of a store that never ended, or failed."""
    mended: int
    mends: Mapping[str, int]
    """Turns of the sessions that passed the checks, by what was done."""
    dropped: Mapping[str, int]
    """By the first reason against each."""
    found: Mapping[str, int]
    """Every alarm of every check: a session may raise several. `risk` is set apart, not dropped."""
    overlap_left: int
    """Sessions to learn from that are still in a test set: 0."""
    clients_joined: int
    """Clients counted as one with another, whose story is nearly the same."""
    risk_apart: int
    risks: Mapping[str, int]
    """Kinds of risk of those apart or, where risk is included, of those written; one session may show several."""
    cut: Mapping[str, int]
    """Turns of the sessions written that were cut or joined, so that they alternate."""
    written: Mapping[Split, SplitSize]
    languages: Mapping[str, int]
    """Of the sessions written."""
    folder: Path
    files: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def dropped_in_all(self) -> int:
        """Sessions dropped."""
        return sum(self.dropped.values())

    def table(self) -> list[tuple[str, int]]:
        """Return what became of the sessions, a line a count; the last lines and the drops add up to the first."""
        lines = [("read", self.read)]
        lines += [(f"left out: {reason}", number) for reason, number in self.left_out.items()]
        lines += [("bad rows", self.bad)] if self.bad else []
        lines += [("mended", self.mended)]
        lines += [(f"dropped: {reason}", number) for reason, number in sorted(self.dropped.items(), key=lambda item: (-item[1], item[0]))]
        lines += [("risk, kept apart", self.risk_apart)] if self.risk_apart else []
        lines += [(f"written: {split}", size.sessions) for split, size in self.written.items()]
        return lines
