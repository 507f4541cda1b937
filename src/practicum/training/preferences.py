"""Pairs of replies, of which a supervisor preferred one: rows for DPO, and a look at whether length gives the choice away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from statistics import fmean
from typing import Any

import orjson

from practicum.core import fixed_draw
from practicum.errors import TrainingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Preferences, ready to be learnt from."""

    rows: Sequence[dict[str, Any]]
    """`prompt` (messages), `chosen` and `rejected` (a list of one message each): TRL's conversational form."""
    clients: Sequence[str]
    """Of each row its profile, or session where the file names none; "": neither."""
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
    lengths = [(len(row["chosen"][0]["content"]), len(row["rejected"][0]["content"])) for row, _ in rows]
    kept = [row for row, (a, b) in zip(rows, lengths, strict=True) if not matched or max(a, b) <= ratio * max(1, min(a, b))]
    if not kept:
        raise TrainingError(f"{file}: none of {len(rows):,} pairs has replies of about equal length; raise dpo.length_ratio")
    return Pairs(
        rows=[row for row, _ in kept],
        clients=[client for _, client in kept],
        read=len(rows),
        longer_chosen=fmean(a > b for a, b in lengths),
        difference=fmean(a - b for a, b in lengths),
    )


def hold_out(pairs: Pairs, share: float) -> tuple[Pairs, Pairs | None]:
    """Return the pairs to learn from, and those of the profiles that are kept back; None where that would leave either with nothing.

    A profile's side hangs on its name alone: more pairs move none of those that were there.

    Args:
        pairs: As read.
        share: Of the profiles, about.
    """
    kept_back = [bool(client) and fixed_draw(client, "dpo") < share for client in pairs.clients]
    if not any(kept_back) or all(kept_back):
        return pairs, None
    return _where(pairs, [not back for back in kept_back]), _where(pairs, kept_back)


def _where(pairs: Pairs, wanted: Sequence[bool]) -> Pairs:
    return replace(pairs, rows=list(compress(pairs.rows, wanted)), clients=list(compress(pairs.clients, wanted)))


def _read(file: Path) -> Iterator[tuple[dict[str, Any], str]]:
    try:
        lines = file.read_bytes().splitlines()
    except OSError as problem:
        raise TrainingError(f"{file}: {problem.strerror}; expected an export of --format preferences") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
            pair = {"prompt": _messages(row["prompt"]), **{name: [_messages(row[name])[-1]] for name in ("chosen", "rejected")}}
            yield pair, str(row.get("profile") or row.get("session") or "")
        except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
            raise TrainingError(f"{file}, line {number}: expected prompt, chosen and rejected, each a list of messages") from None


def _messages(value: Any) -> list[dict[str, str]]:
    return [{"role": str(one["role"]), "content": str(one["content"])} for one in value]
