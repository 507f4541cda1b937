from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from practicum.backends import ChatBackend, Chunk, Reply, Request, ScriptedBackend
from practicum.core import Form, Language, Participant, Sampling, SessionView, Speaker, Turn, Utterance, derive_seed
from practicum.errors import BackendError
from practicum.measures import CheckRules
from practicum.roles import Chair, ModelVoice, labels

KEY = "5e551011"
FAR = ("你好", "请说说看。", "最近总是睡不好。", "从什么时候开始的呢？")
"""The session so far: the client's turn next, exchange 3."""


class Answers:
    """A backend that gives its answers one after the other, whatever is asked; the last for ever. A call costs ten tokens and one."""

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.asked: list[Request] = []
        self.released: list[str] = []
        self.under_way = 0
        self.capacity = 1

    async def reply(self, request: Request) -> Reply:
        self.asked.append(replace(request, messages=tuple(request.messages)))
        text = self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]
        reply = await ScriptedBackend(lambda _: text, name="m").reply(request)
        return Reply(text=reply.text, call=replace(reply.call, prompt_tokens=10, completion_tokens=1))

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        reply = await self.reply(request)
        yield Chunk(reply.text)
        yield Chunk("", reply)

    def release(self, thread: str) -> None:
        self.released.append(thread)

    def drain(self) -> None: ...

    async def aclose(self) -> None: ...


def view(*texts: str, language: Language = "zh") -> SessionView:
    speakers = (Speaker.CLIENT, Speaker.COUNSELOR)
    turns = [Turn(index=index, speaker=speakers[index % 2], text=text) for index, text in enumerate(texts)]
    return SessionView(KEY, language, 7, turns)


def seat(speaker: Speaker, backend: ChatBackend, *, form: Form = Form.CHAT, language: Language = "zh", **rest: Any) -> ModelVoice:
    participant = Participant(role=speaker, model="script:x", form=form, prompts=(), sampling=Sampling(), template="chatml")
    chair = Chair.of(speaker, participant, backend, CheckRules(), rest.pop("ask_again", 3))
    return ModelVoice(chair, key=KEY, system="系统", labels=labels(language), **rest)


async def say(speaker: Speaker, *answers: str, so_far: Sequence[str] = FAR, **rest: Any) -> tuple[Utterance, Answers]:
    backend = Answers(*answers)
    language = rest.get("language", "zh")
    return await seat(speaker, backend, **rest).speak(view(*so_far, language=language)), backend


async def client(*answers: str, **rest: Any) -> tuple[Utterance, Answers]:
    return await say(Speaker.CLIENT, *answers, **rest)


async def counselor(*answers: str, **rest: Any) -> tuple[Utterance, Answers]:
    return await say(Speaker.COUNSELOR, *answers, so_far=FAR[:3], **rest)


async def test_a_good_reply_is_said_as_it_is() -> None:
    said, backend = await client("大概从上个月开始的。")
    assert (said.text, said.state, said.records) == ("大概从上个月开始的。", {}, ())
    assert (said.prompt_tokens, said.completion_tokens) == (10, 1)
    assert said.call is not None
    assert said.call.seed == backend.asked[0].seed
    assert len(backend.asked) == 1


async def test_the_opening_is_asked_of_nobody() -> None:
    backend = Answers("不该被问到")
    said = await seat(Speaker.CLIENT, backend, opening="你好").speak(view())
    assert (said.text, said.call, backend.asked) == ("你好", None, [])


async def test_the_opening_opens_the_session_and_nothing_else() -> None:
    said, backend = await client("大概从上个月开始的。", opening="你好")
    assert (said.text, len(backend.asked)) == ("大概从上个月开始的。", 1)


async def test_without_an_opening_the_model_begins() -> None:
    said, backend = await client("我睡不着。", so_far=())
    assert (said.text, list(backend.asked[0].messages)) == ("我睡不着。", [("system", "系统")])


async def test_a_refused_reply_is_asked_again_with_new_seeds_and_kept_on_record() -> None:
    said, backend = await client("（沉默）", "谢谢你，再见。", "大概从上个月开始的。")
    assert (said.text, said.state) == ("大概从上个月开始的。", {})
    seeds = [request.seed for request in backend.asked]
    purpose = "client:" + seat_digest()
    assert seeds == [derive_seed(7, KEY, 4, purpose, attempt) for attempt in range(3)]
    assert len(set(seeds)) == 3
    assert [replace(request, seed=0) for request in backend.asked] == [replace(backend.asked[0], seed=0)] * 3
    assert [(record.kind, record.data["text"], record.data["faults"], record.data["call"]["seed"]) for record in said.records] == [
        ("refused", "（沉默）", ["stage_direction"], seeds[0]),
        ("refused", "谢谢你，再见。", ["early_thanks", "early_goodbye"], seeds[1]),
    ]
    assert (said.prompt_tokens, said.completion_tokens) == (30, 3)
    assert said.call is not None
    assert (said.call.seed, said.call.prompt_tokens) == (seeds[2], 10)


def seat_digest() -> str:
    return Participant(role="client", model="script:x", form=Form.CHAT, prompts=(), sampling=Sampling(), template="chatml").digest


@pytest.mark.parametrize("ask_again", [0, 1, 3])
async def test_it_is_asked_again_so_often_and_then_taken_and_marked(ask_again: int) -> None:
    said, backend = await client("（沉默）", ask_again=ask_again)
    assert len(backend.asked) == 1 + ask_again
    assert (said.text, said.state) == ("（沉默）", {"check": {"faults": ["stage_direction"]}})
    assert len(said.records) == ask_again
    assert said.prompt_tokens == 10 * (1 + ask_again)


async def test_what_is_mechanical_is_mended_and_says_so() -> None:
    said, backend = await counselor("咨询师：听起来很不容易。\n来访者：是的")
    assert len(backend.asked) == 4
    assert said.text == "听起来很不容易。"
    assert said.state == {
        "check": {"faults": ["label", "other_side", "line_break"], "left": [], "as_said": ["咨询师：听起来很不容易。\n来访者：是的"]}
    }


async def test_a_clean_reply_is_preferred_to_a_mended_one() -> None:
    said, backend = await counselor("咨询师：听起来很不容易。", "那是怎样的感觉？")
    assert (said.text, said.state, len(backend.asked)) == ("那是怎样的感觉？", {}, 2)
    assert [record.data["text"] for record in said.records] == ["咨询师：听起来很不容易。"]


async def test_of_bad_replies_the_one_with_the_fewest_faults_left_is_taken() -> None:
    long = "很" * 201
    said, _ = await counselor(f"1. {long}\n2. {long}", f"咨询师：{long}", "咨询师：嗯，请说。", long)
    assert said.text == "嗯，请说。"
    assert [record.data["text"] for record in said.records] == [f"1. {long}\n2. {long}", f"咨询师：{long}", long]


async def test_one_that_is_nothing_but_a_label_is_never_mended_to_silence() -> None:
    said, _ = await counselor("咨询师：")
    assert said.text == "咨询师："
    assert said.state == {"check": {"faults": ["label"]}}


async def test_punctuation_alone_counts_as_empty() -> None:
    said, backend = await client("……", "我说不清。")
    assert (said.text, said.records[0].data["faults"], len(backend.asked)) == ("我说不清。", ["empty"], 2)


async def test_ones_own_words_are_not_said_twice_also_after_a_resume() -> None:
    earlier = "大概从上个月换了工作开始的。"
    so_far = ("你好", "请说说看。", earlier, "那时怎么了？")
    fresh, backend = await client(earlier, "我怕自己做得不够好。", so_far=so_far)
    assert (fresh.text, fresh.records[0].data["faults"], len(backend.asked)) == ("我怕自己做得不够好。", ["repeat"], 2)


async def test_the_repeat_check_follows_the_session_as_it_grows() -> None:
    backend = Answers("大概从上个月换了工作开始的。")
    voice = seat(Speaker.CLIENT, backend, ask_again=0)
    session = view(*FAR)
    turns = session.turns
    assert isinstance(turns, list)
    first = await voice.speak(session)
    turns += [
        Turn(index=4, speaker=Speaker.CLIENT, text=first.text),
        Turn(index=5, speaker=Speaker.COUNSELOR, text="后来呢？发生了什么？"),
    ]
    second = await voice.speak(session)
    assert (first.state, second.state) == ({}, {"check": {"faults": ["repeat"]}})


async def test_the_other_sides_words_are_free_to_be_taken_up() -> None:
    said, _ = await counselor("最近总是睡不好。")
    assert said.state == {}


async def test_a_client_may_thank_once_the_session_is_under_way() -> None:
    early, _ = await client("谢谢你。", ask_again=0)
    late, _ = await client("谢谢你。", so_far=(*FAR, "是的", "嗯？"))
    assert (early.state, late.state) == ({"check": {"faults": ["early_thanks"]}}, {})


async def test_the_chat_form_has_neither_cue_nor_stop() -> None:
    _, backend = await counselor("请说。")
    request = backend.asked[0]
    assert (request.form, request.cue, request.stop, request.thread) == (Form.CHAT, "", (), f"{KEY}/counselor")
    assert [message.role for message in request.messages] == ["system", "user", "assistant", "user"]


@pytest.mark.parametrize(
    ("language", "cue", "stop", "line"),
    [
        ("zh", "咨询师：", ("\n", "来访者：", "咨询师："), "来访者：你好"),
        ("en", "Counselor:", ("\n", "Client:", "Counselor:"), "Client: 你好"),
    ],
)
async def test_the_transcript_form_begins_the_reply_and_says_where_to_stop(
    language: Language, cue: str, stop: tuple[str, ...], line: str
) -> None:
    _, backend = await counselor("请说。", form=Form.TRANSCRIPT, language=language)
    request = backend.asked[0]
    assert (request.form, request.cue, request.stop, request.template) == (Form.TRANSCRIPT, cue, stop, "chatml")
    assert request.messages[1] == ("user", line)


async def test_a_failed_call_is_passed_on() -> None:
    with pytest.raises(BackendError, match="out of order"):
        await client("!fail out of order")


def test_release_frees_this_side_alone() -> None:
    backend = Answers("嗯")
    seat(Speaker.CLIENT, backend).release()
    assert backend.released == [f"{KEY}/client"]
