"""What is written before a run's sessions begin: the run itself, and the sessions that it plans."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, insert, select, update

from practicum.core import Profile
from practicum.errors import ConfigError, RunConflictError
from practicum.store.codec import LARGEST, dump_json, profile_row
from practicum.store.dialect import insert_or_ignore
from practicum.store.rows import PlannedSession, RunRecord
from practicum.store.tables import PARTICIPANT, PROFILE, PROMPT, RUN, SESSION

RUN_NAME = re.compile(r"[^\W_][\w.-]{0,63}")

ABSENT = "nothing"


def check_run_name(name: str) -> None:
    """Refuse a run name that could not be a part of a file's name.

    Raises:
        ConfigError: See `RunRecord.name`.
    """
    if not RUN_NAME.fullmatch(name):
        raise ConfigError(
            f"run: {name!r} is no name for a run; expected a letter or digit, then at most 63 letters, digits, '.', '_' or '-'"
        )


def begin_run(connection: Connection, plan: RunRecord, at: float) -> int:
    """Return the id of a run: a new one, or the one of this name if its identity is the same.

    Raises:
        RunConflictError: It is not; the message has a line per difference.
    """
    check_run_name(plan.name)
    settings = dump_json(plan.settings)
    stored = connection.execute(select(RUN.c.id, RUN.c.digest, RUN.c.identity).where(RUN.c.name == plan.name)).one_or_none()
    if stored is None:
        columns = {"name": plan.name, "digest": plan.digest, "identity": dump_json(plan.identity), "settings": settings}
        connection.execute(insert(RUN).values(**columns, version=plan.version, created_at=at))
        run_id = int(connection.execute(select(RUN.c.id).where(RUN.c.name == plan.name)).scalar_one())
    else:
        run_id = int(stored.id)
        if stored.digest != plan.digest:
            lines = list_differences(orjson.loads(stored.identity), orjson.loads(dump_json(plan.identity)))
            raise RunConflictError(
                "\n  ".join([f"run {plan.name!r} was begun otherwise; give what is stored, or another --run name:", *lines])
            )
        connection.execute(update(RUN).where(RUN.c.id == run_id).values(settings=settings))
    if plan.participants:
        rows = [{"run_id": run_id, "digest": one.digest, "data": dump_json(one)} for one in plan.participants]
        connection.execute(insert_or_ignore(PARTICIPANT), rows)
    if plan.prompts:
        texts = [{"run_id": run_id, "id": one.id, "digest": one.digest, "text": one.text} for one in plan.prompts]
        connection.execute(insert_or_ignore(PROMPT), texts)
    return run_id


def list_differences(stored: Any, given: Any) -> list[str]:
    """Return a line per leaf in which two JSON values differ: `sampling.top_p: stored 1.0, given 0.9`."""
    old, new = dict(_leaves(stored)), dict(_leaves(given))
    paths = [path for path in {**old, **new} if path not in old or path not in new or old[path] != new[path]]
    return [f"{path}: stored {old.get(path, ABSENT)}, given {new.get(path, ABSENT)}" for path in paths]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path and the (shortened) JSON of every leaf; an empty mapping or list is one."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        for position, item in enumerate(value):
            yield from _leaves(item, f"{path}[{position}]")
    else:
        yield path, dump_json(value)


def plan_sessions(connection: Connection, run_id: int, planned: Sequence[PlannedSession]) -> int:
    """Add those sessions to a run that it does not have yet, in order, and return how many these are.

    Args:
        connection: In a transaction that may write.
        run_id: The run.
        planned: At most `CHUNK` sessions.

    Raises:
        ConfigError: A seed does not fit into 64 bits.
    """
    if any(abs(one.seed) > LARGEST for one in planned):
        raise ConfigError(f"seed: {max(one.seed for one in planned)} is too large; expected an integer of at most 63 bits")
    profile_ids = _add_profiles(connection, (one.profile for one in planned))
    rows = [
        {
            "run_id": run_id,
            "key": one.key,
            "profile_id": profile_ids[id(one.profile)],
            "case_digest": one.case,
            "number": one.number,
            "client": one.client,
            "counselor": one.counselor,
            "seed": one.seed,
            "epoch": 0,
            "failure": "",
            "risk": "[]",
        }
        for one in planned
    ]
    return connection.execute(insert_or_ignore(SESSION), rows, execution_options={"preserve_rowcount": True}).rowcount


def _add_profiles(connection: Connection, profiles: Iterable[Profile]) -> dict[int, int]:
    """Return the stored ids of profiles, by the identity of the object, so that one shared by many sessions is encoded once."""
    rows = {id(profile): profile_row(profile) for profile in {id(profile): profile for profile in profiles}.values()}
    connection.execute(insert_or_ignore(PROFILE), list(rows.values()))
    wanted = {row["content"] for row in rows.values()}
    found = connection.execute(select(PROFILE.c.content, PROFILE.c.id).where(PROFILE.c.content.in_(wanted)))
    ids = {row.content: row.id for row in found}
    return {key: ids[row["content"]] for key, row in rows.items()}
