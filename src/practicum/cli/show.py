"""`practicum show`: a run's sessions, or one session word for word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from practicum.cli.console import clip, colored, duration, print_json, table
from practicum.cli.options import DEFAULT_DB, Db, Json, RunName, db_option, shown_url
from practicum.cli.transcript import print_turn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from practicum.core import Session, Turn
    from practicum.store import Store

FIRST_WORDS = 40
"""Columns for the beginning of a session."""


def show(
    run: RunName,
    session: Annotated[
        str | None, typer.Argument(metavar="SESSION", help="Its number in the list, from 1, or the first characters of its key.")
    ] = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
) -> None:
    """Show a run's sessions, or one session word for word.

    With --json, a session comes with everything that was recorded, refused replies too.
    """
    from practicum.store import Store

    with Store.open(db, create=False) as store:
        if json:
            _print_everything(store, run, session)
        elif session is None:
            _print_sessions(store, run, db)
        else:
            _print_session(store.session(run, session), _choices(store, run, session))


def _print_everything(store: Store, run: str, which: str | None) -> None:
    if which is None:
        print_json({"run": store.run(run), "sessions": list(store.sessions(run, with_turns=False))})
        return
    records = [{"turn": turn, "kind": record.kind, "data": record.data} for turn, record in store.records(run, which)]
    print_json({"session": store.session(run, which), "records": records})


def _print_sessions(store: Store, run: str, db: str) -> None:
    info = store.run(run)
    print(f"run {info.name} in {shown_url(db)}, practicum {info.version}")
    for participant in sorted(info.participants, key=lambda one: one.role):
        prompts = ", ".join(prompt.id for prompt in participant.prompts)
        shown = f"{participant.form}: {prompts}" if prompts else participant.form  # a person, or a bot without an instruction
        print(f"  {participant.role:<10}  {participant.model} ({shown})")
    for note in info.notes:
        print(f"  note: {note.text}")
    header = ("#", "key", "profile", "exchanges", "ending", "risk", "first words")
    rows = [
        (
            number,
            session.key[:8],
            clip(session.profile.id, 28),
            session.exchanges,
            session.ending or "unfinished",
            " ".join(session.risk) or "-",
            clip(_first_words(session.turns), FIRST_WORDS),
        )
        for number, session in enumerate(store.sessions(run), start=1)
    ]
    for line in table(header, rows):
        print(line)
    print(f"\npracticum show {run} 1{db_option(db)}  shows the first one word for word")


def _first_words(turns: Sequence[Turn]) -> str:
    """Return the client's first words of their own: what comes before is a greeting."""
    return turns[min(2, len(turns) - 1)].text if turns else ""


def _choices(store: Store, run: str, which: str) -> Mapping[int, list[str]]:
    """Return for each turn that was chosen among candidates what is to be told of it."""
    info = store.run(run)
    if "names" not in info.settings:
        return {}
    from practicum.arena import names_of, turns_of
    from practicum.cli.transcript import choice_lines

    names = names_of([info])
    return {turn.turn: choice_lines(turn, names) for turn in turns_of(store.records(run, which))}


def _print_session(session: Session, choices: Mapping[int, list[str]]) -> None:
    profile = session.profile
    print(f"session {session.key} of run {session.run}")
    print(f"profile {profile.id} ({profile.language}), session {session.number} of this client")
    print(f"story   {profile.text}")
    if session.risk:
        print(colored(f"risk    {', '.join(session.risk)}", "yellow"))
    print()
    for turn in session.turns:
        print_turn(turn, profile.language)
        for line in choices.get(turn.index, ()):
            print(line)
    for line in choices.get(-1, ()):  # between whole sessions
        print(line)
    print()
    prompt, completion = (sum(getattr(turn, name) for turn in session.turns) for name in ("prompt_tokens", "completion_tokens"))
    seconds = sum(turn.call.seconds for turn in session.turns if turn.call)
    print(
        f"ending {session.ending or 'none yet'}, {session.exchanges} exchanges, "
        f"{prompt:,} + {completion:,} tokens, {duration(seconds)} of model time"
    )
    if session.failure:
        print(f"cause  {session.failure}")
