from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from practicum.backends import Chunk, Reply, Request
from practicum.core import Call, Form, Language, Message, Participant, Sampling, SessionView, Speaker, Turn, Utterance, derive_seed
from practicum.errors import BackendError
from practicum.measures import CheckRules
from practicum.roles import Aside, Chair, CuttableVoice, PersonVoice, SteppedOut, StreamedVoice, Wish, whole


def view(*texts: str, language: Language = "zh") -> SessionView:
    turns = [Turn(index=index, speaker=list(Speaker)[index % 2], text=text) for index, text in enumerate(texts)]
    return SessionView("k", language, 7, turns)


class Pieces:
    """A backend that says a reply in pieces; what it was asked, and whether its caller has left, is kept."""

    under_way = 0
    capacity = 1

    def __init__(self, *pieces: str, ends: bool = True, hangs: bool = False) -> None:
        self._pieces = pieces
        self._ends = ends
        self._hangs = hangs
        self.asked: list[Request] = []
        self.released: list[str] = []
        self.spoken = asyncio.Event()
        self.left = False

    async def reply(self, request: Request) -> Reply:
        return await whole(self.stream(request))

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        self.asked.append(request)
        try:
            for piece in self._pieces:
                yield Chunk(piece)
            self.spoken.set()
            if self._hangs:
                await asyncio.Event().wait()
            if self._ends:
                call = Call(model="m", finish="stop", prompt_tokens=9, completion_tokens=4, seconds=0.1, seed=request.seed)
                yield Chunk("", Reply(text="".join(self._pieces).strip(), call=call))
        except (GeneratorExit, asyncio.CancelledError):
            self.left = True
            raise

    def release(self, thread: str) -> None:
        self.released.append(thread)

    def drain(self) -> None: ...

    async def aclose(self) -> None: ...


def chair(backend: Pieces, **changes: Any) -> Chair:
    participant = Participant(
        role="counselor", model="bot:b#1", form=Form.CHAT, prompts=(), sampling=Sampling(temperature=None, top_p=0.8, max_tokens=None)
    )
    return Chair.of(Speaker.COUNSELOR, participant, backend, CheckRules(), **changes)


# ── a person ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_person_says_what_they_are_asked_for() -> None:
    seen = []

    async def ask(session: SessionView) -> str:
        seen.append(session.next_index)
        return "最近睡不好。"

    assert await PersonVoice(ask).speak(view("你好", "请说")) == Utterance(text="最近睡不好。")
    assert seen == [2]


async def test_words_that_are_ready_are_said_once_without_asking() -> None:
    async def ask(_: SessionView) -> str:
        return "asked"

    voice = PersonVoice(ask)
    voice.say_next("ready")
    assert [(await voice.speak(view())).text for _ in range(2)] == ["ready", "asked"]
    voice.release()


async def test_a_wish_leaves_the_loop() -> None:
    async def ask(_: SessionView) -> Aside:
        return Aside(Wish.SAVE, "mine")

    with pytest.raises(SteppedOut) as left:
        await PersonVoice(ask).speak(view())
    assert left.value.aside == Aside(Wish.SAVE, "mine")


# ── a reply heard as it comes ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_reply_is_told_piece_by_piece_and_is_whole_at_the_end() -> None:
    backend = Pieces("是从", "什么时候", "开始的？")
    heard: list[str] = []
    voice = StreamedVoice(chair(backend), key="k", system="你是咨询师。", tell=heard.append)
    said = await voice.speak(view("最近睡不好"))
    assert heard == ["是从", "什么时候", "开始的？"]
    assert (said.text, said.prompt_tokens, said.completion_tokens) == ("是从什么时候开始的？", 9, 4)
    assert said.call is not None


async def test_a_model_is_asked_in_chat_form_with_a_seed_of_its_own() -> None:
    backend = Pieces("Hi")
    seat = chair(backend)
    voice = StreamedVoice(seat, key="k", system="Listen.", tell=lambda _: None)
    await voice.speak(view("Hello", language="en"))
    [request] = backend.asked
    assert list(request.messages) == [Message("system", "Listen."), Message("user", "Hello")]
    assert (request.form, request.language, request.route, request.sampling.top_p) == (Form.CHAT, "en", "k", 0.8)
    assert request.seed == derive_seed(7, "k", 1, seat.purpose)
    voice.release()
    assert backend.released == [request.thread] == ["k/counselor"]


async def test_a_reply_without_its_last_piece_is_broken() -> None:
    with pytest.raises(BackendError) as broken:
        await whole(Pieces("half a", ends=False).stream(None))  # type: ignore[arg-type]
    assert broken.value.kind == "broken"


async def test_a_listener_that_stumbles_ends_the_call() -> None:
    backend = Pieces("one", "two")

    def tell(_: str) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        await StreamedVoice(chair(backend), key="k", system="", tell=tell).speak(view("Hello"))
    assert backend.left


# ── cut short ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_reply_that_is_cut_short_ends_at_the_model_too() -> None:
    backend = Pieces("是从", hangs=True)
    voice = CuttableVoice(StreamedVoice(chair(backend), key="k", system="", tell=lambda _: None))
    speaking = asyncio.ensure_future(voice.speak(view("最近睡不好")))
    await backend.spoken.wait()
    assert voice.cut()
    with pytest.raises(SteppedOut) as left:
        await speaking
    assert left.value.aside.wish is Wish.CUT
    assert backend.left


async def test_there_is_nothing_to_cut_while_nobody_speaks() -> None:
    backend = Pieces("Hi")
    voice = CuttableVoice(StreamedVoice(chair(backend), key="k", system="", tell=lambda _: None))
    assert not voice.cut()
    assert (await voice.speak(view("Hello"))).text == "Hi"
    assert not voice.cut()
    voice.release()
    assert backend.released == ["k/counselor"]


async def test_whoever_waits_for_a_reply_may_be_cancelled_as_ever() -> None:
    backend = Pieces("Hi", hangs=True)
    voice = CuttableVoice(StreamedVoice(chair(backend), key="k", system="", tell=lambda _: None))
    speaking = asyncio.ensure_future(voice.speak(view("Hello")))
    await backend.spoken.wait()
    speaking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await speaking
    assert backend.left
