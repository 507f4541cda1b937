"""A backend without a model: lines from a file, or a rule. For tests, and for trying the whole package at once."""

from __future__ import annotations

import asyncio
import random
import re
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from practicum.backends.base import Chunk, Reply, Request
from practicum.core import Call, digest_of
from practicum.errors import BackendError, ConfigError

SESSIONS_AT_ONCE = 64
FAIL = "!fail"
"""A line of a script that is not said: the call fails for good, with the rest of the line as its cause."""
_PIECE = re.compile(r"\s*(?:[!-~]+|[^\s!-~]{1,2})")
"""A word, or two characters of a script that has no spaces."""

Rule = Callable[[Request], str]


def always(text: str) -> Rule:
    """Say the same every time."""
    return lambda _: text


def echo(request: Request) -> str:
    """Say what was said last."""
    return request.messages[-1].content


def lines(texts: Sequence[str]) -> Rule:
    """Say the lines in order, one for each own turn; after the last begin anew.

    Which line comes follows from the turns so far, not from a counter: a resumed session goes on where it was.
    """

    def rule(request: Request) -> str:
        return texts[(len(request.messages) - 2) // 2 % len(texts)]

    return rule


def seeded(texts: Sequence[str]) -> Rule:
    """Draw a line by the request's seed: the same seed says the same."""
    return lambda request: random.Random(request.seed).choice(texts)


def read_rule(name: str) -> Rule:
    """Read what stands behind `script:`: `always TEXT`, `echo`, `seeded FILE` or `FILE` (one line a turn).

    Empty lines and lines that begin with # are skipped; `!fail CAUSE` lets the call fail.

    Raises:
        ConfigError: The file is missing, not UTF-8 or without a line.
    """
    word, _, rest = name.partition(" ")
    if word == "always" and rest.strip():
        return always(rest.strip())
    if name == "echo":
        return echo
    if word == "seeded" and rest.strip():
        return seeded(_read_lines(rest.strip()))
    return lines(_read_lines(name))


def rule_identity(name: str) -> str:
    """Return what stands for a rule in an identity: its name, and the digest of the lines where it reads a file."""
    word, _, rest = name.partition(" ")
    if name == "echo" or (word == "always" and rest.strip()):
        return name
    path = rest.strip() if word == "seeded" and rest.strip() else name
    return f"{name.removesuffix(path)}{Path(path).name}#{digest_of(list(_read_lines(path)))}"


def _read_lines(path: str) -> Sequence[str]:
    try:
        found = [line.strip() for line in Path(path).read_text("utf-8").splitlines()]
    except OSError as problem:
        raise ConfigError(f"script:{path}: {problem.strerror}; expected a text file, `always TEXT`, `echo` or `seeded FILE`") from None
    except UnicodeDecodeError:
        raise ConfigError(f"script:{path}: not a UTF-8 text file") from None
    kept = [line for line in found if line and not line.startswith("#")]
    if not kept:
        raise ConfigError(f"script:{path}: no line to say")
    return kept


class ScriptedBackend:
    """Answers by a rule, at once. Keeps what it was asked for whoever wants to look."""

    def __init__(self, rule: Rule | Sequence[str], *, name: str = "script", keep: int = 0) -> None:
        """Answer by `rule`, a function of the request or lines to say in order.

        Args:
            rule: What to say.
            name: The model that calls are booked under.
            keep: How many of the latest requests to keep in `asked`; 0 keeps none.
        """
        self._rule = rule if callable(rule) else lines(rule)
        self._name = name
        self.asked: deque[Request] = deque(maxlen=keep)
        self.under_way = 0

    @property
    def capacity(self) -> int:
        """Enough for any test."""
        return SESSIONS_AT_ONCE

    async def reply(self, request: Request) -> Reply:
        """Return what the rule says.

        Raises:
            BackendError: The rule says `!fail`, or nothing.
        """
        if self.asked.maxlen:
            self.asked.append(replace(request, messages=tuple(request.messages)))  # the live view would grow on
        text = self._rule(request)
        if not text or text.startswith(FAIL):
            raise BackendError(text.removeprefix(FAIL).strip() or "the script says nothing", kind="script")
        call = Call(model=self._name, finish="stop", prompt_tokens=0, completion_tokens=0, seconds=0.0, seed=request.seed)
        return Reply(text=text, call=call)

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """Yield what the rule says, a word or two characters at a time.

        Raises:
            BackendError: As for `reply`.
        """
        self.under_way += 1
        try:
            reply = await self.reply(request)
            pieces = _PIECE.findall(reply.text.strip())
            if not pieces:
                raise BackendError("the script says nothing", kind="script")
            for piece in pieces:
                yield Chunk(piece)
                await asyncio.sleep(0)  # as with any model, others get their turn between two pieces
            yield Chunk("", replace(reply, text="".join(pieces)))
        finally:
            self.under_way -= 1

    def release(self, thread: str) -> None:
        """Forget a thread; there is nothing to forget."""

    def drain(self) -> None:
        """Refuse nothing: nobody ever waits."""

    async def aclose(self) -> None:
        """Close nothing."""
