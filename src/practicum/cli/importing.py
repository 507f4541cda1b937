"""`practicum import choices|sessions`: what was made elsewhere, as a run like our own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from practicum.cli.console import count
from practicum.cli.options import DEFAULT_DB, Db, db_option
from practicum.core import Split

importing = typer.Typer(name="import", help="Take in what was made elsewhere.", no_args_is_help=True, rich_markup_mode=None)


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


@importing.command()
def sessions(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file or folder of conversations; what `practicum curate` reads.", show_default=False)
    ],
    run: Annotated[str, typer.Option("--run", metavar="NAME", help="Name of the run that they become.", show_default=False)],
    split: Annotated[Split | None, typer.Option("--split", help="Marks every client: train, dev or test.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", help="Take the first N only.")] = None,
    db: Db = DEFAULT_DB,
) -> None:
    """Take in whole conversations, to be read, exported, or replayed in an arena (--continue fixed).

    The same file again changes nothing. Exits with 2, and a line for each bad row, if one is bad; then nothing is written.
    """
    from practicum.dataset import import_sessions, read_corpus

    done = import_sessions(read_corpus(file), run=run, source=file.name, split=split, limit=limit, db=db)
    print(f"{count(done.sessions, 'session')} in {run}, {done.written:,} of them new")
    if done.left_out:
        print(f"{done.left_out:,} left out: without an exchange")
    print(f"`practicum show {run}{db_option(db)}` shows them")
