"""`practicum export`: a run's sessions or choices as files to train on or to read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from practicum.cli.options import DEFAULT_DB, Db, RunName

FormatName = Literal["sharegpt", "messages", "jsonl", "csv", "choices", "preferences"]
"""The values of `practicum.dataset.Format`, and what an arena's choices become; those rooms are loaded when they are used."""


def export(
    run: RunName,
    form: Annotated[
        FormatName,
        typer.Option(
            "--format",
            help="sharegpt: LLaMA-Factory. messages: TRL, ms-swift, Axolotl. jsonl: everything, a session a line. csv: a turn a row. "
            "Of an arena: choices: a ballot a row. preferences: chosen and rejected replies, for preference tuning.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder; made if need be.", show_default=False)],
    include_risk: Annotated[bool, typer.Option("--include-risk", help="Keep sessions in which a risk was found.")] = False,
    db: Db = DEFAULT_DB,
) -> None:
    """Write a run's sessions or choices into files, and say what was left out."""
    for line in _export(run, form, out, include_risk, db):
        print(line)


def _export(run: str, form: FormatName, out: Path, include_risk: bool, db: str) -> list[str]:
    if form in ("choices", "preferences"):
        from practicum.arena import export_choices, export_preferences

        write = export_choices if form == "choices" else export_preferences
        return write(run, out=out, include_risk=include_risk, db=db).lines()
    from practicum.dataset import Format, export_run

    return export_run(run, form=Format(form), out=out, include_risk=include_risk, db=db).lines()
