"""Dialogues of others, kept like sessions of our own: to be read, replayed in an arena, exported."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from practicum.core import Ending, Form, Participant, Profile, Sampling, Source, Speaker, Split, Turn, digest_of
from practicum.core.version import VERSION
from practicum.dataset.conversation import Conversation
from practicum.dataset.rows import alternate
from practicum.errors import ConfigError
from practicum.measures import find_risks, says_goodbye
from practicum.store import DEFAULT_URL, Claim, PlannedSession, RunRecord, Store

AT_ONCE = 200
"""Sessions that are written together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedSessions:
    """What an import has done."""

    run: str
    sessions: int
    """In the file, with at least one exchange."""
    written: int
    """New in the store."""
    left_out: int
    """Without an exchange."""


def import_sessions(
    conversations: Iterable[Conversation],
    *,
    run: str,
    source: str,
    split: Split | None = None,
    limit: int | None = None,
    db: str = DEFAULT_URL,
) -> ImportedSessions:
    """Keep conversations as the sessions of a run; the same ones again change nothing.

    A counselor who opens loses the opening, and turns of one speaker in a row are joined, for a session begins with its client and
    alternates. A conversation without a profile gets one that says where it is from: the client's story is not known.

    Args:
        conversations: Read once.
        run: The run's name.
        source: What they were read from; part of the run's identity.
        split: Marks every client; None: what the conversations say.
        limit: Only so many.
        db: The store, made if need be.

    Raises:
        ConfigError: There is none to keep.
        RunConflictError: There is a run of this name that is not of this source.
    """
    found = [(one, turns) for one in islice(conversations, limit) if (turns := _turns(one)) or not turns]
    kept = [(_planned(one, split), one, turns) for one, turns in found if turns]
    if not kept:
        raise ConfigError(f"{source}: no conversation with at least one exchange")
    record = RunRecord(
        name=run,
        identity={"imported_sessions": digest_of(source)},
        settings={"source": source},
        version=VERSION,
        participants=(_nobody(Speaker.CLIENT, source), _nobody(Speaker.COUNSELOR, source)),
    )
    with Store.open(db) as store, store.own_run(run):
        run_id = store.begin_run(record, at=time.time())
        store.plan_sessions(run_id, (planned for planned, _, _ in kept))
        due = {one.key: one.id for one in store.owed_sessions(run_id)}
        owed = {due[planned.key]: (one, turns) for planned, one, turns in kept if planned.key in due}
        asyncio.run(_write(store, owed))
    return ImportedSessions(run=run, sessions=len(kept), written=len(owed), left_out=len(found) - len(kept))


def _turns(conversation: Conversation) -> list[Turn]:
    said = [Turn(index=index, speaker=line.speaker, text=line.text) for index, line in enumerate(conversation.lines)]
    kept, _ = alternate(said)
    return [Turn(index=index, speaker=turn.speaker, text=turn.text, at=0.0) for index, turn in enumerate(kept)]


def _nobody(speaker: Speaker, source: str) -> Participant:
    sampling = Sampling(temperature=None, top_p=None, max_tokens=None)
    return Participant(role=speaker, model=f"imported:{source}", form=Form.CHAT, prompts=(), sampling=sampling)


def _planned(conversation: Conversation, split: Split | None) -> PlannedSession:
    profile = conversation.profile or Profile(
        id=conversation.key,
        text=f"{conversation.key} ({conversation.group})",  # not a story: it only tells clients apart
        language=conversation.language,
        source=Source(origin=conversation.source, licence=conversation.licence),
        split=split or conversation.split,
    )
    key = digest_of(["imported session", conversation.key, [line.text for line in conversation.lines]])
    source = conversation.source
    return PlannedSession(
        key=key,
        profile=profile,
        case=digest_of([profile.id, profile.digest, source]),
        number=1,
        client=_nobody(Speaker.CLIENT, source).digest,
        counselor=_nobody(Speaker.COUNSELOR, source).digest,
        seed=0,
    )


async def _write(store: Store, owed: dict[int, tuple[Conversation, list[Turn]]]) -> None:
    ids = list(owed)
    for start in range(0, len(ids), AT_ONCE):
        claims = await store.claim(ids[start : start + AT_ONCE], time.time())
        await asyncio.gather(*(_keep(store, claim, *owed[claim.session_id]) for claim in claims))


async def _keep(store: Store, claim: Claim, conversation: Conversation, turns: Sequence[Turn]) -> None:
    for turn in turns[len(claim.turns) :]:  # an import that was cut goes on
        await store.append(claim.session_id, claim.epoch, turn)
    risk = sorted({str(kind) for turn in turns for kind in find_risks(turn.text)} | set(conversation.risk))
    closed = says_goodbye(turns[-1].text)
    ending = Ending.COUNSELOR_CLOSED if closed else Ending.TURN_LIMIT
    await store.finish(claim.session_id, claim.epoch, ending=ending, risk=risk, at=time.time())
