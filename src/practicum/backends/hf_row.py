"""One request on its way through a model of transformers."""

from __future__ import annotations

from dataclasses import dataclass, field

from practicum.backends.base import Request, TokenChances
from practicum.backends.hf_cache import Found
from practicum.backends.hf_draw import Draw
from practicum.backends.hf_prompt import Prompt
from practicum.backends.hf_text import Detokenizer, Speech

GONE = "gone"
"""Finish of a row that nobody waited for any more."""


@dataclass(slots=True, eq=False)
class Row:
    """One request on its way through the model; what is public is for whoever waits for it."""

    request: Request
    seed: int
    streaming: bool
    gone: bool = False
    """Set by the one who waited and has left: the row is dropped at the next step."""
    piece: str = ""
    """What can be said since the last step (streaming only); whoever says it empties it."""
    text: str = ""
    """The whole reply, once it is finished."""
    reasoning: str = ""
    finish: str | None = None
    """Why it ended; None: it has not."""
    error: BaseException | None = None
    """Why there is none."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    chances: list[TokenChances] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.finish is not None or self.error is not None


@dataclass(slots=True, eq=False)
class Run:
    """What the decoder knows of a row."""

    row: Row
    prompt: Prompt
    found: Found
    draw: Draw
    tokens: list[int]
    """Prompt and reply so far."""
    held: int
    """Tokens whose states are in the cache: from the second step on all but the last."""
    decode: Detokenizer
    speech: Speech
    unread: list[int] = field(default_factory=list)
    """Tokens that need not have become text yet."""

    def take(self, token: int) -> None:
        """Add a token that was drawn."""
        row = self.row
        self.tokens.append(token)
        row.completion_tokens += 1
        if token in self.prompt.ends:
            row.finish = "stop"
        else:
            self.unread.append(token)
            if row.streaming or self.prompt.stops:
                self.speech.feed(self.decode.push(self.unread))
                self.unread = []
                if row.streaming:
                    row.piece += self.speech.take()
            if self.speech.stopped:
                row.finish = "stop"
            elif row.completion_tokens >= self.prompt.limit:
                row.finish = "length"
        if row.finish:
            self.speech.feed(self.decode.push(self.unread) + self.decode.flush())
            rest = self.speech.take(last=True)
            row.piece += rest
            row.text = self.speech.said
            row.reasoning = self.speech.reasoning
