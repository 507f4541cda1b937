"""A bot ready to answer: what its file says, every name resolved, and a backend that speaks as it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any

from practicum.backends import ChatBackend, Chunk, Reply, Request
from practicum.core import Form, Language, Sampling, Speaker
from practicum.roles import Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """A bot file with every name resolved. `practicum.build` makes it; nothing here reads a file."""

    name: str
    digest: str
    """16 hex digits over all that determines what it says: model, adapter, prompts, form, labels, window, decoding, post-processing."""
    languages: tuple[Language, ...]
    about: Mapping[str, str]
    form: Form
    raw: bool
    """A transcript goes to raw completion (with `template`), not as one user message."""
    template: str = "plain"
    prompts: Mapping[Language, Prompt] = field(default_factory=dict)
    """Empty: no instruction is sent."""
    stands_in: bool = False
    """practicum's own instruction stands in for one that it does not ship."""
    labels: Mapping[Speaker, str] | None = None
    """None: those of the language."""
    heading: str = ""
    cue: str | None = None
    """None: the counselor's label."""
    window: int | None = None
    """Exchanges; None: the whole session."""
    sampling: Sampling
    stop: tuple[str, ...] = ()
    own: Mapping[str, Any] | None = None
    """Asked through the model's own `.chat()`, with these parameters."""
    caller: tuple[str, ...] = ()
    """Parameters that a caller may set."""
    strip_label: bool = False
    first_paragraph: bool = False
    lora: str = ""

    def system(self, language: Language, max_exchanges: int = 50) -> str:
        """Return the rendered instruction for a language, the bot's first one where it does not speak it; "" if it has none."""
        raise NotImplementedError


class BotBackend:
    """A `ChatBackend` that shows a session to a model as a bot wants it shown, and polishes what comes back.

    It is asked in chat form: the bot's own instruction as the system message ("" if it has none), then client turns as the user's and
    counselor turns as the assistant's, whatever the form in which the model is asked behind it.
    """

    def __init__(self, bot: Bot, inner: ChatBackend) -> None:
        self.bot = bot
        self.inner = inner

    @property
    def under_way(self) -> int:
        """Calls of the model behind, those of other bots on it included."""
        return self.inner.under_way

    @property
    def capacity(self) -> int:
        """That of the model behind."""
        return self.inner.capacity

    async def reply(self, request: Request) -> Reply:
        """Return one polished, non-empty reply; see `ChatBackend`. One that is empty once polished is asked for again."""
        raise NotImplementedError

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """Yield one polished reply as it comes; see `ChatBackend`."""
        raise NotImplementedError
        yield

    def release(self, thread: str) -> None:
        """Forget a thread."""
        self.inner.release(thread)

    def drain(self) -> None:
        """Refuse what waits."""
        self.inner.drain()

    async def aclose(self) -> None:
        """Close the model behind."""
        await self.inner.aclose()


def as_bot(bot: Bot, request: Request) -> Request:
    """Return the request that goes to the model: the session in the bot's form, with its labels, window, decoding and stops.

    Args:
        bot: The bot.
        request: In chat form; see `BotBackend`. Its sampling is used as it is (a chair's or gateway's is the bot's already).
    """
    raise NotImplementedError
