"""Pairs of replies, of which a supervisor preferred one: rows for DPO, and a look at whether length gives the choice away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import orjson

from practicum.errors import TrainingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Preferences, ready to be learnt from."""

    rows: Sequence[dict[str, Any]]
    """`prompt` (messages), `chosen` and `rejected` (a list of one message each): TRL's conversational form."""
    read: int
    """Pairs in the file."""
    longer_chosen: float
    """Share of those read whose chosen reply is the longer one: far from 0.5, length is an easy tell."""
    difference: float
    """Mean of chosen minus rejected, in characters, over those read."""


def read_pairs(file: Path, *, matched: bool, ratio: float) -> Pairs:
    """Read an export of `practicum export --format preferences`.

    Args:
        file: JSONL.
        matched: Keep only pairs whose replies are about equally long.
        ratio: What "about" means: the longer has at most so many times the characters of the shorter.

    Raises:
        TrainingError: It cannot be read, or nothing is left.
    """
    rows = list(_read(file))
    if not rows:
        raise TrainingError(f"{file}: no pair to learn from")
    lengths = [(len(row["chosen"][0]["content"]), len(row["rejected"][0]["content"])) for row in rows]
    kept = [row for row, (a, b) in zip(rows, lengths, strict=True) if not matched or max(a, b) <= ratio * max(1, min(a, b))]
    if not kept:
        raise TrainingError(f"{file}: none of {len(rows):,} pairs has replies of about equal length; raise dpo.length_ratio")
    return Pairs(
        rows=kept,
        read=len(rows),
        longer_chosen=fmean(a > b for a, b in lengths),
        difference=fmean(a - b for a, b in lengths),
    )


def _read(file: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = file.read_bytes().splitlines()
    except OSError as problem:
        raise TrainingError(f"{file}: {problem.strerror}; expected an export of --format preferences") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
            yield {"prompt": _messages(row["prompt"]), "chosen": _messages(row["chosen"])[-1:], "rejected": _messages(row["rejected"])[-1:]}
        except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
            raise TrainingError(f"{file}, line {number}: expected prompt, chosen and rejected, each a list of messages") from None


def _messages(value: Any) -> list[dict[str, str]]:
    return [{"role": str(one["role"]), "content": str(one["content"])} for one in value]
