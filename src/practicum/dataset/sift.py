"""One conversation through the gate: put in order, looked at, made a row. What many processes share, in chunks that keep their order."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from itertools import islice
from typing import NamedTuple

import orjson

from practicum.core import Language, Speaker, Split, Turn, as_seen_by
from practicum.dataset import checks
from practicum.dataset.checks import Check, Finding, Mend
from practicum.dataset.conversation import Conversation, Line
from practicum.dataset.corpora import Record, Unread
from practicum.dataset.corpus_rows import Origin, parse_record, story_of
from practicum.dataset.curate_config import ChecksConfig
from practicum.dataset.formats import encode_dialogue
from practicum.dataset.near import Signatures, sign
from practicum.dataset.rows import Cut, Dialogue, LeftOut, alternate
from practicum.dataset.sources import Item
from practicum.errors import ExportError
from practicum.measures import find_risks, normal_form

CHUNK = 128
"""Conversations that a process takes at once."""
FEW = 512
"""Up to so many are looked at in this process: another takes half a second to start."""
AHEAD = 3
"""Chunks under way for each process: enough that none waits, few enough that memory does not grow."""
EXCERPT_LINES, EXCERPT_CHARS = 3, 160
OPENING_CHARS = 60


class Loss(StrEnum):
    """Why a conversation is dropped, besides the checks."""

    NO_EXCHANGE = "no_exchange"
    """No counselor turn answers a client's."""
    TEST_CLIENT = "test_client"
    """The client, or a nearly equal one, is in the test set."""
    TEST_TEXT = "test_text"
    """Nearly the same conversation is in the test set."""
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"


Reason = Check | Loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What every conversation goes through. The functions cross into other processes: they stand at the top of a module."""

    config: ChecksConfig = field(default_factory=ChecksConfig)
    mend: Callable[[Conversation], tuple[Conversation, dict[Mend, int]]] = checks.mend
    examine: Callable[[Conversation, ChecksConfig], Sequence[Finding]] | None = checks.examine
    """None: nothing is looked for, as in a test set."""


class Bad(NamedTuple):
    """A record that cannot be read."""

    line: str


class Dropped(NamedTuple):
    """A conversation that some check speaks against."""

    id: str
    language: Language
    reason: Reason
    detail: str
    line: int | None
    also: tuple[Check, ...]
    """What else was found."""
    excerpt: tuple[tuple[str, str], ...]
    """(speaker, text) around the place, cut short."""


@dataclass(slots=True, kw_only=True)
class Passed:
    """A conversation that may become rows. A hundred thousand of them are kept until all are known: no text of any length."""

    id: str
    licence: str
    language: Language
    group: str
    split: Split | None
    risk: tuple[str, ...]
    """Not empty: it is kept apart, unless risk is included."""
    mends: Mapping[Mend, int]
    cut: Mapping[Cut, int]
    exchanges: int
    client_size: int
    counselor_size: int
    """Characters said by each."""
    openings: tuple[str, str]
    """What client and counselor say first, cut short."""
    digest: bytes
    """Of all that is said, in normal form."""


class Sifted(NamedTuple):
    """A chunk, looked at."""

    outcomes: list[Bad | LeftOut | Dropped | Passed]
    """In the order of its items."""
    rows: list[bytes]
    """Of those passed: the conversation as one training row, one line of JSON."""
    texts: Signatures
    """Of those passed: all that is said."""
    stories: Signatures
    """Of those passed: the client's story."""


def sift_chunk(items: Sequence[Item], origin: Origin, gate: Gate) -> Sifted:
    """Look at some items of one source."""
    outcomes: list[Bad | LeftOut | Dropped | Passed] = []
    rows: list[bytes] = []
    texts: list[str] = []
    stories: list[str] = []
    for item in items:
        conversation = _read(item, origin)
        if not isinstance(conversation, Conversation):
            outcomes.append(conversation)
            continue
        conversation, mends = gate.mend(conversation)
        outcome, dialogue = _judge(conversation, mends, gate)
        outcomes.append(outcome)
        if isinstance(outcome, Passed) and dialogue is not None:
            said = normal_form("".join(line.text for line in conversation.lines))
            outcome.digest = blake2b(said.encode(errors="surrogatepass"), digest_size=16).digest()
            rows.append(encode_dialogue(dialogue))
            texts.append(said)
            stories.append(normal_form(conversation.profile.text if conversation.profile else story_of(conversation.lines)))
    return Sifted(outcomes, rows, sign(texts), sign(stories))


def _read(item: Item, origin: Origin) -> Conversation | Bad | LeftOut:
    match item:
        case Record():
            try:
                return parse_record(item, origin)
            except ValueError as error:
                return Bad(f"{item.where}: {error}")
        case Unread(where, reason):
            return Bad(f"{where}: {reason}")
        case _:
            return item


def _judge(conversation: Conversation, mends: Mapping[Mend, int], gate: Gate) -> tuple[Dropped | Passed, Dialogue | None]:
    findings = gate.examine(conversation, gate.config) if gate.examine else ()
    against = [finding for finding in findings if finding.check is not Check.RISK]
    if against:
        first, *others = against
        return _dropped(conversation, first.check, first.detail, first.line, tuple(finding.check for finding in others)), None
    dialogue = dialogue_of(conversation)
    if not dialogue.turns:
        return _dropped(conversation, Loss.NO_EXCHANGE, "no counselor turn answers a client's", None, ()), None
    client = sum(len(text) for speaker, text in conversation.lines if speaker is Speaker.CLIENT)
    passed = Passed(
        id=conversation.id,
        licence=conversation.licence,
        language=conversation.language,
        group=conversation.group,
        split=conversation.split,
        risk=_risks(conversation, findings),
        mends=mends,
        cut=dialogue.cut,
        exchanges=dialogue.turns // 2,
        client_size=client,
        counselor_size=sum(len(text) for _, text in conversation.lines) - client,
        openings=(_opening(conversation, Speaker.CLIENT), _opening(conversation, Speaker.COUNSELOR)),
        digest=b"",
    )
    return passed, dialogue


def _risks(conversation: Conversation, findings: Sequence[Finding]) -> tuple[str, ...]:
    """Return the kinds of risk: those that the store knows of, and those that stand in the text where the check saw any."""
    kinds = set(conversation.risk)
    if findings:  # whatever is not risk has been dropped by now
        kinds.update(kind.value for kind in find_risks("\n".join(line.text for line in conversation.lines)))
    return tuple(sorted(kinds or {"unknown"})) if findings else tuple(sorted(kinds))


def dialogue_of(conversation: Conversation) -> Dialogue:
    """Return a conversation as a training row, by the rules of every export."""
    turns, cut = alternate([Turn(index=index, speaker=line.speaker, text=line.text) for index, line in enumerate(conversation.lines)])
    messages = as_seen_by(Speaker.COUNSELOR, turns, conversation.system)
    return Dialogue(messages=messages if conversation.system else messages[1:], turns=len(turns), cut=cut)


def _dropped(conversation: Conversation, reason: Reason, detail: str, line: int | None, also: tuple[Check, ...]) -> Dropped:
    return Dropped(conversation.id, conversation.language, reason, detail, line, also, excerpt_of(conversation.lines, line))


def excerpt_of(lines: Sequence[Line], line: int | None) -> tuple[tuple[str, str], ...]:
    """Return some lines around a place (the end of the conversation where there is none), each cut short."""
    end = len(lines) if line is None else min(len(lines), line + 2)
    shown = lines[max(0, end - EXCERPT_LINES) : end]
    return tuple((speaker.value, _clip(text, EXCERPT_CHARS)) for speaker, text in shown)


def _clip(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _opening(conversation: Conversation, speaker: Speaker) -> str:
    return next((_clip(text[: 4 * OPENING_CHARS], OPENING_CHARS) for who, text in conversation.lines if who is speaker), "")


def turn_rows(row: bytes) -> Iterator[bytes]:
    """Yield from a session's row one for each counselor turn: what was said till then, and the reply."""
    messages = orjson.loads(row)["messages"]
    for index, message in enumerate(messages):
        if message["role"] == "assistant":
            yield orjson.dumps({"messages": messages[: index + 1]})


def sift(items: Iterable[Item], origin: Origin, gate: Gate, processes: int | None) -> Iterator[Sifted]:
    """Yield a source's chunks in order, looked at in several processes; what comes out does not depend on how many.

    Args:
        items: Read as they are needed, a few chunks ahead.
        origin: Their source.
        gate: What they go through.
        processes: 1: in this process. None: one for each core, where there is enough to do.

    Raises:
        ExportError: A process died, as happens where memory is short.
    """
    chunks = _chunks(items)
    first = list(islice(chunks, FEW // CHUNK + 1))
    few = len(first) <= FEW // CHUNK
    wanted = (1 if few else multiprocessing.cpu_count()) if processes is None else processes
    if wanted == 1:
        yield from (sift_chunk(chunk, origin, gate) for chunk in _chain(first, chunks))
        return
    # spawn: what a fork copies (threads of a store, of numpy) may hang in the child.
    with ProcessPoolExecutor(wanted, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting: deque[Future[Sifted]] = deque()
        try:
            for chunk in _chain(first, chunks):
                waiting.append(pool.submit(sift_chunk, chunk, origin, gate))
                if len(waiting) >= AHEAD * wanted:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise ExportError("a process that looked at conversations died; memory may be short: --set processes=1 takes least") from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    source = iter(items)
    while chunk := list(islice(source, CHUNK)):
        yield chunk


def _chain(first: list[list[Item]], rest: Iterator[list[Item]]) -> Iterator[list[Item]]:
    while first:
        yield first.pop(0)
    yield from rest
