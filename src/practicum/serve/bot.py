"""A bot ready to answer: what its file says, every name resolved, and a backend that speaks as it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, overload

from practicum.backends import ChatBackend, Chunk, Reply, Request
from practicum.core import Call, Form, Language, Message, Sampling, Speaker
from practicum.errors import BackendError
from practicum.roles import Prompt, labels
from practicum.serve.polish import Polish, polish

ASK_AGAIN = 3
"""How often a reply of which polishing leaves nothing is asked for anew."""


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
        language = self.spoken(language)
        prompt = self.prompts.get(language)
        return "" if prompt is None else prompt.render(language=language, max_exchanges=max_exchanges)

    def spoken(self, language: Language | None) -> Language:
        """Return the language that a session is shown in: its own, or the bot's first one where it does not speak it."""
        return language if language in self.languages else self.languages[0]

    def labels_in(self, language: Language | None) -> Mapping[Speaker, str]:
        """Return what stands before each side's words in a transcript."""
        return self.labels or labels(self.spoken(language))

    @property
    def own_labels(self) -> tuple[str, ...]:
        """What its replies may begin with, besides the usual."""
        return tuple(one for one in (self.cue, (self.labels or {}).get(Speaker.COUNSELOR)) if one)


class BotBackend:
    """A `ChatBackend` that shows a session to a model as a bot wants it shown, and polishes what comes back.

    It is asked in chat form: the bot's own instruction as the system message ("" if it has none), then client turns as the user's and
    counselor turns as the assistant's, whatever the form in which the model is asked behind it.
    """

    def __init__(self, bot: Bot, inner: ChatBackend, clock: Callable[[], float] = time.monotonic) -> None:
        self.bot = bot
        self.inner = inner
        self._clock = clock

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
        asked = as_bot(self.bot, request)
        reply = await self.inner.reply(asked)
        if not self._polishes:
            return reply
        spent: list[Call] = []
        while not (text := polish(self.bot, reply.text)):
            spent.append(reply.call)
            asked = self._again(asked, len(spent))
            reply = await self.inner.reply(asked)
        return replace(reply, text=text, call=_summed(spent, reply.call))

    def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """Yield one polished reply as it comes; see `ChatBackend`.

        What comes after the first paragraph is not waited for, so that the server's own count of its tokens is not known then.
        Where nothing is polished, the model's own generator is handed out: a relayed chunk passes one less.
        """
        asked = as_bot(self.bot, request)
        return self._polished(asked) if self._polishes else self.inner.stream(asked)

    async def _polished(self, asked: Request) -> AsyncGenerator[Chunk, None]:
        spent: list[Call] = []
        while True:
            said: list[str] = []
            started = self._clock()
            reply: Reply | None = None
            one = Polish(self.bot)
            async with aclosing(self.inner.stream(asked)) as chunks:
                async for text, whole in chunks:
                    if ready := one.feed(text):
                        said.append(ready)
                        yield Chunk(ready)
                    if whole is not None:
                        reply = whole
                    if one.done:
                        break
            if reply is None:
                reply = Reply(text="", call=self._cut_off(asked, self._clock() - started))
            if rest := one.end():
                said.append(rest)
                yield Chunk(rest)
            if said:
                yield Chunk("", replace(reply, text="".join(said), call=_summed(spent, reply.call)))
                return
            spent.append(reply.call)
            asked = self._again(asked, len(spent))

    @property
    def _polishes(self) -> bool:
        return self.bot.strip_label or self.bot.first_paragraph

    def _again(self, asked: Request, times: int) -> Request:
        """Return the request that is sent after so many replies of which nothing was left.

        Raises:
            BackendError: There were too many.
        """
        if times > ASK_AGAIN:
            raise BackendError(
                f"bot {self.bot.name}: nothing was left of {times} replies in a row but role labels and blanks; "
                "`practicum bots check` shows what its model is asked",
                kind="empty",
            )
        return replace(asked, seed=(asked.seed + 1) % 2**31)

    def _cut_off(self, asked: Request, seconds: float) -> Call:
        """Return the call of a reply whose end was not waited for: the server has named neither itself nor its tokens."""
        return Call(model=f"bot:{self.bot.name}", finish="stop", prompt_tokens=0, completion_tokens=0, seconds=seconds, seed=asked.seed)

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

    Without a window the messages of the chat form and of raw transcripts grow at the end only, as the session does, and are not copied.

    Args:
        bot: The bot.
        request: In chat form; see `BotBackend`. Its sampling is used as it is (a chair's or gateway's is the bot's already).
    """
    messages = request.messages if bot.window is None else _last(request.messages, bot.window)
    stop = (*bot.stop, *request.stop)
    form, cue, tail = Form.CHAT, "", request.tail
    if bot.form is Form.TRANSCRIPT:
        marks = bot.labels_in(request.language)
        cue = marks[Speaker.COUNSELOR] if bot.cue is None else bot.cue
        if bot.raw:
            form = Form.TRANSCRIPT
            messages = Lines(messages, marks)
            cue = cue.rstrip()  # without its blank: tokenizers join that to the first word of the reply
            stop = ("\n", *(mark.strip() for mark in marks.values()), *stop)
        else:
            messages = [Message("system", ""), Message("user", _one_text(bot, messages, marks, cue, tail))]
            cue, tail = "", None
    return replace(request, form=form, messages=messages, stop=stop, cue=cue, tail=tail, template=bot.template, lora=bot.lora, own=bot.own)


class Lines(Sequence[Message]):
    """A chat as labelled lines, one user message a turn; made as they are asked for."""

    __slots__ = ("_chat", "_marks")

    def __init__(self, chat: Sequence[Message], labels: Mapping[Speaker, str]) -> None:
        self._chat = chat
        self._marks = {"system": "", "user": labels[Speaker.CLIENT], "assistant": labels[Speaker.COUNSELOR]}

    def __len__(self) -> int:
        return len(self._chat)

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> list[Message]: ...
    def __getitem__(self, index: int | slice) -> Message | list[Message]:
        if isinstance(index, slice):
            return [self._line(message) for message in self._chat[index]]
        return self._line(self._chat[index])

    def _line(self, message: Message) -> Message:
        role, content = message
        return Message("system" if role == "system" else "user", self._marks[role] + content)


def _one_text(bot: Bot, messages: Sequence[Message], marks: Mapping[Speaker, str], cue: str, tail: Message | None) -> str:
    """Return instruction, session and cue as one text."""
    instruction, *lines = (line.content for line in Lines(messages, marks))
    head = [instruction, "", *([bot.heading] if bot.heading else [])] if instruction else []
    return "\n".join([*head, *lines, *([tail.content] if tail else []), cue])


def _last(messages: Sequence[Message], exchanges: int) -> Sequence[Message]:
    """Return the system message and the last exchanges, of which the one that is to be answered is the last."""
    start = len(messages)
    while start > 1 and exchanges:
        start -= 1
        if messages[start].role == "user" and messages[start - 1].role != "user":
            exchanges -= 1
    return messages if start <= 1 else [messages[0], *messages[start:]]


def _summed(spent: Sequence[Call], last: Call) -> Call:
    """Return the last call with what those before it have cost."""
    if not spent:
        return last
    calls = (*spent, last)
    return replace(
        last,
        prompt_tokens=sum(call.prompt_tokens for call in calls),
        completion_tokens=sum(call.completion_tokens for call in calls),
        seconds=sum(call.seconds for call in calls),
        attempts=sum(call.attempts for call in calls),
    )
