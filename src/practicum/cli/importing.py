"""`practicum import choices`: ballots that others cast, as a run to rank like our own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from practicum.cli.options import DEFAULT_DB, Db, db_option

importing = typer.Typer(name="import", help="Take in what was made elsewhere.", no_args_is_help=True, rich_markup_mode=None)


@importing.callback()
def _importing() -> None:
    """Take in what was made elsewhere."""  # without a callback, typer folds a group of one command into that command


@importing.command()
def choices(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .csv file with a header, or a .jsonl file.", show_default=False)],
    run: Annotated[str, typer.Option("--run", metavar="NAME", help="Name of the run that they become.", show_default=False)],
    db: Db = DEFAULT_DB,
) -> None:
    """Take in choices, one row a ballot, and say what they are.

    A row has session, turn, profile, rater, candidates in the order in which they were shown, and what
    was chosen. Exits with 2, and a line for each bad row, if one is bad; then nothing is written.
    """
    from practicum.arena import import_choices

    for line in import_choices(file, run=run, db=db).lines():
        print(line)
    print(f"`practicum rank {run}{db_option(db)}` ranks them")
