"""A file on its way: the bytes so far, their running sum, and the step that gives it its name.

Every source delivers the same bytes, so that one source may go on where another one stopped.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from practicum.backends.catalog import CatalogModel
from practicum.errors import ModelFileError

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a download is."""

    source: str
    done: int
    """Bytes on disk, those of an earlier attempt and those still packed included; at most `total`."""
    total: int


OnProgress = Callable[[Progress], None]


class DamagedFileError(ModelFileError):
    """The bytes that arrived are not the model's; they have been thrown away."""


class UnwritableFileError(ModelFileError):
    """The bytes cannot be kept; another source would not help."""


class PartFile:
    """The `.part` file of one model; one at a time, under the download's lock.

    Opening it reads what an earlier attempt left and sums it, about a second a gigabyte.
    """

    def __init__(self, model: CatalogModel, target: Path) -> None:
        self._model = model
        self._target = target
        self.path = target.with_name(target.name + ".part")
        self._file = self.path.open("a+b", buffering=0)
        self._sum = hashlib.sha256()
        self.size = 0
        """Bytes so far."""
        self._file.seek(0)
        while block := self._file.read(CHUNK):
            self._sum.update(block)
            self.size += len(block)
        if self.size > model.bytes:
            self.restart()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    @property
    def missing(self) -> int:
        """Bytes still to come."""
        return self._model.bytes - self.size

    def restart(self) -> None:
        """Throw away what is there."""
        self._file.truncate(0)
        self._sum = hashlib.sha256()
        self.size = 0

    def append(self, block: bytes) -> None:
        """Add the next bytes.

        Raises:
            DamagedFileError: More bytes than the model has.
            UnwritableFileError: The disk is full, say.
        """
        if len(block) > self.missing:
            self.restart()
            raise DamagedFileError(f"{self._model.file}: more than the {self._model.bytes:,} bytes that it should have")
        try:
            rest = memoryview(block)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise UnwritableFileError(f"{self.path}: cannot be written: {error.strerror}; free some space and try again") from error
        self._sum.update(block)
        self.size += len(block)

    def finish(self) -> Path:
        """Check length and sum, make it durable and give it its name.

        Raises:
            DamagedFileError: They are not the model's; the bytes are thrown away.
        """
        if self.missing:
            raise ModelFileError(f"{self._model.file}: {self.size:,} of {self._model.bytes:,} bytes came; try again to fetch the rest")
        if (got := self._sum.hexdigest()) != self._model.sha256:
            self.restart()
            raise DamagedFileError(f"{self._model.file}: SHA-256 should be {self._model.sha256} and is {got}; what came was thrown away")
        os.fsync(self._file.fileno())
        self._file.close()
        return self.path.replace(self._target)
