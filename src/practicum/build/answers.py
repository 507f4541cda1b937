"""Single replies for scripts: the last word of each of many talks, in order, several asked for at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from practicum.backends import Reply
from practicum.build.backends import Backends
from practicum.build.chat_plan import ChatPlan
from practicum.build.runs import chair_of
from practicum.build.serving import load, run_loop
from practicum.core import Message, Speaker, derive_seed, guess_language
from practicum.errors import ConfigError, PracticumError
from practicum.measures import find_risks
from practicum.roles import whole
from practicum.serve import Asked, BotBackend, BotService, ClientService, Service

AHEAD = 4
"""Replies that may be ready before an earlier one is: so many for each place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one talk was answered."""

    reply: str
    """"" where it failed."""
    model: str
    """That the server says has answered."""
    bot: str
    """`bot/NAME` or `client/PROFILE_ID`."""
    digest: str
    """What determines the bot."""
    finish: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    risk: tuple[str, ...]
    """Kinds of risk in the words that are answered."""
    error: str = ""
    """Why it failed."""


def answer_all(
    plan: ChatPlan, talks: Sequence[Sequence[Message]], take: Callable[[Answer], None], *, notify: Callable[[str], None] = lambda _: None
) -> int:
    """Ask for a reply to each talk.

    Args:
        plan: Whom to ask.
        talks: Each at least one message, `user` and `assistant` in the order said, the last one the user's.
        take: Given the answers, in the talks' order, each as soon as it and all before it are there.
        notify: Told what the user should know.

    Returns:
        How many have failed.
    """
    failed = 0

    def count(answer: Answer) -> None:
        nonlocal failed
        failed += bool(answer.error)
        take(answer)

    async def main() -> None:
        backends = Backends(plan.config, [plan.seat.source], notify, serving=True)
        try:
            backends.make_room()
            await load(backends)
            service = _service(plan, backends)
            capacity = sum(backend.capacity for backend in backends.all())
            await _ask_all(plan, service, talks, count, at_once=min(plan.config.at_once or capacity, capacity))
        finally:
            for backend in backends.all():
                await backend.aclose()

    run_loop(main)
    return failed


def _service(plan: ChatPlan, backends: Backends) -> Service:
    if plan.made is not None:
        return BotService(BotBackend(plan.made.bot, backends.behind(plan.made.source)), _no_look)
    profile = plan.story("en")
    chair = chair_of(Speaker.CLIENT, plan.seat, backends, plan.config)
    return ClientService(profile, chair, plan.seat.render(profile, plan.config.max_exchanges), _no_look)


async def _no_look() -> str:
    return ""


async def _ask_all(
    plan: ChatPlan, service: Service, talks: Sequence[Sequence[Message]], take: Callable[[Answer], None], *, at_once: int
) -> None:
    places = asyncio.Semaphore(at_once)
    under_way: deque[asyncio.Task[Answer]] = deque()

    async def ask(number: int, talk: Sequence[Message]) -> Answer:
        async with places:
            return await _ask(plan, service, number, talk)

    try:
        for number, talk in enumerate(talks):
            under_way.append(asyncio.ensure_future(ask(number, talk)))
            while len(under_way) >= AHEAD * at_once:
                take(await under_way.popleft())
        while under_way:
            take(await under_way.popleft())
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _ask(plan: ChatPlan, service: Service, number: int, talk: Sequence[Message]) -> Answer:
    asked = Asked(
        messages=talk,
        language=plan.config.language or guess_language(" ".join(message.content for message in talk if message.role == "user")),
        seed=derive_seed(plan.config.seed, service.digest, len(talk), "answer", number),
        route=f"{number}",
    )
    risk = tuple(str(kind) for kind in find_risks(talk[-1].content))
    try:
        reply = await whole(service.speak(asked))
    except PracticumError as problem:
        return _answer(service, risk, error=str(problem))
    return _answer(service, risk, reply=reply)


def _answer(service: Service, risk: tuple[str, ...], *, reply: Reply | None = None, error: str = "") -> Answer:
    call = None if reply is None else reply.call
    return Answer(
        reply="" if reply is None else reply.text,
        model=call.model if call else "",
        bot=service.name,
        digest=service.digest,
        finish=call.finish if call else "",
        prompt_tokens=call.prompt_tokens if call else 0,
        completion_tokens=call.completion_tokens if call else 0,
        seconds=round(call.seconds, 3) if call else 0.0,
        risk=risk,
        error=error,
    )


def read_talks(data: bytes, where: str) -> tuple[list[list[Message]], int]:
    """Read talks, a line each: an object with a list `messages`, or the list itself; blank lines are skipped.

    Returns:
        The talks, and how many system messages were left out of them: a bot has its own instruction.

    Raises:
        ConfigError: A line is no talk that can be answered.
    """
    talks = []
    systems = 0
    for number, line in enumerate(data.splitlines(), start=1):
        if line.strip():
            talk, left_out = read_messages(line, f"{where}, line {number}", last="user")
            talks.append(talk)
            systems += left_out
    if not talks:
        raise ConfigError(f"{where}: no talk to answer; expected a JSON object with a list 'messages' in each line")
    return talks, systems


def read_messages(data: bytes, where: str, *, last: str) -> tuple[list[Message], int]:
    """Read one talk from JSON; see `read_talks`.

    Args:
        data: The JSON.
        where: Named in messages.
        last: The role of the last message: user, or assistant where the user's words come from elsewhere.

    Raises:
        ConfigError: It is no talk, or ends otherwise.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as problem:
        raise ConfigError(f"{where}: not JSON: {problem}") from None
    listed = value.get("messages") if isinstance(value, dict) else value
    if not isinstance(listed, list):
        raise ConfigError(f"{where}: expected a list of messages, or an object with a list 'messages'")
    messages = []
    for position, one in enumerate(listed, start=1):
        role, content = (one.get("role"), one.get("content")) if isinstance(one, dict) else (None, None)
        if role not in ("system", "user", "assistant") or not isinstance(content, str) or not content.strip():
            raise ConfigError(f"{where}, message {position}: expected a role (user or assistant) and a content that is not blank")
        messages.append(Message(role, content))
    said = [message for message in messages if message.role != "system"]
    if not said or said[-1].role != last:
        asked = "to be answered" if last == "user" else "--message comes after it"
        raise ConfigError(f"{where}: expected the last message to be the {last}'s ({asked}), it is {said[-1].role if said else 'nothing'}")
    return said, len(messages) - len(said)
