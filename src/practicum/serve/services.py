"""The two kinds of service: a bot that counsels, and a simulated client that is counseled."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import groupby

from practicum.backends import Chunk, Reply, Request
from practicum.core import Call, Form, Message, Profile, Sampling, SessionView, Speaker, Turn, digest_of
from practicum.errors import ConfigError
from practicum.roles import Chair, ModelVoice, labels, opening
from practicum.serve.bot import BotBackend
from practicum.serve.service import Asked

Look = Callable[[], Awaitable[str]]
"""Returns "" if a model can be asked now, else what is missing."""

_SPEAKERS = {"user": Speaker.COUNSELOR, "assistant": Speaker.CLIENT}
"""Who says what where the caller counsels."""


class BotService:
    """A bot behind the door: whoever calls is its client."""

    counselor = True

    def __init__(self, backend: BotBackend, look: Look) -> None:
        bot = backend.bot
        self.name = f"bot/{bot.name}"
        self.about = bot.about.get("en", "")
        self.digest = bot.digest
        self.honours = frozenset(bot.caller)
        self._backend = backend
        self._look = look

    def speak(self, asked: Asked) -> AsyncGenerator[Chunk, None]:
        """Yield the bot's reply as it comes; see `Service`. Nothing stands between the caller and the backend's own generator."""
        bot = self._backend.bot
        sampling = _lowered(bot.sampling, asked.max_tokens)
        if "temperature" in bot.caller and asked.temperature is not None:
            sampling = replace(sampling, temperature=asked.temperature)
        if "top_p" in bot.caller and asked.top_p is not None:
            sampling = replace(sampling, top_p=asked.top_p)
        return self._backend.stream(
            Request(
                thread="",
                form=Form.CHAT,
                messages=(Message("system", bot.system(asked.language)), *asked.messages),
                sampling=sampling,
                seed=asked.seed,
                stop=asked.stop,
                route=asked.route,
                language=asked.language,
            )
        )

    async def ready(self) -> str:
        """Ask whether the model behind can answer."""
        return await self._look()


class ClientService:
    """A simulated client behind the door: whoever calls is the counselor.

    The client opens, as in any session. A caller who has said nothing hears the opening; one whose first message is the
    counselor's is taken to have heard it. Replies pass the reply check, so that a reply is whole before its first word is sent.
    """

    counselor = False
    honours: frozenset[str] = frozenset()

    def __init__(self, profile: Profile, chair: Chair, system: str, look: Look) -> None:
        """Seat a client.

        Args:
            profile: Who it is; the caller never sees it.
            chair: The client's chair.
            system: The client's prompt, rendered with the profile.
            look: Whether its model can be asked.
        """
        self.name = f"client/{profile.id}"
        self.about = "a simulated client"
        self.digest = digest_of([profile.id, profile.digest, chair.participant.digest])
        self._profile = profile
        self._chair = chair
        self._system = system
        self._look = look

    async def speak(self, asked: Asked) -> AsyncGenerator[Chunk, None]:
        """Yield what the client says next; see `Service`."""
        turns = self._turns(asked.messages)
        language = self._profile.language
        if not turns:
            first = opening(language)
            yield Chunk(first)
            yield Chunk("", Reply(text=first, call=_no_call(self.name, asked.seed)))
            return
        if turns[-1].speaker is Speaker.CLIENT:
            raise ConfigError("messages: the client has spoken last; expected the counselor's words (role user) at the end")
        view = SessionView(self.digest, language, asked.seed, turns)
        participant = self._chair.participant
        chair = replace(self._chair, participant=replace(participant, sampling=_lowered(participant.sampling, asked.max_tokens)))
        voice = ModelVoice(chair, key=view.key, system=self._system, labels=labels(language), pinned=False)
        said = await voice.speak(view)
        call = said.call or _no_call(self.name, asked.seed)
        yield Chunk(said.text)
        spent = replace(call, prompt_tokens=said.prompt_tokens, completion_tokens=said.completion_tokens)
        yield Chunk("", Reply(text=said.text, call=spent))

    def _turns(self, messages: Sequence[Message]) -> list[Turn]:
        """Return the messages as turns, pieces of one speaker joined; the opening comes first unless the client's words do."""
        said = [(_SPEAKERS[role], "\n".join(one.content for one in pieces)) for role, pieces in groupby(messages, lambda one: one.role)]
        if said and said[0][0] is Speaker.COUNSELOR:
            said.insert(0, (Speaker.CLIENT, opening(self._profile.language)))
        return [Turn(index=index, speaker=speaker, text=text) for index, (speaker, text) in enumerate(said)]

    async def ready(self) -> str:
        """Ask whether the model behind can answer."""
        return await self._look()


def _lowered(sampling: Sampling, most: int | None) -> Sampling:
    """Return a sampling whose limit on tokens a caller may lower, and never raises."""
    return sampling if most is None else replace(sampling, max_tokens=min(most, sampling.max_tokens or most))


def _no_call(model: str, seed: int) -> Call:
    return Call(model=model, finish="stop", prompt_tokens=0, completion_tokens=0, seconds=0.0, seed=seed)
