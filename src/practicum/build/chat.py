"""A chat held: a session with a person on one chair, in the one loop that holds all sessions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from practicum.build.backends import Backends
from practicum.build.chat_keeper import Keeper
from practicum.build.chat_plan import ChatConfig, ChatPlan
from practicum.build.runs import chair_of, session_rules
from practicum.build.serving import load, run_loop
from practicum.core import Ending, Language, Profile, SessionView, Speaker, Turn, guess_language
from practicum.engine import Moderator, OpenSession, Voice, hold_session
from practicum.errors import BackendError, EndpointError, PracticumError
from practicum.measures import find_risks
from practicum.roles import Aside, CuttableVoice, ModelVoice, PersonVoice, SteppedOut, StreamedVoice, Wish, labels, opening
from practicum.store import DEFAULT_URL


class Event(StrEnum):
    """What a person is to be told besides what is said."""

    TAKEN_BACK = "taken_back"
    NOTHING_TO_TAKE_BACK = "nothing_to_take_back"
    AGAIN = "again"
    """Another reply is asked for."""
    NOTHING_TO_ASK_AGAIN = "nothing_to_ask_again"
    CUT = "cut"
    """The reply was cut short; it is not part of the session, nor are the words that it answered, until they are said again."""
    FAILED = "failed"
    """The same, because no reply could be had; with the cause."""
    WILL_SAVE = "will_save"
    """The session will be in the store once it has begun; with the run's name."""
    SAVED = "saved"
    """The session is in the store, and what comes will be; with the run's name."""
    SAVED_ALREADY = "saved_already"
    NOT_SAVED = "not_saved"
    """With the cause."""
    NOTE = "note"
    """From a backend: a parameter dropped, a model being loaded."""


class Listener(Protocol):
    """The person, as the chat meets them: at a terminal, or through a pipe."""

    patient: bool
    """Told when a reply fails, and asked again. Else that is the end of the chat."""

    async def ask(self, session: SessionView) -> str | Aside:
        """Return what the person says next, never blank, or what they want instead. Before the first words the language may be a guess."""
        ...

    def begin(self, language: Language, cut: Callable[[], object]) -> None:
        """The session begins, in this language. `cut` ends a reply that is on its way, from any thread or signal handler."""
        ...

    def offer(self, turns: Sequence[Turn]) -> bool:
        """Tell whether the person wants to go on with a session that was cut off, with these turns."""
        ...

    def hear(self, piece: str) -> None:
        """A piece of a reply that is on its way."""
        ...

    def said(self, turn: Turn) -> None:
        """A turn, the person's own too, is part of the session now."""
        ...

    def tell(self, event: Event, detail: str = "") -> None:
        """Something that is not part of the session."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatResult:
    """What came of a chat."""

    run: str
    """"" if the session was not kept."""
    key: str
    exchanges: int
    ending: Ending | None
    """None: the person left before a word was said."""


class Talk:
    """One chat: enters the loop, leaves it when the person steps out of it, and enters it again with the turns that stand."""

    def __init__(self, plan: ChatPlan, backends: Backends, listener: Listener, keeper: Keeper) -> None:
        self._plan = plan
        self._config = plan.config
        self._me = plan.config.chair
        self._chair = chair_of(self._me.other, plan.seat, backends, plan.config)
        self._listener = listener
        self._keeper = keeper
        self._person = PersonVoice(listener.ask)
        self._other: CuttableVoice | None = None
        self._unanswered = ""
        """Words of the person's that were taken back because no reply came."""
        self._again = 0
        """How often another reply was asked for: so many seeds are used up."""
        self._wanted: str | None = None
        """The run in which the session is to be kept ("": the plan's) once it begins; None: in none."""

    async def hold(self, *, new: bool) -> ChatResult:
        """Hold the chat to its end; `new`: do not go on with an unfinished session."""
        profile = self._plan.profile
        if profile is None:
            words = await self._first_words()
            if not words:
                return ChatResult(run="", key="", exchanges=0, ending=None)
            profile = self._plan.story(self._config.language or guess_language(words))
            self._person.say_next(words)
        loop = asyncio.get_running_loop()
        self._listener.begin(profile.language, lambda: loop.call_soon_threadsafe(self.cut))
        if self._me is Speaker.COUNSELOR:
            await self._keeper.keep(profile, offer=None if new else lambda turns: len(turns) < 2 or self._listener.offer(turns))
        elif self._wanted is not None:
            await self._save(profile, self._wanted)
        key = self._keeper.key or self._plan.session(profile, 1).key
        ending = await self._hold(profile, key)
        exchanges = sum(turn.speaker is Speaker.COUNSELOR for turn in self._keeper.turns)
        return ChatResult(run=self._keeper.run, key=self._keeper.key, exchanges=exchanges, ending=ending)

    def want(self, run: str) -> None:
        """Keep the session from its first words on, in this run; "": the plan's."""
        self._wanted = run

    def cut(self) -> None:
        """End the reply that is on its way, if there is one."""
        if self._other is not None:
            self._other.cut()

    async def _first_words(self) -> str:
        """Return the person's first words, which tell the session's language; "" if they leave."""
        nothing_yet = SessionView("", self._config.language or "en", self._config.seed, ())
        while not isinstance(words := await self._listener.ask(nothing_yet), str):
            match words.wish:
                case Wish.LEAVE:
                    return ""
                case Wish.SAVE:
                    self._wanted = words.detail
                    self._listener.tell(Event.WILL_SAVE, words.detail or self._plan.name)
                case Wish.UNDO:
                    self._listener.tell(Event.NOTHING_TO_TAKE_BACK)
                case _:
                    self._listener.tell(Event.NOTHING_TO_ASK_AGAIN)
        return words

    async def _hold(self, profile: Profile, key: str) -> Ending:
        """Let the two speak until an ending is found, or the person leaves."""
        risks = [str(risk) for risk in find_risks(profile.text)]
        while True:
            # From the turns alone, as in a session that is gone on with: what was taken back has not been said.
            moderator = Moderator(session_rules(self._config), risks=risks)
            session = OpenSession(key=key, language=profile.language, run_seed=self._config.seed, turns=self._keeper.turns)
            voices = self._seat(profile, key)
            try:
                ending = await hold_session(session, voices, moderator, self._keeper, clock=time.time)
            except SteppedOut as step:
                ending = await self._follow(step.aside, profile)
            except (BackendError, EndpointError) as problem:
                if not self._listener.patient:
                    if isinstance(problem, BackendError):
                        await self._keeper.finish(Ending.FAILED, sorted(moderator.risks), str(problem))
                    raise
                await self._unsay()
                self._listener.tell(Event.FAILED, str(problem))
                ending = None
            finally:
                voices[self._me.other].release()
            if ending is not None:
                await self._keeper.finish(ending, sorted(moderator.risks))
                return ending

    def _seat(self, profile: Profile, key: str) -> Mapping[Speaker, Voice]:
        chair, language = self._chair, profile.language
        if self._again:
            chair = replace(chair, purpose=f"{chair.purpose}:again{self._again}")
        system = self._plan.seat.render(profile, self._config.max_exchanges)
        if self._me is Speaker.CLIENT:
            self._other = CuttableVoice(StreamedVoice(chair, key=key, system=system, tell=self._listener.hear))
        else:
            self._other = CuttableVoice(ModelVoice(chair, key=key, system=system, labels=labels(language), opening=opening(language)))
        return {self._me: self._person, self._me.other: self._other}

    async def _follow(self, aside: Aside, profile: Profile) -> Ending | None:
        """Do what the person wants; return the ending if they leave."""
        match aside.wish:
            case Wish.LEAVE:
                return Ending.CLIENT_LEFT if self._me is Speaker.CLIENT else Ending.COUNSELOR_CLOSED
            case Wish.SAVE:
                await self._save(profile, aside.detail)
            case Wish.CUT:
                await self._unsay()
                self._listener.tell(Event.CUT)
            case Wish.UNDO:
                await self._undo()
            case Wish.RETRY:
                await self._retry()
        return None

    async def _undo(self) -> None:
        turns = self._keeper.turns
        self._unanswered = ""
        if len(turns) < 2:
            self._listener.tell(Event.NOTHING_TO_TAKE_BACK)
            return
        await self._keeper.take_back(len(turns) - 2)
        self._listener.tell(Event.TAKEN_BACK)

    async def _retry(self) -> None:
        turns = self._keeper.turns
        if self._unanswered:
            self._person.say_next(self._unanswered)
            self._unanswered = ""
        elif len(turns) >= 2:
            await self._keeper.take_back(len(turns) - 1)
        else:
            self._listener.tell(Event.NOTHING_TO_ASK_AGAIN)
            return
        self._again += 1
        self._listener.tell(Event.AGAIN)

    async def _unsay(self) -> None:
        """Take back words that got no reply; `/retry` says them again."""
        turns = self._keeper.turns
        if turns and turns[-1].speaker is self._me:
            self._unanswered = turns[-1].text
            await self._keeper.take_back(len(turns) - 1)

    async def _save(self, profile: Profile, run: str) -> None:
        if self._keeper.run:
            self._listener.tell(Event.SAVED_ALREADY, self._keeper.run)
            return
        try:
            await self._keeper.keep(profile, run=run)
        except PracticumError as problem:
            self._listener.tell(Event.NOT_SAVED, str(problem))
            if not self._listener.patient:
                raise
        else:
            self._listener.tell(Event.SAVED, self._keeper.run)


def hold_chat(plan: ChatPlan, listener: Listener, *, db: str = DEFAULT_URL, save: bool = False, new: bool = False) -> ChatResult:
    """Hold a chat to its end.

    On the counselor's chair it is kept from the first turn on, and an unfinished session of the same client is offered to go on
    with. On the client's chair nothing is written before the person says so.

    Args:
        plan: The chat.
        listener: The person.
        db: The store; touched only where something is kept.
        save: The person on the client's chair says so now.
        new: Begin a new session, even if one is unfinished.

    Raises:
        BackendError: The listener is not patient, and no reply could be had.
        EndpointError: The same, because the model's server is gone.
        ModelFileError: The local model cannot be loaded.
        StoreError: The store cannot be written.
    """
    results: list[ChatResult] = []

    async def main() -> None:
        keeper = Keeper(plan, db, time.time, listener.said)

        def notify(text: str) -> None:
            keeper.note(text)
            listener.tell(Event.NOTE, text)

        backends = Backends(_for_one(plan.config), [plan.seat.source], notify, serving=True)
        try:
            await load(backends)
            talk = Talk(plan, backends, listener, keeper)
            if save:
                talk.want("")
            results.append(await talk.hold(new=new))
        finally:
            keeper.close()
            for backend in backends.all():
                await backend.aclose()

    run_loop(main)
    return results[0]


def _for_one(config: ChatConfig) -> ChatConfig:
    """Return the configuration with room for one conversation, where nothing is said."""
    return config if config.at_once else config.model_copy(update={"at_once": 1})
