"""What makes a session a training row: who may speak when, what is cut, what is left out. The one place for these rules.

Trainers want an optional system message, then user and assistant in strict alternation, from user to assistant;
LLaMA-Factory silently trains on an empty example where a row is anything else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from practicum.core import Ending, Message, Session, Speaker, Turn, as_seen_by


class LeftOut(StrEnum):
    """Why a session is not exported."""

    UNFINISHED = "unfinished"
    FAILED = "failed"
    NO_EXCHANGE = "no exchange"
    """The counselor never answered a client; in a table of turns: nobody spoke."""
    TEST_SPLIT = "test profile"
    """What a model is tested on must not be what it learns from."""
    RISK = "risk"


class Cut(StrEnum):
    """What was done to single turns to make a session alternate; reads on from "3 turns"."""

    OPENING = "left out: the counselor's before the client's first"
    JOINED = "joined to the one before: the same speaker"
    LAST_WORD = "left out: the client's last, without an answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialogue:
    """A session as a training row."""

    messages: Sequence[Message]
    """Optionally system, then user and assistant in turn, user first, assistant last."""
    turns: int
    """Messages but the system's; even."""
    cut: Mapping[Cut, int]
    """Turns cut or joined, by what was done."""


def as_dialogue(session: Session, system: str) -> Dialogue:
    """Return a session as the counselor saw it, made to alternate.

    Args:
        session: One that `reason_against` lets pass; another may come out without an exchange.
        system: The counselor's system prompt; "" for none.
    """
    turns, cut = alternate(session.turns)
    messages = as_seen_by(Speaker.COUNSELOR, turns, system)
    return Dialogue(messages=messages if system else messages[1:], turns=len(turns), cut=cut)


def alternate(turns: Sequence[Turn]) -> tuple[list[Turn], Mapping[Cut, int]]:
    """Make turns alternate from client to counselor.

    A counselor who opens loses the opening (it answers nobody), a client who speaks last loses the last word, and turns
    of one speaker in a row become one, each on its own line.

    Returns:
        An even number of turns, maybe none, and how many were cut or joined.
    """
    start = next((index for index, turn in enumerate(turns) if turn.speaker is Speaker.CLIENT), len(turns))
    end = next((index for index in range(len(turns), 0, -1) if turns[index - 1].speaker is Speaker.COUNSELOR), 0)
    kept: list[Turn] = []
    for turn in turns[start:end]:
        if kept and kept[-1].speaker is turn.speaker:
            kept[-1] = replace(kept[-1], text=f"{kept[-1].text}\n{turn.text}")
        else:
            kept.append(turn)
    cut = Counter({Cut.OPENING: start, Cut.JOINED: end - start - len(kept), Cut.LAST_WORD: len(turns) - end})
    return kept, +cut  # without the zeros


def reason_against(session: Session, *, include_risk: bool) -> LeftOut | None:
    """Return why a session must not become a training row, or None.

    Risk is asked last, so that the sessions counted under it are those that `include_risk` would bring back.
    """
    if session.ending is None:
        return LeftOut.UNFINISHED
    if session.ending is Ending.FAILED:
        return LeftOut.FAILED
    if not alternate(session.turns)[0]:
        return LeftOut.NO_EXCHANGE
    if session.profile.split == "test":
        return LeftOut.TEST_SPLIT
    return LeftOut.RISK if session.risk and not include_risk else None
