"""Turns, calls, records and profiles as rows, and back: what is read is what was written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import orjson

from practicum.core import Call, Ending, Form, Participant, Profile, PromptRef, Record, Sampling, Session, Source, Speaker, Turn, digest_of
from practicum.errors import StoreError

LARGEST = 2**63 - 1
"""The largest integer that a column takes."""

MOST_TOKENS = 2**31 - 1
"""Of one turn; more is nonsense, and sums would overflow."""

TURN_COLUMNS = ("session_id", "idx", "speaker", "text", "prompt_tokens", "completion_tokens", "state", "call", "at")
RECORD_COLUMNS = ("session_id", "idx", "kind", "data")

Row = tuple[Any, ...]


def dump_json(value: Any) -> str:
    """Return a JSON-like value (dataclasses included) as JSON text.

    Raises:
        StoreError: The value holds something that JSON has no word for, or text that is not Unicode.
    """
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise StoreError(f"a value cannot be stored: {error}; expected JSON-like data") from error


def storable_text(text: str) -> str:
    """Return a text for people (a cause, a note) with what is not Unicode replaced by `?`."""
    return text.encode(errors="replace").decode()


def turn_row(session_id: int, epoch: int, turn: Turn) -> Row:
    """Return the parameters of the fenced insert: `TURN_COLUMNS`, then session and epoch again for the fence.

    Raises:
        StoreError: The turn cannot be stored. It is refused here, so that it spoils no other session's commit.
    """
    if not (0 <= turn.prompt_tokens <= MOST_TOKENS and 0 <= turn.completion_tokens <= MOST_TOKENS):
        counts = f"{turn.prompt_tokens} + {turn.completion_tokens}"
        raise StoreError(f"turn {turn.index}: {counts} tokens cannot be stored; expected counts from 0 to {MOST_TOKENS}")
    try:
        turn.text.encode()
    except UnicodeEncodeError as error:
        raise StoreError(f"turn {turn.index}: its text cannot be stored: {error}; expected Unicode text") from error
    return (
        session_id,
        turn.index,
        turn.speaker.value,
        turn.text,
        turn.prompt_tokens,
        turn.completion_tokens,
        dump_json(turn.state) if turn.state else "{}",
        None if turn.call is None else dump_json(turn.call),
        turn.at,
        session_id,
        epoch,
    )


def record_rows(session_id: int, index: int, records: Iterable[Record]) -> list[Row]:
    """Return the rows (`RECORD_COLUMNS`) of what is committed with a turn."""
    return [(session_id, index, storable_text(record.kind), dump_json(record.data)) for record in records]


def read_turn(row: Sequence[Any]) -> Turn:
    """Return the turn of a row of `TURN_COLUMNS`."""
    _, index, speaker, text, prompt_tokens, completion_tokens, state, call, at = row
    return Turn(
        index=index,
        speaker=Speaker(speaker),
        text=text,
        call=None if call is None else Call(**orjson.loads(call)),
        state=load_mapping(state),
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        at=at,
    )


def profile_row(profile: Profile) -> dict[str, Any]:
    """Return the columns of a profile, without its surrogate id."""
    return {
        "content": digest_of(profile),
        "name": profile.id,
        "text": profile.text,
        "language": profile.language,
        "facts": dump_json(profile.facts),
        "origin": profile.source.origin,
        "licence": profile.source.licence,
        "split": profile.split,
    }


def read_session(row: Mapping[str, Any], run: str, turns: Iterable[Turn]) -> Session:
    """Return the session of a joined row: the session's columns, and the profile's prefixed with `profile_`."""
    profile = Profile(
        id=row["profile_name"],
        text=row["profile_text"],
        language=row["profile_language"],
        facts=orjson.loads(row["profile_facts"]),
        source=Source(origin=row["profile_origin"], licence=row["profile_licence"]),
        split=row["profile_split"],
    )
    return Session(
        key=row["key"],
        run=run,
        profile=profile,
        case=row["case_digest"],
        number=row["number"],
        client=row["client"],
        counselor=row["counselor"],
        seed=row["seed"],
        turns=tuple(turns),
        ending=None if row["ending"] is None else Ending(row["ending"]),
        failure=row["failure"],
        risk=tuple(orjson.loads(row["risk"])),
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )


def read_participant(data: str) -> Participant:
    """Return the participant of its JSON."""
    fields = orjson.loads(data)
    return Participant(
        role=fields["role"],
        model=fields["model"],
        form=Form(fields["form"]),
        prompts=tuple(PromptRef(**prompt) for prompt in fields["prompts"]),
        sampling=Sampling(**fields["sampling"]),
        template=fields["template"],
    )


def load_mapping(text: str) -> dict[str, Any]:
    """Return the JSON object of a text that `dump_json` wrote."""
    return cast("dict[str, Any]", orjson.loads(text))
