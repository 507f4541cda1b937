"""What has passed the gate, until all of it is known: facts in memory, rows on the disk."""

from __future__ import annotations

import tempfile
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from practicum.dataset.checks import Check, Mend
from practicum.dataset.near import Signatures, sign
from practicum.dataset.rows import LeftOut
from practicum.dataset.sift import Bad, Dropped, Passed, Reason, Sifted
from practicum.errors import ExportError

EXAMPLES = 3
"""Conversations that a report shows of each reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A conversation that was dropped, and why."""

    index: int
    """Its place among all that were read."""
    key: str
    reason: Reason
    detail: str
    line: int | None = None
    also: tuple[Check, ...] = ()


@dataclass(slots=True)
class Pile:
    """Conversations of all sources, in order."""

    spool: BinaryIO | None
    """Takes the rows; None: they are not wanted, as of a test set."""
    names: list[str] = field(default_factory=list)
    """Of the sources."""
    read: int = 0
    bad: list[str] = field(default_factory=list)
    left_out: Counter[LeftOut] = field(default_factory=Counter)
    refused: list[Refused] = field(default_factory=list)
    found: Counter[Reason] = field(default_factory=Counter)
    """Every alarm of every check; a conversation may raise several."""
    mends: Counter[Mend] = field(default_factory=Counter)
    """Turns of the conversations that passed."""
    mended: int = 0
    """Conversations that passed and of which some turn was mended."""
    passed: list[Passed] = field(default_factory=list)
    source: array[int] = field(default_factory=lambda: array("I"))
    order: array[int] = field(default_factory=lambda: array("Q"))
    """Of those passed: source, and place among all that were read."""
    story: array[int] = field(default_factory=lambda: array("I"))
    """Of those passed: the number of their client's story."""
    groups: dict[str, int] = field(default_factory=dict)
    """Clients by digest, numbered as they come."""
    examples: dict[Reason, list[tuple[Refused, Dropped]]] = field(default_factory=lambda: defaultdict(list))
    _offsets: array[int] = field(default_factory=lambda: array("Q", [0]))
    _texts: list[Signatures] = field(default_factory=list)
    _stories: list[Signatures] = field(default_factory=list)

    def begin(self, name: str) -> None:
        """What is added from now on is of this source."""
        self.names.append(name)

    def add(self, chunk: Sifted) -> None:
        """Take in a chunk."""
        new: list[int] = []  # rows of the chunk whose client was not known yet
        number = 0
        for outcome in chunk.outcomes:
            match outcome:
                case Bad(line):
                    self.bad.append(f"{self.names[-1]}, {line}")
                case Dropped():
                    self._refuse(outcome)
                case Passed():
                    if self._pass(outcome):
                        new.append(number)
                    number += 1
                case _:
                    self.left_out[outcome] += 1
            self.read += 1
        self._texts.append(chunk.texts)
        self._stories.append(chunk.stories[new])
        for row in chunk.rows:
            self._offsets.append(self._offsets[-1] + len(row))
        if self.spool is not None:
            self.spool.write(b"".join(chunk.rows))

    def _refuse(self, outcome: Dropped) -> None:
        refused = Refused(
            index=self.read,
            key=f"{self.names[-1]}/{outcome.id}",
            reason=outcome.reason,
            detail=outcome.detail,
            line=outcome.line,
            also=outcome.also,
        )
        self.refused.append(refused)
        self.found.update((outcome.reason, *outcome.also))
        if len(self.examples[outcome.reason]) < EXAMPLES:
            self.examples[outcome.reason].append((refused, outcome))

    def _pass(self, outcome: Passed) -> bool:
        """Take in one that passed; tell whether its client is new."""
        before = len(self.groups)
        self.story.append(self.groups.setdefault(outcome.group, before))
        self.passed.append(outcome)
        self.source.append(len(self.names) - 1)
        self.order.append(self.read)
        if outcome.mends:
            self.mends.update(outcome.mends)
            self.mended += 1
        if outcome.risk:
            self.found[Check.RISK] += 1
        return len(self.groups) > before

    def key(self, index: int) -> str:
        """Return what a conversation that passed is called: SOURCE/ID."""
        return f"{self.names[self.source[index]]}/{self.passed[index].id}"

    def texts(self) -> Signatures:
        """Return the signatures of all that passed."""
        return _stacked(self._texts)

    def stories(self) -> Signatures:
        """Return the signatures of all clients, in the order of their numbers."""
        return _stacked(self._stories)

    def rows(self, indices: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Yield the rows of some that passed."""
        assert self.spool is not None, "nothing was kept"  # noqa: S101 -- a bug, not a user's mistake
        for index in indices:
            self.spool.seek(self._offsets[index])
            yield index, self.spool.read(self._offsets[index + 1] - self._offsets[index])


def _stacked(parts: list[Signatures]) -> Signatures:
    """Return the parts as one, and keep only that: the parts would cost as much again."""
    whole = np.concatenate(parts) if parts else sign([])
    parts[:] = [whole]
    return whole


@contextmanager
def spooling(folder: Path) -> Iterator[BinaryIO]:
    """Open a file without a name in a folder, made if need be: it is gone with the process, however that ends.

    Raises:
        ExportError: The folder or the file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            yield file
    except OSError as error:
        raise ExportError(f"{folder}: cannot be written ({error.strerror or error}); choose another --out or make room") from error
