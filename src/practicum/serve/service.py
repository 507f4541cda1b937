"""What stands behind a name at the gateway's door: a bot, or a simulated client."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from practicum.backends import Chunk
from practicum.core import Language, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a caller wants to hear an answer to."""

    messages: Sequence[Message]
    """`user` and `assistant` only, in the order said, none empty; the caller is the user."""
    language: Language
    seed: int
    max_tokens: int | None = None
    """Lowers the service's own limit, never raises it."""
    temperature: float | None = None
    """Used by services that let the caller set it, else ignored."""
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    """Added to the service's own."""
    route: str = ""
    """The same for all requests of a conversation, as far as one can tell: picks the replica."""


class Service(Protocol):
    """One name at the door."""

    name: str
    """`bot/NAME` or `client/PROFILE_ID`: the model's name in the protocol."""
    about: str
    digest: str
    """What determines it: the protocol's `system_fingerprint`."""
    honours: frozenset[str]
    """Of temperature and top_p: what a caller may set; the rest is ignored, and named."""
    counselor: bool
    """Whether it speaks as a counselor: then a caller's words are looked at for risk."""

    def speak(self, asked: Asked) -> AsyncGenerator[Chunk, None]:
        """Yield the answer as it comes, as `ChatBackend.stream` does; a caller that wants it whole joins the chunks.

        Raises:
            BackendError: No answer can be had.
            EndpointError: The model's server is gone.
            ConfigError: It cannot be asked so (a client whose counselor has said nothing).
        """
        ...

    async def ready(self) -> str:
        """Return "" if it can answer now, else what is missing, in a line. May take some seconds, no longer."""
        ...
