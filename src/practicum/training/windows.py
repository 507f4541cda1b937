"""Sessions longer than the context, split at turn borders: never cut in mid-turn, and no reply learnt twice.

Trainers cut silently (TRL keeps the beginning, so that later stages vanish; LLaMA-Factory may cut inside a turn). Here each window
has the system prompt, as much of the session before as fits, and the counselor's turns that are new in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from practicum.errors import TrainingError
from practicum.training.masking import IGNORED, Encoded, Messages, Tokenizer, encode

HISTORY = 0.5
"""Share of a window that what was learnt before may fill, at first; what the new exchanges leave free goes to it as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A part of a session, ready to be learnt from."""

    id: str
    """The session's, with `/1`, `/2` … where it was split."""
    encoded: Encoded
    exchanges: int
    """New in this window: those in the loss."""
    history: int
    """Exchanges shown before them."""


def windows(tokenizer: Tokenizer, messages: Messages, *, id: str, context: int) -> list[Window]:  # noqa: A002 - a session's id
    """Encode a session in as few windows as fit, every reply in the loss of exactly one.

    Args:
        tokenizer: The base model's.
        messages: Optionally a system message, then user and assistant in turn, user first, assistant last.
        id: Named in errors and in the windows.
        context: Tokens of a window at most.

    Raises:
        TrainingError: One exchange with the system prompt alone is longer than the context.
    """
    whole = encode(tokenizer, messages)
    system = list(messages[:1]) if messages and messages[0]["role"] == "system" else []
    exchanges = [messages[at : at + 2] for at in range(len(system), len(messages), 2)]
    if len(whole.input_ids) <= context:
        return [Window(id=id, encoded=whole, exchanges=len(exchanges), history=0)]
    lengths = _lengths(tokenizer, system, exchanges)
    found = []
    for number, (first, start, end) in enumerate(_plan(lengths, context, id), start=1):
        part = [*system, *(message for exchange in exchanges[first:end] for message in exchange)]
        encoded = _unlearn(encode(tokenizer, part), tokenizer, [*system, *(m for e in exchanges[first:start] for m in e)])
        if len(encoded.input_ids) > context:
            raise TrainingError(
                f"session {id}: a window of exchanges {first + 1} to {end} has {len(encoded.input_ids)} tokens, {context} fit"
            )
        found.append(Window(id=f"{id}/{number}", encoded=encoded, exchanges=end - start, history=start - first))
    return found


def _lengths(tokenizer: Tokenizer, system: Sequence[object], exchanges: Sequence[Messages]) -> list[int]:
    """Return the tokens of the system prompt (what a template writes by itself included), then of each exchange."""
    counts = []
    for exchange in exchanges:
        counts.append(len(encode(tokenizer, [*system, *exchange]).input_ids))  # type: ignore[list-item]
    alone = len(encode(tokenizer, [*system, *exchanges[0], *exchanges[0]]).input_ids) - counts[0]  # type: ignore[list-item]
    head = counts[0] - alone  # what comes once, however many exchanges follow
    return [head, *(count - head for count in counts)]


def _plan(lengths: Sequence[int], context: int, id: str) -> Iterator[tuple[int, int, int]]:  # noqa: A002
    """Yield (first shown, first new, end) exchange by exchange number, for each window."""
    head, *exchanges = lengths
    room = context - head
    start = 0
    while start < len(exchanges):
        if exchanges[start] > room:
            raise TrainingError(
                f"session {id}: exchange {start + 1} has {exchanges[start]} tokens and the system prompt {head}, {context} fit; "
                "raise the context, or drop the session"
            )
        shown = _history(exchanges, start, min(room * HISTORY, room - exchanges[start]))
        free = room - sum(exchanges[start - shown : start])
        end = start
        while end < len(exchanges) and exchanges[end] <= free:
            free -= exchanges[end]
            end += 1
        shown += _history(exchanges, start - shown, free)
        yield start - shown, start, end
        start = end


def _history(exchanges: Sequence[int], before: int, room: float) -> int:
    """Return how many exchanges that end at `before` fit into the room."""
    count = 0
    while count < before and exchanges[before - count - 1] <= room:
        count += 1
        room -= exchanges[before - count]
    return count


def _unlearn(encoded: Encoded, tokenizer: Tokenizer, history: Messages) -> Encoded:
    """Take what a window shows as history out of its loss."""
    if not any(message["role"] == "assistant" for message in history):
        return encoded
    known = len(encode(tokenizer, history).input_ids)
    return Encoded(input_ids=encoded.input_ids, labels=[IGNORED] * known + encoded.labels[known:])
