"""`practicum export`: a run's sessions as files to train on or to read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from practicum.cli.options import DEFAULT_DB, Db, RunName

FormatName = Literal["sharegpt", "messages", "jsonl", "csv"]
"""The values of `practicum.dataset.Format`, for the help; that room is loaded when it is used."""


def export(
    run: RunName,
    form: Annotated[
        FormatName,
        typer.Option(
            "--format",
            help="sharegpt: LLaMA-Factory. messages: TRL, ms-swift, Axolotl. jsonl: everything, a session a line. csv: a turn a row.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder; made if need be.", show_default=False)],
    include_risk: Annotated[bool, typer.Option("--include-risk", help="Keep sessions in which a risk was found.")] = False,
    db: Db = DEFAULT_DB,
) -> None:
    """Write a run's sessions into files, and say what was left out."""
    from practicum.dataset import Format, export_run

    for line in export_run(run, form=Format(form), out=out, include_risk=include_risk, db=db).lines():
        print(line)
