"""What is read from a store: runs, sums, sessions. Nothing here writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, RowMapping, case, func, select

from practicum.core import Ending, Record, Session, Speaker, text_digest
from practicum.errors import StoreError
from practicum.store.codec import LARGEST, load_mapping, read_participant, read_session
from practicum.store.hot import IS_OWED, read_turns
from practicum.store.rows import Claim, Note, OwedSession, PromptText, RunInfo, RunSummary, Totals
from practicum.store.tables import EXPORTED, NOTE, PARTICIPANT, PROFILE, PROMPT, RECORD, RUN, SESSION, TURN

PAGE = 64
"""Sessions that are read at once: a few MiB at 100 turns each."""

_PROFILE_COLUMNS = [column.label(f"profile_{column.name}") for column in PROFILE.c if column.name not in ("id", "content")]


def list_runs(connection: Connection) -> list[RunSummary]:
    """Return every run, the oldest first."""
    rows = connection.execute(select(RUN).order_by(RUN.c.id)).mappings().all()
    return [
        RunSummary(
            name=row["name"],
            digest=row["digest"],
            version=row["version"],
            created_at=row["created_at"],
            totals=sum_up(connection, row["id"]),
        )
        for row in rows
    ]


def find_run(connection: Connection, name: str) -> RowMapping:
    """Return the row of a run.

    Raises:
        StoreError: There is none of this name; the message has those that there are.
    """
    row = connection.execute(select(RUN).where(RUN.c.name == name)).mappings().one_or_none()
    if row is None:
        known = connection.scalars(select(RUN.c.name).order_by(RUN.c.id.desc()).limit(10)).all()
        raise StoreError(f"there is no run {name!r} in this store; " + (f"known: {', '.join(known)}" if known else "it has no runs yet"))
    return row


def read_run(connection: Connection, name: str) -> RunInfo:
    """Return all about a run but its sessions; raises like `find_run`."""
    row = find_run(connection, name)
    run_id = row["id"]
    participants = connection.scalars(select(PARTICIPANT.c.data).where(PARTICIPANT.c.run_id == run_id).order_by(PARTICIPANT.c.digest))
    prompts = connection.execute(select(PROMPT.c.id, PROMPT.c.text).where(PROMPT.c.run_id == run_id).order_by(PROMPT.c.id, PROMPT.c.digest))
    notes = connection.execute(select(NOTE.c.at, NOTE.c.text).where(NOTE.c.run_id == run_id).order_by(NOTE.c.id))
    return RunInfo(
        name=name,
        digest=row["digest"],
        version=row["version"],
        created_at=row["created_at"],
        totals=sum_up(connection, run_id),
        identity=load_mapping(row["identity"]),
        settings=load_mapping(row["settings"]),
        participants=tuple(read_participant(data) for data in participants),
        prompts=tuple(PromptText(id=prompt.id, text=prompt.text) for prompt in prompts),
        notes=tuple(Note(note.at, note.text) for note in notes),
    )


def sum_up(connection: Connection, run_id: int) -> Totals:
    """Return the sums of a run."""
    sessions = connection.execute(
        select(SESSION.c.ending, func.count().label("n"), func.sum(case((SESSION.c.risk != "[]", 1), else_=0)).label("flagged"))
        .where(SESSION.c.run_id == run_id)
        .group_by(SESSION.c.ending)
    ).all()
    spoken = connection.execute(
        select(
            func.count().label("turns"),
            func.coalesce(func.sum(case((TURN.c.speaker == Speaker.COUNSELOR.value, 1), else_=0)), 0).label("exchanges"),
            func.coalesce(func.sum(TURN.c.prompt_tokens), 0).label("prompt_tokens"),
            func.coalesce(func.sum(TURN.c.completion_tokens), 0).label("completion_tokens"),
        )
        .join(SESSION)
        .where(SESSION.c.run_id == run_id)
    ).mappings()
    refused = select(func.count()).select_from(RECORD).join(SESSION).where(SESSION.c.run_id == run_id, RECORD.c.kind == "refused")
    notes = select(func.count()).select_from(NOTE).where(NOTE.c.run_id == run_id)
    return Totals(
        planned=sum(row.n for row in sessions),
        endings={Ending(row.ending): row.n for row in sessions if row.ending is not None},
        flagged=sum(row.flagged for row in sessions),
        refused=connection.scalar(refused) or 0,
        notes=connection.scalar(notes) or 0,
        **spoken.one(),
    )


def list_owed(connection: Connection, run_id: int) -> list[OwedSession]:
    """Return the sessions of a run without an ending or failed, in plan order."""
    rows = connection.execute(
        select(SESSION.c.id, SESSION.c.key, PROFILE.c.name, SESSION.c.number, SESSION.c.ending)
        .join(PROFILE)
        .where(SESSION.c.run_id == run_id, IS_OWED)
        .order_by(SESSION.c.id)
    )
    return [OwedSession(id_, key, profile, number, ending is not None) for id_, key, profile, number, ending in rows]


def read_page(connection: Connection, run: RowMapping, after: int, *, with_turns: bool) -> list[tuple[int, Session]]:
    """Return the next `PAGE` sessions of a run, with their ids, in plan order, beyond the id `after`."""
    return _read(connection, run, SESSION.c.id > after, with_turns=with_turns)


def read_one(connection: Connection, run: RowMapping, session_id: int) -> Session:
    """Return one session of a run, which has it."""
    return _read(connection, run, SESSION.c.id == session_id, with_turns=True)[0][1]


def find_session(connection: Connection, run: RowMapping, which: str) -> int:
    """Return the id of a session.

    Args:
        connection: To the store.
        run: The run's row.
        which: Its position in the plan, from 1, or else the first characters of its key.

    Raises:
        StoreError: There is none, or there are several.
    """
    of_run = select(SESSION.c.id, SESSION.c.key).where(SESSION.c.run_id == run["id"]).order_by(SESSION.c.id)
    if which.isascii() and which.isdigit() and 0 < int(which) <= LARGEST:
        at_position = connection.execute(of_run.offset(int(which) - 1).limit(1)).one_or_none()
        if at_position is not None:
            return int(at_position.id)
    prefix = which.lower()
    found = connection.execute(of_run.where(SESSION.c.key.startswith(prefix, autoescape=True)).limit(4)).all() if prefix else []
    if not found:
        raise StoreError(f"run {run['name']!r} has no session {which!r}; expected its number in the run, from 1, or the start of its key")
    if len(found) > 1:
        keys = ", ".join(row.key for row in found[:3])
        raise StoreError(f"run {run['name']!r} has several sessions {which!r} ({keys} …); give more of the key")
    return int(found[0].id)


def _read(connection: Connection, run: RowMapping, condition: ColumnElement[bool], *, with_turns: bool) -> list[tuple[int, Session]]:
    rows = connection.execute(
        select(SESSION, *_PROFILE_COLUMNS).join(PROFILE).where(SESSION.c.run_id == run["id"], condition).order_by(SESSION.c.id).limit(PAGE)
    )
    page = [row._asdict() for row in rows]
    turns = read_turns(connection, [row["id"] for row in page]) if with_turns else {}
    return [(row["id"], read_session(row, run["name"], turns.get(row["id"], ()))) for row in page]


def read_records(
    connection: Connection, run: RowMapping, after: int, kinds: Sequence[str], *, with_turns: bool
) -> list[tuple[int, Session, list[tuple[int, Record]]]]:
    """Return the next `PAGE` sessions of a run beyond the id `after`, with their ids and their records of some kinds, in order."""
    page = read_page(connection, run, after, with_turns=with_turns)
    rows = connection.execute(
        select(RECORD.c.session_id, RECORD.c.idx, RECORD.c.kind, RECORD.c.data)
        .where(RECORD.c.session_id.in_([id_ for id_, _ in page]), RECORD.c.kind.in_(kinds))
        .order_by(RECORD.c.session_id, RECORD.c.idx, RECORD.c.id)
    )
    records: defaultdict[int, list[tuple[int, Record]]] = defaultdict(list)
    for row in rows:
        records[row.session_id].append((row.idx, Record(kind=row.kind, data=load_mapping(row.data))))
    return [(id_, session, records.get(id_, [])) for id_, session in page]


def read_claims(connection: Connection, run: RowMapping) -> dict[str, Claim]:
    """Return for each session of a run, by its key, the claim that holds now, without turns."""
    rows = connection.execute(select(SESSION.c.key, SESSION.c.id, SESSION.c.epoch).where(SESSION.c.run_id == run["id"]))
    return {row.key: Claim(row.id, row.epoch, ()) for row in rows}


def list_trained(connection: Connection) -> set[str]:
    """Return the digests of the stories of all sessions that were ever exported for training."""
    stories = connection.scalars(select(PROFILE.c.text).distinct().join(SESSION).join(EXPORTED))
    return {text_digest(story) for story in stories}


def list_records(connection: Connection, session_id: int) -> list[tuple[int, Record]]:
    """Return what was committed with a session's turns, each with the index of its turn, in order."""
    rows = connection.execute(
        select(RECORD.c.idx, RECORD.c.kind, RECORD.c.data).where(RECORD.c.session_id == session_id).order_by(RECORD.c.idx, RECORD.c.id)
    )
    return [(row.idx, Record(kind=row.kind, data=load_mapping(row.data))) for row in rows]
