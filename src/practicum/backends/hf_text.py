"""From tokens to what is said: whole characters, nothing of a stop, no thoughts, no blank space at either end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from practicum.backends.reasoning import Listener, split_reasoning

OPEN = "<think>"
BROKEN = "\N{REPLACEMENT CHARACTER}"
"""What a decoder shows for bytes that are no character yet."""


class Detokenizer:
    """Turns a reply's tokens into text, a whole character at a time.

    A token is decoded with its predecessors since the last but one place where the text was whole: what a token shows may
    depend on the one before it (a leading space), and on no more.
    """

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        self._decode = decode
        self._tokens: list[int] = []
        self._from = 0
        self._read = 0

    def push(self, tokens: Sequence[int]) -> str:
        """Return what the tokens add, as far as it is whole."""
        self._tokens += tokens
        text = self._decode(self._tokens[self._from :])
        if text.endswith(BROKEN):
            return ""
        return self._advance(text)

    def flush(self) -> str:
        """Return what is left, without a character that never got whole."""
        return self._advance(self._decode(self._tokens[self._from :])).rstrip(BROKEN)

    def _advance(self, text: str) -> str:
        before = self._decode(self._tokens[self._from : self._read])
        self._from, self._read = self._read, len(self._tokens)
        return text[len(before) :]


class Speech:
    """What may be said of a text that is still growing.

    Held back is what may yet turn out not to be said: the beginning of a stop, thoughts (`<think> … </think>` at the start), and
    blank space that nothing may follow. All that is taken, joined, is the reply.
    """

    def __init__(self, stops: Sequence[str] = (), *, thinking: bool = False) -> None:
        """Begin a reply.

        Args:
            stops: The text ends before the first of these.
            thinking: The prompt has opened the thoughts already.
        """
        self._stops = tuple(stop for stop in stops if stop)
        self._longest = max(map(len, self._stops), default=0)
        self._text = OPEN if thinking else ""
        self._looked = len(self._text)
        self._listener: Listener | None = None
        """From the first taking on; a text that is taken whole needs none."""
        self._heard = 0
        self.said = ""
        """All that has been taken."""
        self.reasoning = ""
        """What was thought, once the last has been taken."""
        self.stopped = False

    def feed(self, piece: str) -> None:
        """Add text; what comes after a stop is dropped."""
        if self.stopped:
            return
        self._text += piece
        # A stop that ends in the new piece may have begun before it, but not before what was looked through already.
        begin = max(self._looked - self._longest + 1, 0)
        found = [at for stop in self._stops if (at := self._text.find(stop, begin)) >= 0]
        self._looked = len(self._text)
        if found:
            self._text = self._text[: min(found)]
            self.stopped = True

    def take(self, *, last: bool = False) -> str:
        """Return what can be said since the last time; at the end, all that is left."""
        if last and self._listener is None:
            self.reasoning, piece = split_reasoning(self._text)
        else:
            listener = self._listener = self._listener or Listener()
            end = len(self._text) if last or self.stopped else len(self._text) - self._doubtful()
            piece = listener.hear(self._text[self._heard : end])
            self._heard = end
            if last:
                piece += listener.end()
                self.reasoning = listener.thought
        self.said += piece
        return piece

    def _doubtful(self) -> int:
        """Return the length of the longest end of the text that a stop begins with."""
        longest = min(self._longest - 1, len(self._text))
        return next((n for n in range(longest, 0, -1) if any(stop.startswith(self._text[-n:]) for stop in self._stops)), 0)
