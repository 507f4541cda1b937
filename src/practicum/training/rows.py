"""A data set on its way into a trainer: rows read, encoded, counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import orjson

from practicum.errors import TrainingError
from practicum.training.masking import Messages, Tokenizer
from practicum.training.windows import Window, windows

TRAIN, DEV = "messages-train.jsonl", "messages-dev.jsonl"
"""Files of a data set, as `practicum curate` writes them."""
GROUPS = 16
"""Steps' worth of rows that are sorted by length together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """One split, ready to be learnt from."""

    windows: tuple[Window, ...]
    sessions: int
    split: int
    """Sessions that became several windows."""

    @property
    def tokens(self) -> int:
        """Tokens of all windows."""
        return sum(len(window.encoded.input_ids) for window in self.windows)

    @property
    def learnt(self) -> int:
        """Tokens that count in the loss."""
        return sum(window.encoded.learnt for window in self.windows)

    def arranged(self, group: int, seed: int) -> Rows:
        """Return the rows in the order of training: at random, but such that rows of about equal length meet in a step.

        Padding is computed like anything else, and a trainer's own grouping draws from a generator that a resumed training does not have.

        Args:
            group: Rows of a step.
            seed: Of the order.
        """
        rng = Random(seed)
        mixed = list(self.windows)
        rng.shuffle(mixed)
        steps: list[list[Window]] = []
        for at in range(0, len(mixed), group * GROUPS):
            near = sorted(mixed[at : at + group * GROUPS], key=lambda window: len(window.encoded.input_ids))
            steps += [near[start : start + group] for start in range(0, len(near), group)]
        rest = [steps.pop(index) for index, step in enumerate(steps) if len(step) < group]  # at most one; inside, it would shift the others
        rng.shuffle(steps)
        steps += rest
        return replace(self, windows=tuple(window for step in steps for window in step))

    def columns(self) -> dict[str, list[list[int]]]:
        """Return the rows as a trainer takes them; it leaves labels that are there as they are."""
        return {
            "input_ids": [window.encoded.input_ids for window in self.windows],
            "labels": [window.encoded.labels for window in self.windows],
        }


def encode_rows(tokenizer: Tokenizer, file: Path, context: int) -> Rows:
    """Read a split and encode it.

    Raises:
        TrainingError: The file is missing, a row is no dialogue, or rows cannot fit into the context: all their ids are named.
    """
    found: list[Window] = []
    misfits: list[str] = []
    sessions = split = 0
    for name, messages in read_messages(file):
        sessions += 1
        try:
            parts = windows(tokenizer, messages, id=name, context=context)
        except TrainingError as problem:
            misfits.append(str(problem))
            continue
        split += len(parts) > 1
        found += parts
    if misfits:
        more = f"\n  and {len(misfits) - 10} more" if len(misfits) > 10 else ""
        raise TrainingError("\n  ".join([f"{file}: {len(misfits):,} of {sessions:,} sessions cannot be used:", *misfits[:10]]) + more)
    if not found:
        raise TrainingError(f"{file}: no session to learn from")
    return Rows(windows=tuple(found), sessions=sessions, split=split)


def read_messages(file: Path) -> Iterator[tuple[str, Messages]]:
    """Yield id and messages of each row.

    Raises:
        TrainingError: The file cannot be read, or a line is no dialogue that a counselor can learn from.
    """
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _read_row(file, number, line)
    except OSError as problem:
        raise TrainingError(f"{file}: {problem.strerror}; expected the folder that `practicum curate --out` has written") from None


def _read_row(file: Path, number: int, line: bytes) -> tuple[str, Messages]:
    try:
        row: dict[str, Any] = orjson.loads(line)
        messages: Sequence[dict[str, Any]] = row["messages"]
        roles = [message["role"] for message in messages]
        said = all(isinstance(message["content"], str) and message["content"].strip() for message in messages)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise TrainingError(f'{file}, line {number}: expected {{"messages": [{{"role", "content"}}, …]}}') from None
    turns = roles[1:] if roles[:1] == ["system"] else roles
    if not turns or turns != ["user", "assistant"] * (len(turns) // 2) or not said:
        raise TrainingError(
            f"{file}, line {number}: its roles are {', '.join(roles[:6])}{' …' if len(roles) > 6 else ''}; "
            "expected an optional system, then user and assistant in turn, none empty; `practicum curate` makes them so"
        )
    return str(row.get("id") or f"line {number}"), messages
