"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from practicum.errors import ExportError


class Draft:
    """A file in the making, hidden beside the one that it will replace."""

    def __init__(self, target: Path) -> None:
        self._target = target
        # The process id keeps two exports into one folder apart; a killed one leaves its draft, hidden, behind.
        self._path = target.with_name(f".{target.name}.{os.getpid()}.part")
        with _export_error(target):
            self._file = self._path.open("wb")

    def write(self, data: bytes) -> None:
        """Append bytes.

        Raises:
            ExportError: The disk is full, or has gone.
        """
        with _export_error(self._target):
            self._file.write(data)

    def finish(self) -> None:
        """Bring every byte to the disk, so that no power loss can publish an empty file."""
        with _export_error(self._target):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def publish(self) -> None:
        """Put the finished draft in the place of its target."""
        with _export_error(self._target):
            self._path.replace(self._target)

    def discard(self) -> None:
        """Remove the draft, if it is still there."""
        with suppress(OSError):  # closing tries to write what is left once more
            self._file.close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


@contextmanager
def drafting(folder: Path, names: Sequence[str]) -> Iterator[list[Draft]]:
    """Open a draft for each name in a folder, made if need be.

    All are complete on the disk before the first is published; they are published in the order of their names, each at
    once. If the block raises, none is, and the files that were there stay as they were.

    Raises:
        ExportError: The folder or a file in it cannot be written.
    """
    with _export_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        drafts: list[Draft] = []
        for name in names:
            drafts.append(Draft(folder / name))
            stack.callback(drafts[-1].discard)
        yield drafts
        for draft in drafts:
            draft.finish()
        for draft in drafts:
            draft.publish()
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    """Make the new names durable, where the system lets a folder be opened."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _export_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ExportError(f"{path}: cannot be written ({error.strerror or error}); choose another --out or make room") from error
