"""The seam between a voice and a model: one question, one answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from practicum.core import Call, Form, Language, Message, Sampling


class Constraint(NamedTuple):
    """A form that an answer is held to, in the words of different servers; use it only where a probe has shown that it works."""

    regex: str
    """For vLLM (`structured_outputs`)."""
    grammar: str
    """GBNF, for llama.cpp."""


class TokenChances(NamedTuple):
    """One generated token and what might have stood in its place."""

    text: str
    top: Mapping[str, float]
    """Tokens to their natural log-probabilities, the token itself among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question to a model."""

    thread: str
    """One side of one session: pins the replica, the cache slot and the grown body. "": a question by itself, nothing is kept for it."""
    form: Form
    """CHAT (turns as messages) or TRANSCRIPT (the session as text, the reply begun)."""
    messages: Sequence[Message]
    """A system message, then turns or labelled lines. Grows at the end only, from request to request of a thread. An empty
    system message is not sent."""
    sampling: Sampling
    seed: int
    """In [0, 2**31)."""
    tail: Message | None = None
    """A passing instruction (stage, trust): sent last, never kept."""
    cue: str = ""
    """What the reply is begun with (transcript form): the speaker's own label. The reply does not repeat it."""
    stop: Sequence[str] = ()
    """Generation stops before any of these."""
    template: str = "plain"
    """Raw-completion template (transcript form): a name in `practicum.backends.TEMPLATES`."""
    steady: bool = False
    """No penalty on tokens that stand in the prompt: a judge must be as free to name one label as another."""
    constraint: Constraint | None = None
    logprobs: int = 0
    """Ask for the log-probabilities of so many tokens at each place; 0: none."""
    route: str = ""
    """What picks the replica of a question that has no thread: the same for all questions of a conversation."""
    language: Language | None = None
    """Of the session, where that is known."""
    lora: str = ""
    """Path of a GGUF adapter that a `local:` model answers with; it must be one of those that the backend was made with."""
    own: Mapping[str, Any] | None = None
    """Asked through the model's own `.chat()` (`hf:`, remote code), with these parameters besides the sampling. None: as any other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer, never empty."""

    text: str
    call: Call
    chances: tuple[TokenChances, ...] = ()
    """Of the last tokens, where the request asked for them and the server gave them; at most `KEPT_CHANCES`."""


class Chunk(NamedTuple):
    """A piece of a reply on its way."""

    text: str
    """What has come since the chunk before; may be "" in the last one only."""
    reply: Reply | None = None
    """The whole reply with its call, in the last chunk and nowhere else. Its text is all chunks joined, stripped."""


KEPT_CHANCES = 24
"""A verdict stands at the end: what comes before it need not be kept."""

Notify = Callable[[str], None]
"""Told, once each, of what the user should know: a parameter dropped, an endpoint waited for."""


class ChatBackend(Protocol):
    """Anything that answers a chat. Retries transient faults itself: what it raises is final."""

    @property
    def under_way(self) -> int:
        """Calls between asking and answer now, those that wait for a place included."""
        ...

    @property
    def capacity(self) -> int:
        """Calls that it takes at once now, ≥ 1; may change while a run goes on."""
        ...

    async def reply(self, request: Request) -> Reply:
        """Return one non-empty reply.

        Raises:
            BackendError: The call failed for good.
            EndpointError: The endpoint never answered, or stayed away longer than the patience.
        """
        ...

    def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """Yield one non-empty reply as it comes: at least one chunk with text, then the last one with the whole reply.

        Transient faults are tried again until the first word has come; after that, a break is final. Closing the
        generator (`aclose`) or cancelling whoever waits for it ends the call at the model too.

        Raises:
            BackendError: The call failed for good, or broke off in the middle (kind "broken").
            EndpointError: As for `reply`.
        """
        ...

    def release(self, thread: str) -> None:
        """Forget a thread: its session is over or put aside. Unknown threads are ignored."""
        ...

    def drain(self) -> None:
        """Let calls in flight end, and refuse from now on those that wait, with an EndpointError."""
        ...

    async def aclose(self) -> None:
        """Close connections and free memory; no call may be under way."""
        ...
