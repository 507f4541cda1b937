"""The door: one file per verb; each parses, calls the API and prints. Nothing else in practicum prints.

Verb modules load typer and nothing heavier; what a verb needs is imported where it runs, so that the help and a
simulation begin at once.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from practicum.cli.arena import arena
from practicum.cli.bots import bots
from practicum.cli.chat import chat
from practicum.cli.console import complain
from practicum.cli.curate import curate
from practicum.cli.demo import demo
from practicum.cli.doctor import doctor
from practicum.cli.export import export
from practicum.cli.importing import importing
from practicum.cli.keys import keys
from practicum.cli.models import models
from practicum.cli.profiles import profiles
from practicum.cli.prompts import prompts
from practicum.cli.rank import rank
from practicum.cli.runs import runs
from practicum.cli.serve import serve
from practicum.cli.show import show
from practicum.cli.simulate import simulate
from practicum.cli.train import train
from practicum.core.version import VERSION
from practicum.errors import PracticumError

__all__ = ["app", "main"]


class _Door(TyperGroup):
    """Tells mistakes in a line each; a bug keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:  # typer copies click's Context into itself, under a private name
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # a reader that has left is noticed here, where it is still handled
        except PracticumError as error:
            if ctx.params["debug"]:
                raise
            complain(str(error))
            raise typer.Exit(error.exit_status) from None
        return result


app = typer.Typer(
    name="practicum",
    cls=_Door,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help: rich would cost a tenth of a second before the first word
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"practicum {VERSION}")
        raise typer.Exit


@app.callback()
def _practicum(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")] = False,
) -> None:
    """Simulated psychological counseling, with language models on every chair.

    `practicum demo` shows the whole tour. Nothing here is therapy.
    """


for _verb in (demo, simulate, curate, train, arena, rank, serve, chat, runs, show, export, prompts, doctor):
    app.command()(_verb)
app.add_typer(profiles)
app.add_typer(models)
app.add_typer(bots)
app.add_typer(keys)
app.add_typer(importing)


def main() -> None:
    """Run the command line.

    Exits with 0 if all went well, 1 for a failed run, 2 for a wrong command or configuration, 130 if interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show Chinese gets escapes, not a crash.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    app(prog_name="practicum")
