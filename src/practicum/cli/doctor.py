"""`practicum doctor`: is everything here that a run needs, and what to do where it is not."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from practicum.cli.console import colored, count
from practicum.cli.options import DEFAULT_DB, MODEL, Db, shown_url
from practicum.errors import PracticumError

if TYPE_CHECKING:
    from practicum.backends import ModelName

PACKAGES = (
    "aiohttp", "alembic", "fastapi", "httptools", "jinja2", "numpy", "orjson", "pip", "prometheus-client", "pydantic", "rich", "sqlalchemy",
    "typer", "uvicorn", "uvloop", "xllamacpp",
)  # fmt: skip
ANSWER_SECONDS = 5.0
LITTLE_DISK, TOO_LITTLE_DISK = 2_000_000_000, 100_000_000
"""Bytes: a demo and its model, a few thousand sessions."""
COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


class Finding(NamedTuple):
    """One thing looked at."""

    state: str
    """ok, warn (it will do) or fail."""
    text: str
    """What was found and, unless it is well, what to do."""


def doctor(
    models: Annotated[list[str] | None, typer.Argument(metavar="MODEL...", help=f"Models to look for: {MODEL}", show_default=False)] = None,
    db: Db = DEFAULT_DB,
) -> None:
    """Check machine, store and models, and say what to do.

    A model server is asked for its list of models, which costs nothing. Exits with 1 if something fails.
    """
    failed = False
    for finding in _examine(models or (), db):
        failed |= finding.state == "fail"
        print(f"{colored(f'{finding.state:<4}', COLORS[finding.state], bold=True)}  {finding.text}", flush=True)
    raise typer.Exit(int(failed))


def _examine(models: Iterable[str], db: str) -> Iterator[Finding]:
    yield Finding("ok", f"Python {sys.version.split()[0]}, {sys.platform}")
    yield from check_packages(PACKAGES)
    yield check_machine()
    yield check_terminal()
    yield from check_store(db)
    for model in models:
        yield from check_model(model)


def check_packages(names: Iterable[str]) -> Iterator[Finding]:
    """Look for the packages that practicum needs."""
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            if name != "uvloop" or sys.platform != "win32":
                yield Finding("fail", f"package {name} is missing; install practicum again: pip install --force-reinstall practicum")
    yield Finding("ok", ", ".join(found))


def check_machine() -> Finding:
    """Look at cores and free memory: what a local model needs."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # not on macOS, not on Windows
        return Finding("ok", f"{cores} cores")
    text = f"{cores} cores, {free / 1e9:.1f} GB of memory free"
    return Finding("ok", text) if free > 2e9 else Finding("warn", f"{text}; local:qwen2.5-coder-1.5b needs 2 GB: close something")


def check_terminal() -> Finding:
    """Look whether Chinese can be shown."""
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    where = f"terminal of {shutil.get_terminal_size().columns} columns" if sys.stdout.isatty() else "no terminal"
    if encoding != "utf8":
        return Finding("warn", f"{where}, {encoding}: Chinese is shown as escapes; set PYTHONUTF8=1")
    return Finding("ok", f"{where}, UTF-8")


def check_store(db: str) -> Iterator[Finding]:
    """Look whether the store can be opened, or made, and has room to grow."""
    from practicum.store import Store

    shown = shown_url(db)
    file = Path(db.removeprefix("sqlite:///")).absolute()
    new = db.startswith("sqlite:///") and not file.exists() and file.parent.is_dir()
    if new and not os.access(file.parent, os.W_OK):
        yield Finding("fail", f"store {shown}: {file.parent} cannot be written; change its permissions or choose another --db")
        return
    if new:
        yield Finding("ok", f"store {shown}: not there yet, `practicum simulate` makes it")
    else:
        try:
            with Store.open(db, create=False) as store:
                yield Finding("ok", f"store {shown}: {count(len(store.runs()), 'run')}")
        except PracticumError as error:
            yield Finding("fail", str(error))
            return
    yield check_disk(shutil.disk_usage(file.parent).free, file.parent)


def check_disk(free: int, folder: Path) -> Finding:
    """Judge how many bytes a folder has left."""
    text = f"{free / 1e9:.1f} GB free in {folder}"
    if free < TOO_LITTLE_DISK:
        return Finding("fail", f"{text}: too little for a run; make room or choose another --db")
    return Finding("warn", f"{text}: enough for sessions, not for a model") if free < LITTLE_DISK else Finding("ok", text)


def check_model(text: str) -> Iterator[Finding]:
    """Look whether a model can be used: its name, its weights or lines, its key, its server."""
    from practicum.backends import find_key, read_model_name, read_rule

    try:
        model = read_model_name(text)
        if model.backend == "local":
            yield _check_weights(model)
        elif model.backend == "hf":
            yield from _check_transformers(model)
        elif model.backend == "bot":
            yield from _check_bot(model)
        elif model.backend == "script":
            read_rule(model.name)
            yield Finding("ok", f"{model.identity}: can be read")
        for address in model.addresses:
            key = find_key(model, address)
            yield Finding("ok", f"{model.identity}: {'a key is set' if key else 'no key is sent'} for {address}")
            yield _check_server(model, address, key)
    except PracticumError as error:
        yield Finding("fail", str(error))


def _check_weights(model: ModelName) -> Finding:
    from practicum.backends import find_model, is_present, model_path, read_gguf

    if model.name.endswith(".gguf"):
        read_gguf(Path(model.name))
        return Finding("ok", f"{model.identity}: can be read")
    known = find_model(model.name)
    if not is_present(known):
        return Finding("fail", f"{model.identity}: its weights are not here; `practicum models pull {known.name}` fetches them")
    return Finding("ok", f"{model.identity}: {model_path(known)}" + (f" ({known.note})" if known.note else ""))


def _check_transformers(model: ModelName) -> Iterator[Finding]:
    """Look for the libraries of an `hf:` model and, where it is a folder or file, for that."""
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name, how in (("torch", "install the build that fits your machine"), ("transformers", "pip install 'practicum[hf]'")):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding("fail", f"{model.identity}: package {name} is missing; {how}")
    path = Path(model.name)
    if path.exists():
        found.append("its files are here")
    elif path.suffix or path.is_absolute() or model.name.count("/") != 1:
        yield Finding("fail", f"{model.identity}: there is no such folder or file; a hub id looks like OWNER/NAME")
    else:
        found.append("fetched from the hub at first use, unless transformers has it already")
    yield Finding("ok", f"{model.identity}: {', '.join(found)}")


def _check_bot(model: ModelName) -> Iterator[Finding]:
    from practicum.serve import find_bot

    bot = find_bot(model.name)
    yield Finding("ok", f"bot:{bot.name}: can be read; it answers with {bot.model.name}")
    yield from check_model(bot.model.name)


def _check_server(model: ModelName, address: str, key: str | None) -> Finding:
    """Ask a server for its list of models: that costs nothing."""
    import asyncio

    from practicum.backends import Answer, TransportError, open_transport

    async def ask() -> Answer:
        transport = open_transport(address, key)
        try:
            return await transport.send("/models", None, timeout=ANSWER_SECONDS)
        finally:
            await transport.aclose()

    try:
        answer = asyncio.run(ask())
    except TransportError as error:
        return Finding("fail", f"{address} does not answer ({error}); is the server running, and is the address right?")
    if answer.status in (401, 403):
        return Finding("fail", f"{address} refuses the key (status {answer.status}); set the right one")
    if answer.status != 200:
        return Finding("warn", f"{address} answers, but gives no list of models (status {answer.status})")
    names = _listed_models(answer.body)
    if names and model.name not in names:
        more = ", …" if len(names) > 8 else ""
        return Finding("warn", f"{address} does not list {model.name!r}; it lists {', '.join(names[:8])}{more}")
    return Finding("ok", f"{address} answers" + (f" and lists {model.name}" if names else ""))


def _listed_models(body: bytes) -> list[str]:
    """Return the ids in an answer to `GET /models`; none where it is of another kind."""
    import orjson

    try:
        return [str(entry["id"]) for entry in orjson.loads(body)["data"]]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return []
