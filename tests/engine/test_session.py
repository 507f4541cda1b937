from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.backends import Chunk, Reply, Request, ScriptedBackend
from practicum.core import Call, Ending, Form, Record, SessionView, Speaker, Turn, Utterance
from practicum.engine import OpenSession
from practicum.errors import BackendError
from tests.engine.scenes import CLIENT_LINES, COUNSELOR_LINES, GOODBYE, KEY, MemoryJournal, Talker, hold, make_turns, script, seat_models

STORY = "我今年二十六岁，在一家设计公司做助理，母亲去年病了。"
PERSONA = "你是一位整合取向的心理咨询师，每次只问一个问题。"
SYSTEMS = {Speaker.CLIENT: STORY, Speaker.COUNSELOR: PERSONA}


def two_scripts() -> dict[Speaker, ScriptedBackend]:
    return {Speaker.CLIENT: script(*CLIENT_LINES), Speaker.COUNSELOR: script(*COUNSELOR_LINES)}


async def test_client_and_counselor_speak_in_turn_up_to_the_limit() -> None:
    journal = MemoryJournal()
    voices = {Speaker.CLIENT: Talker("你好", "嗯"), Speaker.COUNSELOR: Talker("请说")}
    assert await hold(voices, journal) is Ending.TURN_LIMIT
    assert [turn.text for turn in journal.turns[:4]] == ["你好", "请说", "嗯", "第1句话"]
    assert [turn.index for turn in journal.turns] == list(range(10))
    assert [turn.speaker for turn in journal.turns] == [Speaker.CLIENT, Speaker.COUNSELOR] * 5
    assert {turn.at for turn in journal.turns} == {1_700_000_000.0}


async def test_a_goodbye_on_both_sides_ends_it_early() -> None:
    journal = MemoryJournal()
    voices = {Speaker.CLIENT: Talker("你好", "嗯", GOODBYE), Speaker.COUNSELOR: Talker("请说", "还有吗？", GOODBYE)}
    assert await hold(voices, journal) is Ending.CLOSED
    assert len(journal.turns) == 6


async def test_every_turn_is_durable_before_the_next_is_asked_for() -> None:
    events: list[str] = []

    class SlowJournal(MemoryJournal):
        async def append(self, turn: Turn, records: Sequence[Record]) -> None:
            events.append(f"begin {turn.index}")
            for _ in range(3):
                await asyncio.sleep(0)
            await super().append(turn, records)
            events.append(f"durable {turn.index}")

    class Listener(Talker):
        async def speak(self, session: SessionView) -> Utterance:
            events.append(f"asked {session.next_index} after {len(session.turns)}")
            return await super().speak(session)

    await hold({Speaker.CLIENT: Listener(), Speaker.COUNSELOR: Listener()}, SlowJournal())
    assert events == [text for n in range(10) for text in (f"asked {n} after {n}", f"begin {n}", f"durable {n}")]


@pytest.mark.parametrize("problem", [BackendError("gone", kind="budget"), KeyError("a bug")])
async def test_a_voice_that_cannot_speak_takes_nothing_back(problem: Exception) -> None:
    journal = MemoryJournal()
    with pytest.raises(type(problem)) as caught:
        await hold({Speaker.CLIENT: Talker("你好", "嗯"), Speaker.COUNSELOR: Talker("请说", problem=problem)}, journal)
    assert caught.value is problem
    assert [turn.text for turn in journal.turns] == ["你好", "请说", "嗯"]


async def test_empty_speech_fails_the_session() -> None:
    journal = MemoryJournal()
    with pytest.raises(BackendError, match="the counselor said nothing at turn 1"):
        await hold({Speaker.CLIENT: Talker("你好"), Speaker.COUNSELOR: Talker(" ")}, journal)
    assert len(journal.turns) == 1


async def test_stopping_puts_it_aside_between_two_turns() -> None:
    journal = MemoryJournal()
    voices = {speaker: Talker() for speaker in Speaker}
    assert await hold(voices, journal, stopping=lambda: len(journal.turns) == 3) is None
    assert len(journal.turns) == 3
    assert await hold(voices, journal, turns=journal.turns) is Ending.TURN_LIMIT
    assert [turn.index for turn in journal.turns] == list(range(10))


async def test_one_that_was_cut_after_its_last_turn_ends_without_a_word() -> None:
    journal = MemoryJournal()
    never = Talker(problem=AssertionError("asked"))
    turns = make_turns("你好", "请说", "嗯", "好", "这样", "好", "那", "好", GOODBYE, GOODBYE)
    assert await hold({Speaker.CLIENT: never, Speaker.COUNSELOR: never}, journal, turns=turns) is Ending.CLOSED
    assert not journal.turns


def test_an_open_session_keeps_of_a_turn_what_it_needs_to_go_on() -> None:
    call = Call(model="m", finish="stop", prompt_tokens=9, completion_tokens=9, seconds=1, seed=1, reasoning="long " * 100)
    turn = Turn(index=0, speaker=Speaker.CLIENT, text="你好", call=call, state={"risk": ["abuse"]}, prompt_tokens=9)
    session = OpenSession(key=KEY, language="en", run_seed=3, turns=[turn])
    session.add(Turn(index=1, speaker=Speaker.COUNSELOR, text="请说", call=call))
    assert session.turns == [
        Turn(index=0, speaker=Speaker.CLIENT, text="你好", state={"risk": ["abuse"]}),
        Turn(index=1, speaker=Speaker.COUNSELOR, text="请说"),
    ]
    assert (session.view.language, session.view.run_seed, session.view.key, session.view.next_index) == ("en", 3, KEY, 2)
    assert session.next_speaker is Speaker.CLIENT


def all_text(request: Request) -> str:
    return "\n".join([*(message.content for message in request.messages), request.cue, *request.stop, request.thread])


@pytest.mark.parametrize("form", Form)
async def test_each_side_is_sent_only_what_it_may_see(form: Form) -> None:
    backends = two_scripts()
    await hold(seat_models(backends, SYSTEMS, form=form), MemoryJournal())
    asked = {speaker: list(backend.asked) for speaker, backend in backends.items()}
    assert [len(asked[speaker]) for speaker in Speaker] == [4, 5]
    for speaker in Speaker:
        for request in asked[speaker]:
            assert request.messages[0] == ("system", SYSTEMS[speaker])
            assert SYSTEMS[speaker.other] not in all_text(request)
            assert all_text(request).count(SYSTEMS[speaker]) == 1


async def test_in_chat_form_the_table_is_turned() -> None:
    backends = two_scripts()
    journal = MemoryJournal()
    await hold(seat_models(backends, SYSTEMS), journal)
    said = [turn.text for turn in journal.turns]
    for speaker, first in ((Speaker.CLIENT, 2), (Speaker.COUNSELOR, 1)):
        for n, request in enumerate(backends[speaker].asked):
            there = first + 2 * n
            roles = ["assistant" if (turn.speaker is speaker) else "user" for turn in journal.turns[:there]]
            assert list(request.messages[1:]) == list(zip(roles, said[:there], strict=True))


async def test_in_transcript_form_both_read_the_same_labelled_lines() -> None:
    backends = two_scripts()
    journal = MemoryJournal()
    await hold(seat_models(backends, SYSTEMS, form=Form.TRANSCRIPT), journal)
    lines = [("user", f"{'来访者' if turn.speaker is Speaker.CLIENT else '咨询师'}：{turn.text}") for turn in journal.turns]
    for speaker, first in ((Speaker.CLIENT, 2), (Speaker.COUNSELOR, 1)):
        for n, request in enumerate(backends[speaker].asked):
            assert list(request.messages[1:]) == lines[: first + 2 * n]


async def requests_of_a_session(*, cut: int = 0, form: Form = Form.CHAT) -> list[Request]:
    """Hold a session, put it aside after `cut` turns and go on with new voices; every model call in order of turns."""
    backends = two_scripts()
    journal = MemoryJournal()
    if cut:
        await hold(seat_models(backends, SYSTEMS, form=form), journal, stopping=lambda: len(journal.turns) == cut)
    assert await hold(seat_models(backends, SYSTEMS, form=form), journal, turns=list(journal.turns)) is Ending.TURN_LIMIT
    return sorted((request for backend in backends.values() for request in backend.asked), key=lambda request: len(request.messages))


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("cut", range(1, 10))
async def test_a_resumed_session_asks_what_one_that_was_never_cut_asks(cut: int, form: Form) -> None:
    assert await requests_of_a_session(cut=cut, form=form) == await requests_of_a_session(form=form)


async def test_every_call_of_a_session_has_a_seed_of_its_own() -> None:
    seeds = [request.seed for request in await requests_of_a_session()]
    assert len(set(seeds)) == len(seeds) == 9


class Moody:
    """Answers by seed alone, now and then with what must be refused: the hardest case for a resume."""

    under_way = 0
    capacity = 1

    async def reply(self, request: Request) -> Reply:
        bad = ("", "来访者：", "咨询师：", "（沉默）")[request.seed % 4]
        text = f"{bad}第{request.seed % 97}件事我一直没有说过。" if request.seed % 8 < 4 else "（沉默）"
        call = Call(model="moody", finish="stop", prompt_tokens=3, completion_tokens=1, seconds=0.0, seed=request.seed)
        return Reply(text=text, call=call)

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        reply = await self.reply(request)
        yield Chunk(reply.text)
        yield Chunk("", reply)

    def release(self, thread: str) -> None: ...

    def drain(self) -> None: ...

    async def aclose(self) -> None: ...


def has_turns(journal: MemoryJournal, count: int) -> bool:
    return len(journal.turns) == count


@given(st.lists(st.integers(1, 9), max_size=4, unique=True))
async def test_however_often_it_is_cut_the_transcript_is_the_same(cuts: list[int]) -> None:
    whole, parts = MemoryJournal(), MemoryJournal()
    moody = {speaker: Moody() for speaker in Speaker}
    await hold(seat_models(moody, SYSTEMS), whole)
    for cut in sorted(cuts):
        await hold(seat_models(moody, SYSTEMS), parts, turns=list(parts.turns), stopping=partial(has_turns, parts, cut))
    assert await hold(seat_models(moody, SYSTEMS), parts, turns=list(parts.turns)) is Ending.TURN_LIMIT
    assert (parts.turns, parts.records) == (whole.turns, whole.records)
    assert whole.records  # else nothing was refused, and this says little
