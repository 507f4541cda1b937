"""One owner per run: a lock of the operating system, which dies with its process."""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from practicum.errors import RunLockedError, StoreError


class RunOwner:
    """Holds a run until it is released, left as a context manager, or its process ends in any way."""

    def __init__(self, name: str, path: Path | None) -> None:
        """Take the run.

        Args:
            name: The run's name.
            path: The lock file; None where no other process can see the store.

        Raises:
            RunLockedError: Somebody else holds it.
            StoreError: The lock file cannot be made.
        """
        self.name = name
        self._path = path
        self._file = None if path is None else _lock(name, path)

    def release(self) -> None:
        """Let the run go; again is harmless."""
        if self._file is None or self._path is None:
            return
        # The name goes first: whoever opens the path from here on makes a new file, see `_lock`.
        self._path.unlink(missing_ok=True)
        os.close(self._file)
        self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


def _lock(name: str, path: Path) -> int:
    """Return the descriptor that holds the lock on `path`; the file names this process."""
    try:
        while True:
            with ExitStack() as on_failure:
                file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
                on_failure.callback(os.close, file)
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Else the former owner removed this very file between our opening and our locking it: it guards nothing.
                if _is_file_at(file, path):
                    os.ftruncate(file, 0)
                    os.write(file, f"{os.getpid()}\n".encode())
                    on_failure.pop_all()
                    return file
    except BlockingIOError:
        raise RunLockedError(
            f"run {name!r} is held by {_holder(path)} (lock {path}); wait until it is done, stop it, or give this one another --run name"
        ) from None
    except OSError as error:
        raise StoreError(f"run {name!r}: cannot lock {path}: {error.strerror}; keep the store in a local folder of your own") from error


def _holder(path: Path) -> str:
    with suppress(OSError):
        if pid := path.read_text(errors="replace").strip():
            return f"process {pid}"
    return "another process"


def _is_file_at(file: int, path: Path) -> bool:
    """Say whether an open file is still the one that its path names."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
