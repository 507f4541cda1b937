"""`practicum export`: a run's sessions as files to train on or to read."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from practicum.cli.options import DEFAULT_DB, Db, RunName
from practicum.core import Form, Session, Speaker

if TYPE_CHECKING:
    from practicum.core import Language
    from practicum.dataset import ExportReport
    from practicum.store import RunInfo

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
    for line in export_run(run, form=form, out=out, include_risk=include_risk, db=db).lines():
        print(line)


def export_run(run: str, *, form: FormatName, out: Path, include_risk: bool, db: str) -> ExportReport:
    """Export a run with the counselor's chat-form prompt that the run was made with.

    Raises:
        StoreError: There is no such store or run.
        ExportError: The folder cannot be written, or there is nothing to write.
    """
    from practicum.dataset import Format, export_sessions
    from practicum.store import Store

    with Store.open(db, create=False) as store:
        return export_sessions(
            store.sessions(run), form=Format(form), out=out, include_risk=include_risk, system_prompt=_system_prompts(store.run(run))
        )


def _system_prompts(info: RunInfo) -> Callable[[Session], str]:
    from practicum.roles import Prompt

    texts = {(prompt.id, prompt.digest): prompt.text for prompt in info.prompts}

    @cache
    def rendered(language: Language) -> str:
        ref = info.identity["export_prompts"][language]
        text = texts[ref["id"], ref["digest"]]
        prompt = Prompt(id=ref["id"], role=Speaker.COUNSELOR, language=language, form=Form.CHAT, text=text)
        return prompt.render(language=language, max_exchanges=info.identity["max_exchanges"])

    return lambda session: rendered(session.profile.language)
