"""The figures as rows: what was claimed, what was found, and the table and file that they end in."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width


class Verdict(StrEnum):
    """Whether a figure is what it should be."""

    REACHED = "reached"
    MISSED = "MISSED"
    NOT_MEASURED = "not measured"
    TOO_SMALL = "too small to tell"

    @classmethod
    def of(cls, reached: bool) -> Verdict:
        """Return the verdict on a measured figure."""
        return cls.REACHED if reached else cls.MISSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One claim and what was found."""

    figure: int
    """1 to 27, as in the README's table."""
    measure: str
    reach: str
    """What to reach, as text."""
    ours: str
    reference: str = "–"
    """The reference loop's figure in the same, interleaved runs, where there is one."""
    verdict: Verdict
    detail: Mapping[str, Any] = field(default_factory=dict)
    """The numbers behind it, JSON-like."""
    machine: Mapping[str, Any] = field(default_factory=dict)
    """What `machine` said when it was measured."""


def machine() -> dict[str, Any]:
    """Return what a figure depends on besides the code."""
    cpus = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": cpus[0] if cpus else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "load": [round(value, 2) for value in os.getloadavg()],
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def render(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table, padded for a terminal."""
    lines = [["", "measure", "reach", "practicum", "reference", ""]]
    lines += [[str(row.figure), row.measure, row.reach, row.ours, row.reference, row.verdict] for row in rows]
    widths = [max(3, *(_width(line[column]) for line in lines)) for column in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    padded = [[cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def save(rows: Sequence[Row], facts: Mapping[str, Any], path: Path) -> None:
    """Write rows to a JSON file, each with what held when it was measured; figures that were not measured now stay as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    measured = {row.figure for row in rows}
    kept = [row for row in load(path) if row.figure not in measured] if path.exists() else []
    now = [replace(row, machine=facts) for row in rows]
    path.write_text(
        json.dumps([asdict(row) for row in sorted([*kept, *now], key=lambda row: row.figure)], ensure_ascii=False, indent=1) + "\n"
    )


def load(path: Path) -> list[Row]:
    """Return the rows of a file that `save` has written."""
    return [Row(**{**row, "verdict": Verdict(row["verdict"])}) for row in json.loads(path.read_text())]


def _width(text: str) -> int:
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)
