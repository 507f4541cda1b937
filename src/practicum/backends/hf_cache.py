"""What a model has computed of conversations, kept for the next request of each."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

Key = str | int
"""A thread's name; a number for a conversation without one."""


class Found(NamedTuple):
    """What is known of a prompt."""

    key: Key
    """Where its conversation is to be kept."""
    known: int
    """Tokens at its beginning that need not be computed."""
    states: Any
    """What was computed for at least so many tokens; None where that is 0."""


class _Kept(NamedTuple):
    tokens: Sequence[int]
    prompt: int
    states: Any


class PromptCache:
    """Computed states by conversation. A thread's conversation is found by its name; others by what they begin with.

    It may be asked from several threads. States are never changed, so that two requests may go on from the same ones.
    """

    def __init__(self, most: int) -> None:
        """Keep at most `most` conversations; 0 keeps none."""
        self._most = most
        self._kept: dict[Key, _Kept] = {}  # the least recently used first
        self._numbers = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, thread: str, tokens: Sequence[int]) -> Found:
        """Return what is known of a prompt, its last token excepted: something must be computed to go on from.

        A thread that is new, or has no name, goes on from whichever conversation shares most of its beginning. One without a
        name takes that one's place if it holds all that the other was asked.
        """
        with self._lock:
            source: Key = thread
            if not thread or thread not in self._kept:
                source = max(self._kept, key=lambda key: common_prefix(self._kept[key].tokens, tokens), default=thread)
            kept = self._kept.pop(source, None)
            if kept is None:
                return Found(thread or self._number(), 0, None)
            self._kept[source] = kept  # now the last that was used
            shared = common_prefix(kept.tokens, tokens)
            count = min(shared, len(tokens) - 1)
            goes_on = isinstance(source, int) and shared >= kept.prompt
            key = thread or (source if goes_on else self._number())
            return Found(key, count, kept.states if count else None)

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def keep(self, key: Key, tokens: Sequence[int], prompt: int, states: Any) -> None:
        """Keep what was computed of a conversation in place of what was.

        Those without a name go first when there is no room: nobody may ever go on with them.

        Args:
            key: As `find` gave it.
            tokens: Those that `states` are of.
            prompt: How many of them were asked, not answered.
            states: Anything; given back as it is.
        """
        with self._lock:
            self._kept.pop(key, None)
            if self._most:
                self._kept[key] = _Kept(tokens, prompt, states)
            while len(self._kept) > self._most:
                del self._kept[next((one for one in self._kept if isinstance(one, int)), next(iter(self._kept)))]

    def release(self, thread: str) -> None:
        """Forget a thread; unknown ones are ignored."""
        with self._lock:
            self._kept.pop(thread, None)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()


def common_prefix(one: Sequence[int] | str, other: Sequence[int] | str) -> int:
    """Return how many tokens, or characters, two sequences begin with in common."""
    low, high = 0, min(len(one), len(other))
    while low < high:  # by halves: slices are compared in C
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
