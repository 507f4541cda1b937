"""Exports from a store: the sessions of a run, with the counselor's prompt that the run was made with."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from practicum.core import Form, Language, Session, Speaker
from practicum.dataset.export import ExportReport, export_sessions
from practicum.dataset.formats import Format
from practicum.roles import Prompt
from practicum.store import DEFAULT_URL, RunInfo, Store


def export_run(run: str, *, form: Format, out: Path, include_risk: bool = False, db: str = DEFAULT_URL) -> ExportReport:
    """Export the sessions of a run; every row carries the counselor's chat-form prompt, whatever form the run used.

    Args:
        run: Its name.
        form: The format; see `export_sessions`.
        out: The folder.
        include_risk: Keep sessions in which a risk was found.
        db: SQLAlchemy URL of the store.

    Raises:
        StoreError: There is no such store or run.
        ExportError: The folder cannot be written, or there is nothing to write.
    """
    with Store.open(db, create=False) as store:
        prompts = system_prompts(store.run(run))
        report = export_sessions(store.sessions(run), form=form, out=out, include_risk=include_risk, system_prompt=prompts)
        if report.trained:
            store.mark_exported(run, report.trained, time.time())
        return report


def system_prompts(info: RunInfo) -> Callable[[Session], str]:
    """Return what gives the counselor's chat-form prompt for a session of a run; "" where none is known (imported choices)."""
    if "export_prompts" not in info.identity:
        return lambda _: ""
    texts = {(prompt.id, prompt.digest): prompt.text for prompt in info.prompts}

    @cache
    def rendered(language: Language) -> str:
        ref = info.identity["export_prompts"][language]
        text = texts[ref["id"], ref["digest"]]
        prompt = Prompt(id=ref["id"], role=Speaker.COUNSELOR, language=language, form=Form.CHAT, text=text)
        return prompt.render(language=language, max_exchanges=info.identity["max_exchanges"])

    return lambda session: rendered(session.profile.language)
