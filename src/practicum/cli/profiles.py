"""`practicum profiles check`: can this file be used, and what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from practicum.cli.console import print_json
from practicum.cli.options import Json
from practicum.core import Language

profiles = typer.Typer(name="profiles", help="Look into files of client profiles.", no_args_is_help=True, rich_markup_mode=None)


@profiles.callback()
def _profiles() -> None:
    """Look into files of client profiles."""  # without a callback, typer folds a group of one command into that command


@profiles.command()
def check(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A .json, .jsonl or .csv file, a .txt file, or a folder of .txt files.", show_default=False),
    ],
    language: Annotated[Language | None, typer.Option("--language", help="Language of every profile; default: each one's own.")] = None,
    json: Json = False,
) -> None:
    """Check a file of profiles and describe it.

    Exits with 2, and a line for each bad row, if it cannot be used.
    """
    from practicum.dataset import describe_profiles, read_profiles

    found = describe_profiles(read_profiles(file, language=language))
    if json:
        print_json(found)
        return
    lengths = found["lengths"]
    print(f"{file}: {found['count']:,} profiles, all usable")
    print(f"languages   {_listed(found['languages'])}")
    print(f"characters  {lengths['min']:,} to {lengths['max']:,}, median {lengths['median']:,}")
    print(f"splits      {_listed(found['splits'])}")
    print(f"risk        {found['risky']:,} flagged" + (f" ({_listed(found['risks'])})" if found["risks"] else ""))


def _listed(tally: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in tally.items())
