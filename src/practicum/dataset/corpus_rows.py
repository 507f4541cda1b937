"""What one record of a corpus says: the shapes that people keep conversations in, read into one.

Known are the origin's and LLaMA-Factory's ShareGPT (`conversations` or `messages`; `from`/`value` or `role`/`content`), OpenAI's
messages, SmileChat (a list of `client` and `counselor`), CPsyCounD (text with 来访者：/心理咨询师：, or instruction, history and output),
and our own exports.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from practicum.core import Ending, Language, Profile, Session, Speaker, guess_language, text_digest
from practicum.dataset.conversation import Conversation, Line
from practicum.dataset.corpora import Record
from practicum.dataset.rows import LeftOut
from practicum.dataset.texts import clip

CLIENTS = (
    "user",
    "human",
    "client",
    "seeker",
    "help-seeker",
    "patient",
    "visitor",
    "prompter",
    "来访者",
    "求助者",
    "来询者",
    "咨客",
    "用户",
)
COUNSELORS = (
    "assistant", "gpt", "model", "bot", "counselor", "counsellor", "therapist", "supporter", "helper", "psychologist",
    "心理咨询师", "咨询师", "心理治疗师", "治疗师", "支持者", "助手",
)  # fmt: skip
SPEAKERS: Mapping[str, Speaker] = dict.fromkeys(CLIENTS, Speaker.CLIENT) | dict.fromkeys(COUNSELORS, Speaker.COUNSELOR)
"""Names of roles, in lower case."""
LISTS = ("messages", "conversations", "conversation", "turns", "dialogue", "dialog", "text")
"""Where a row keeps what was said; a text there is read by its labels."""
TOLD_BY = 120
"""Characters that a conversation's language is told by."""
AT_LENGTH = 15
"""Characters from which the client's words tell who it is: a greeting is everybody's."""

_LABEL = re.compile(
    rf"^\s*[*#\s]*({'|'.join(sorted(SPEAKERS, key=len, reverse=True))})[*\s]*(?:[（(][^（）()\n]{{0,20}}[）)])?\s*[:：][*]*\s*",
    re.IGNORECASE,
)


class Origin(NamedTuple):
    """What is known of every conversation of a source."""

    name: str
    licence: str = ""


def parse_record(record: Record, origin: Origin) -> Conversation | LeftOut:
    """Read one record.

    Returns:
        The conversation, its lines as they stand there; or why there is none yet: a session of ours that failed, or never ended.

    Raises:
        ValueError: It is no conversation; the message is one line that fits after the record's place.
    """
    if record.text:
        return _conversation(record, origin, {}, "", _labelled(_decoded(record.data)))
    try:
        value = orjson.loads(record.data)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from error
    if isinstance(value, list):
        system, lines = _messages(value)
        return _conversation(record, origin, {}, system, lines)
    if not isinstance(value, dict):
        raise ValueError(f"expected a conversation, got {clip(value)}")  # noqa: TRY004 - a row, not an argument
    # Our own export of everything: an ending of null is told from none at all.
    if "key" in value and "turns" in value and value.get("ending", "") in (None, Ending.FAILED):
        return LeftOut.FAILED if value["ending"] else LeftOut.UNFINISHED
    system, lines = _said(value)
    return _conversation(record, origin, value, system, lines)


def conversation_of(session: Session, system: str, run: str) -> Conversation:
    """Return a finished session of a store."""
    profile = session.profile
    return Conversation(
        id=session.key,
        source=run,
        licence=profile.source.licence,
        language=profile.language,
        lines=tuple(Line(turn.speaker, turn.text) for turn in session.turns),
        system=system,
        profile=profile,
        split=profile.split,
        group=profile.digest,
        risk=session.risk,
        ending=session.ending or "",
    )


def story_of(lines: Iterable[Line]) -> str:
    """Return what tells a client without a profile from others: what they first say at length, else all that they say."""
    said = [text for speaker, text in lines if speaker is Speaker.CLIENT]
    return next((text for text in said if len(text) >= AT_LENGTH), " ".join(said))


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}; save it as UTF-8") from error


def _said(row: Mapping[str, Any]) -> tuple[str, list[Line]]:
    """Return the system prompt and the lines of an object."""
    outer = row.get("system")
    name = next((name for name in LISTS if isinstance(row.get(name), list | str)), None)
    if name is not None:
        value = row[name]
        inner, lines = _messages(value) if isinstance(value, list) else ("", _labelled(value))
        return (outer if isinstance(outer, str) and outer else inner), lines
    if isinstance(row.get("output"), str):
        return (outer if isinstance(outer, str) else ""), _instruction(row)
    raise ValueError(f"expected one of the keys {', '.join(LISTS)}, got {', '.join(map(str, list(row)[:6])) or 'none'}")


def _instruction(row: Mapping[str, Any]) -> list[Line]:
    """Return the lines of an Alpaca row: pairs of the history, then instruction and output."""
    asked = "\n".join(part for name in ("instruction", "input") if isinstance(part := row.get(name), str) and part)
    pairs = [*(row.get("history") or []), [asked, row["output"]]]
    if not all(isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair) for pair in pairs):
        raise ValueError("history must be a list of pairs of texts")
    return [line for asked, answered in pairs for line in (Line(Speaker.CLIENT, asked), Line(Speaker.COUNSELOR, answered))]


def _messages(values: Sequence[Any]) -> tuple[str, list[Line]]:
    system, lines = "", []
    for number, value in enumerate(values, start=1):
        role, text = _message(value, number)
        if role == "system":
            if number != 1:
                raise ValueError(f"message {number} is the system's; only the first may be")
            system = text
        elif (speaker := SPEAKERS.get(role)) is None:
            raise ValueError(
                f"message {number}: role {clip(role)} is neither the client's ({', '.join(CLIENTS[:3])} …) nor the counselor's"
            )
        else:
            lines.append(Line(speaker, text))
    return system, lines


def _message(value: Any, number: int) -> tuple[str, str]:
    if not isinstance(value, dict):
        raise ValueError(f"message {number}: expected an object with role and content, got {clip(value)}")  # noqa: TRY004
    role = value.get("role") or value.get("from") or value.get("speaker")
    text = value.get("content", value.get("value", value.get("text")))
    if isinstance(text, list):  # OpenAI's parts
        text = "".join(part["text"] for part in text if isinstance(part, dict) and isinstance(part.get("text"), str))
    if not isinstance(role, str) or not isinstance(text, str):
        raise ValueError(f"message {number}: role and content must be texts, got {clip(role)} and {clip(text)}")  # noqa: TRY004
    return role.strip().lower(), text


def _labelled(text: str) -> list[Line]:
    """Return the lines of a text in which each turn begins with its speaker's label."""
    return list(_turns(text.replace("\r\n", "\n").split("\n")))


def _turns(rows: Iterable[str]) -> Iterator[Line]:
    speaker: Speaker | None = None
    said: list[str] = []
    for row in rows:
        if label := _LABEL.match(row):
            if speaker is not None:
                yield Line(speaker, "\n".join(said).strip())
            speaker, said = SPEAKERS[label[1].lower()], [row[label.end() :]]
        elif speaker is not None:
            said.append(row)
        elif row.strip():
            raise ValueError(f"{clip(row.strip())} has no label before it; expected e.g. 来访者：, 咨询师：, Client:, Counselor:")
    if speaker is not None:
        yield Line(speaker, "\n".join(said).strip())


def _conversation(record: Record, origin: Origin, row: Mapping[str, Any], system: str, lines: Sequence[Line]) -> Conversation:
    if not lines:
        raise ValueError("nobody says anything")
    profile = _profile(row.get("profile"))
    language: Language = profile.language if profile else guess_language(" ".join(text for _, text in lines[:8])[:TOLD_BY])
    split = row.get("split") or (profile.split if profile else None)
    if split not in (None, "train", "dev", "test"):
        raise ValueError(f"split {clip(split)} is not one of train, dev, test")
    risk = row.get("risk")
    return Conversation(
        id=next((str(row[name]) for name in ("id", "key") if isinstance(row.get(name), str | int)), record.id),
        source=origin.name,
        licence=next((row[name] for name in ("licence", "license") if isinstance(row.get(name), str)), origin.licence),
        language=language,
        lines=tuple(lines),
        system=system,
        profile=profile,
        split=split,
        group=profile.digest if profile else text_digest("".join(story_of(lines).split())),
        risk=tuple(kind for kind in risk if isinstance(kind, str)) if isinstance(risk, list) else (),
        ending=row["ending"] if isinstance(row.get("ending"), str) else "",
    )


def _profile(value: Any) -> Profile | None:
    if not isinstance(value, dict):
        return Profile.of(value.strip()) if isinstance(value, str) and value.strip() else None
    from practicum.dataset.profile_row import parse_row  # imports pydantic

    try:
        return parse_row(value).profile(None, None)
    except ValueError as error:
        raise ValueError(f"profile: {error}") from error
