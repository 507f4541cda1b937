from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from inline_snapshot import snapshot

from benchmarks.fakeserver import FakeServer
from practicum.backends import CallBudget, Chunk, Endpoint, OpenAIBackend, Reply, Request, ScriptedBackend, open_transport
from practicum.build import make_bot
from practicum.core import Call, Form, Language, Message, Participant, Sampling, SessionView, Speaker, Turn, as_seen_by
from practicum.errors import BackendError
from practicum.measures import CheckRules
from practicum.roles import Chair, ModelVoice, Prompt, labels, whole
from practicum.serve import Bot, BotBackend, find_bot
from practicum.serve.bot import ASK_AGAIN, Lines, as_bot
from practicum.serve.bot_check import SAMPLE, sample_request
from tests.backends.scripted_transport import ScriptedTransport, completion

PAPERS = ("cpsycounx", "mechat", "psychat", "soulchat", "simpsybot_q", "simpsybot_d")
OWN = ("integrative", "person-centred", "cbt", "motivational-interviewing")


def bot(**rest: Any) -> Bot:
    made: dict[str, Any] = {
        "name": "mine",
        "digest": "0" * 16,
        "languages": ("zh", "en"),
        "about": {},
        "form": Form.CHAT,
        "raw": False,
        "sampling": Sampling(temperature=0.5, top_p=None, max_tokens=None),
    }
    return Bot(**made | rest)


def session(*said: str, system: str = "", **rest: Any) -> Request:
    roles = ("user", "assistant")
    chat = [Message("system", system), *(Message(roles[index % 2], text) for index, text in enumerate(said))]
    options: dict[str, Any] = {"thread": "s/counselor", "form": Form.CHAT, "sampling": Sampling(), "seed": 7} | rest
    return Request(messages=chat, **options)


def prompt(text: str, language: Language = "zh") -> Prompt:
    return Prompt(id="mine.txt", role="counselor", language=language, form=Form.CHAT, text=text)


# ── what the model is shown ──────────────────────────────────────────────────────────────────────────────────────────


def test_in_chat_form_the_messages_go_on_as_they_are_with_all_that_was_asked() -> None:
    tail = Message("system", "（快结束了）")
    asked = session("你好", "请说", "累", system="你是咨询师", tail=tail, stop=("完",), route="r", language="zh", logprobs=3, steady=True)
    sent = as_bot(bot(stop=("#",), lora="/x.gguf", own={"a": 1}), asked)
    assert sent.messages is asked.messages
    assert sent == replace(asked, stop=("#", "完"), lora="/x.gguf", own={"a": 1})


def test_a_transcript_is_one_message_with_instruction_heading_lines_and_cue() -> None:
    shown = bot(form=Form.TRANSCRIPT, heading="对话：", cue="答：", labels={Speaker.CLIENT: "甲：", Speaker.COUNSELOR: "乙："})
    sent = as_bot(shown, session("你好", "请说", "第一行\n第二行", system="写一句。", language="zh"))
    assert (sent.form, sent.cue, sent.stop, sent.template) == (Form.CHAT, "", (), "plain")
    assert sent.messages == [
        Message("system", ""),
        Message("user", "写一句。\n\n对话：\n甲：你好\n乙：请说\n甲：第一行\n第二行\n答："),
    ]


def test_a_transcript_without_instruction_is_lines_and_cue_alone() -> None:
    sent = as_bot(bot(form=Form.TRANSCRIPT, heading="对话："), session("Hello", "Go on", "Well", language="en"))
    assert sent.messages[1].content == "Client: Hello\nCounselor: Go on\nClient: Well\nCounselor: "
    sent = as_bot(bot(form=Form.TRANSCRIPT), session("Hello", system="Write.", language="en"))
    assert sent.messages[1].content == "Write.\n\nClient: Hello\nCounselor: "


def test_a_passing_instruction_is_the_last_line_of_a_transcript() -> None:
    tail = Message("system", "（说短些）")
    sent = as_bot(bot(form=Form.TRANSCRIPT), session("你好", language="zh", tail=tail))
    assert sent.messages[1].content == "来访者：你好\n（说短些）\n咨询师："
    assert sent.tail is None
    assert as_bot(bot(form=Form.TRANSCRIPT, raw=True), session("你好", tail=tail)).tail == tail


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_raw_transcript_is_what_a_voice_would_send_itself(language: Language) -> None:
    turns = [
        Turn(index=index, speaker=Speaker(speaker), text=text)
        for index, (speaker, text) in enumerate((("client", "a"), ("counselor", "b"), ("client", "c")))
    ]
    inner = ScriptedBackend(lambda _: "x", keep=1)
    participant = Participant(role="counselor", model="m", form=Form.TRANSCRIPT, prompts=(), sampling=Sampling(), template="chatml")
    voice = ModelVoice(Chair.of(Speaker.COUNSELOR, participant, inner, CheckRules()), key="k", system="系统", labels=labels(language))
    await voice.speak(SessionView("k", language, 1, turns))
    expected = inner.asked[0]
    shown = bot(form=Form.TRANSCRIPT, raw=True, template="chatml")
    chat = as_seen_by(Speaker.COUNSELOR, turns, "系统")
    sent = as_bot(
        shown,
        Request(
            thread=expected.thread, form=Form.CHAT, messages=chat, sampling=Sampling(), seed=expected.seed, route="k", language=language
        ),
    )
    assert replace(sent, messages=tuple(sent.messages)) == expected


def test_a_raw_transcript_has_the_bots_own_labels_cue_and_stops() -> None:
    marks = {Speaker.CLIENT: "User: ", Speaker.COUNSELOR: "Bot: "}
    sent = as_bot(
        bot(form=Form.TRANSCRIPT, raw=True, template="llama3", labels=marks, stop=("##",)), session("Hi", "Yes", "So", stop=("!",))
    )
    assert [line.content for line in sent.messages] == ["", "User: Hi", "Bot: Yes", "User: So"]
    assert (sent.cue, sent.stop, sent.template) == ("Bot:", ("\n", "User:", "Bot:", "##", "!"), "llama3")
    assert as_bot(bot(form=Form.TRANSCRIPT, raw=True, labels=marks, cue="Say "), session("Hi")).cue == "Say"


def test_labels_are_those_of_the_session_or_of_the_bots_first_language() -> None:
    shown = bot(form=Form.TRANSCRIPT, languages=("en",))
    for language in ("zh", "en", None):
        assert as_bot(shown, session("Hi", language=language)).messages[1].content == "Client: Hi\nCounselor: "


class Watched(Sequence[Message]):
    """A chat that counts what is looked at."""

    def __init__(self, length: int) -> None:
        self.chat = session(*("字" for _ in range(length))).messages
        self.looks = 0

    def __len__(self) -> int:
        return len(self.chat)

    def __getitem__(self, index: Any) -> Any:
        self.looks += 1
        return self.chat[index]


@pytest.mark.parametrize("shown", [bot(), bot(form=Form.TRANSCRIPT, raw=True)], ids=["chat", "raw"])
def test_without_a_window_no_message_is_looked_at_until_the_backend_does(shown: Bot) -> None:
    chat = Watched(401)
    sent = as_bot(shown, replace(session("x"), messages=chat))
    assert (len(sent.messages), chat.looks) == (402, 0)
    assert sent.messages[-1].content.endswith("字")
    assert chat.looks == 1


def test_lines_can_be_sliced_and_counted_from_the_end_like_any_sequence() -> None:
    view = Lines(session("一", "二", "三", system="系统").messages, labels("zh"))
    assert list(view) == [*view[:2], *view[2:]]
    assert view[-1] == Message("user", "来访者：三")
    assert view[2] == Message("user", "咨询师：二")
    with pytest.raises(IndexError):
        view[4]


@pytest.mark.parametrize(
    ("window", "shown"),
    [(1, "e"), (2, "cde"), (3, "abcde"), (9, "abcde")],
)
def test_a_window_keeps_the_system_message_and_begins_with_a_client_turn(window: int, shown: str) -> None:
    sent = as_bot(bot(window=window), session(*"abcde", system="系统"))
    assert [message.content for message in sent.messages] == ["系统", *shown]
    assert sent.messages[1].role == "user"


def test_a_window_counts_a_client_who_speaks_twice_in_a_row_once() -> None:
    chat = [
        Message(role, text)
        for role, text in (("system", ""), ("assistant", "o"), ("user", "a"), ("assistant", "b"), ("user", "c"), ("user", "d"))
    ]
    for window, kept in ((1, "cd"), (2, "abcd"), (3, "oabcd")):
        sent = as_bot(bot(window=window), replace(session(), messages=chat))
        assert "".join(message.content for message in sent.messages) == kept


def test_the_instruction_is_rendered_in_the_sessions_language_or_the_bots_first() -> None:
    shown = bot(
        prompts={"zh": prompt("最多 {{ max_exchanges }} 个来回，{{ language }}"), "en": prompt("at most {{ max_exchanges }}", "en")}
    )
    assert shown.system("zh", 12) == "最多 12 个来回，zh"
    assert shown.system("en") == "at most 50"
    assert replace(shown, languages=("zh",)).system("en") == "最多 50 个来回，zh"
    assert bot().system("zh") == ""


# ── what comes back ──────────────────────────────────────────────────────────────────────────────────────────────────


class Answers:
    """A model that gives its answers in pieces, one answer after the other; the last for ever. A call costs ten tokens and one."""

    under_way = 3
    capacity = 5

    def __init__(self, *answers: str | Sequence[str]) -> None:
        self.answers = [[answer] if isinstance(answer, str) else list(answer) for answer in answers]
        self.asked: list[Request] = []
        self.given: list[str] = []
        self.closed = 0
        self.told: list[str] = []

    def _next(self, request: Request) -> tuple[list[str], Call]:
        self.asked.append(request)
        call = Call(model="m", finish="stop", prompt_tokens=10, completion_tokens=1, seconds=0.5, seed=request.seed)
        return (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]), call

    async def reply(self, request: Request) -> Reply:
        pieces, call = self._next(request)
        return Reply(text="".join(pieces).strip(), call=call)

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        pieces, call = self._next(request)
        try:
            for piece in pieces:
                if piece.startswith("!"):
                    raise BackendError(piece, kind="broken")
                self.given.append(piece)
                yield Chunk(piece)
            yield Chunk("", Reply(text="".join(pieces).strip(), call=call))
        finally:
            self.closed += 1

    def release(self, thread: str) -> None:
        self.told.append(f"release {thread}")

    def drain(self) -> None:
        self.told.append("drain")

    async def aclose(self) -> None:
        self.told.append("close")


POLISHED = bot(strip_label=True, first_paragraph=True, labels={Speaker.CLIENT: "来访者：", Speaker.COUNSELOR: "小天："})


async def streamed(backend: BotBackend, request: Request | None = None) -> list[Chunk]:
    return [chunk async for chunk in backend.stream(request or session("你好"))]


async def test_a_reply_is_polished_whole_or_in_pieces() -> None:
    pieces = ["小天", "：你", "好。", "\n第", "二段"]
    reply = await BotBackend(POLISHED, Answers(pieces)).reply(session("你好"))
    assert (reply.text, reply.call.model) == ("你好。", "m")
    chunks = await streamed(BotBackend(POLISHED, Answers(pieces)))
    assert [chunk.text for chunk in chunks] == ["你", "好。", ""]
    assert [chunk.reply is None for chunk in chunks] == [True, True, False]
    assert chunks[-1].reply is not None
    assert chunks[-1].reply.text == "你好。"


async def test_nothing_is_asked_of_a_model_beyond_the_first_paragraph() -> None:
    model = Answers(["Hello.", "\n", "More", " and more"])
    ticks = iter((10.0, 12.5))
    backend = BotBackend(POLISHED, model, clock=lambda: next(ticks))
    chunks = await streamed(backend)
    assert (model.given, model.closed) == (["Hello.", "\n"], 1)
    assert chunks[-1].reply is not None
    call = chunks[-1].reply.call
    assert (call.model, call.finish, call.prompt_tokens, call.completion_tokens, call.seconds, call.seed) == (
        "bot:mine",
        "stop",
        0,
        0,
        2.5,
        7,
    )


async def test_a_reply_that_ends_with_its_first_paragraph_keeps_the_models_own_count() -> None:
    chunks = await streamed(BotBackend(POLISHED, Answers(["好", "的"])))
    assert chunks[-1].reply is not None
    assert chunks[-1].reply.call.prompt_tokens == 10


async def test_a_short_word_that_might_have_been_a_label_is_said_at_the_end() -> None:
    chunks = await streamed(BotBackend(POLISHED, Answers(["心理"])))
    assert [chunk.text for chunk in chunks] == ["心理", ""]


async def test_a_bot_that_polishes_nothing_hands_on_every_chunk_and_reply_untouched() -> None:
    pieces = ["小天：", "好\n", "\n的"]
    backend = BotBackend(bot(), Answers(pieces))
    chunks = await streamed(backend)
    assert [chunk.text for chunk in chunks] == [*pieces, ""]
    assert (await backend.reply(session("你好"))).text == "小天：好\n\n的"


async def test_a_reply_of_which_nothing_is_left_is_asked_for_again_with_the_next_seed() -> None:
    model = Answers("小天：", ["咨询", "师：\n"], "**小天：** 请说")
    reply = await BotBackend(POLISHED, model).reply(session("你好", seed=2**31 - 1))
    assert [request.seed for request in model.asked] == [2**31 - 1, 0, 1]
    assert (reply.text, reply.call.seed) == ("请说", 1)
    assert (reply.call.prompt_tokens, reply.call.completion_tokens, reply.call.attempts, reply.call.seconds) == (30, 3, 3, 1.5)
    model = Answers("小天：", ["咨询", "师：\n"], ["小天", "：请", "说"])
    chunks = await streamed(BotBackend(POLISHED, model))
    assert [request.seed for request in model.asked] == [7, 8, 9]
    assert [chunk.text for chunk in chunks] == ["请", "说", ""]
    assert chunks[-1].reply is not None
    assert (chunks[-1].reply.call.prompt_tokens, chunks[-1].reply.call.attempts) == (30, 3)


async def test_a_model_that_says_nothing_but_labels_is_given_up() -> None:
    for ask in (BotBackend.reply, lambda backend, request: whole(backend.stream(request))):
        model = Answers("Counselor:")
        with pytest.raises(BackendError, match="bot mine: nothing was left of 4 replies in a row") as caught:
            await ask(BotBackend(POLISHED, model), session("Hello"))
        assert caught.value.kind == "empty"
        assert len(model.asked) == ASK_AGAIN + 1


async def test_a_break_in_the_middle_of_a_stream_is_final() -> None:
    for shown in (bot(), POLISHED):
        model = Answers(["你好", "!broken"])
        heard: list[str] = []
        chunks = BotBackend(shown, model).stream(session("你好"))
        heard.append((await anext(chunks)).text)
        with pytest.raises(BackendError, match="!broken"):
            await anext(chunks)
        assert (heard, len(model.asked)) == (["你好"], 1)


@pytest.mark.parametrize("shown", [bot(), POLISHED], ids=["plain", "polished"])
async def test_whoever_stops_listening_ends_the_call_at_the_model(shown: Bot) -> None:
    model = Answers(["一", "二", "三"])
    chunks = BotBackend(shown, model).stream(session("你好"))
    assert (await anext(chunks)).text == "一"
    assert model.closed == 0
    await chunks.aclose()
    assert model.closed == 1


async def test_all_else_is_the_model_behind() -> None:
    model = Answers("好")
    backend = BotBackend(POLISHED, model)
    assert (backend.under_way, backend.capacity) == (3, 5)
    backend.release("s/counselor")
    backend.drain()
    await backend.aclose()
    assert model.told == ["release s/counselor", "drain", "close"]


async def test_a_scripted_model_is_streamed_through_a_bot() -> None:
    backend = BotBackend(POLISHED, ScriptedBackend(["小天：你好，今天想从哪里说起？\n再说一句。"]))
    chunks = await streamed(backend)
    assert "".join(chunk.text for chunk in chunks) == "你好，今天想从哪里说起？"
    assert len(chunks) > 4


# ── the bots that come along ─────────────────────────────────────────────────────────────────────────────────────────


async def body_of(name: str, language: Language = "zh", *, raw: bool = False) -> dict[str, Any]:
    """What a server is sent for the second reply of the sample session; the instruction, which the prompts' tests look after, by its id."""
    file = find_bot(name)
    if raw:
        file = file.model_copy(
            update={"prompt": file.prompt.model_copy(update={"form": Form.TRANSCRIPT, "raw": True, "template": "chatml"})}
        )
    shown = make_bot(file, model="openai:M@http://127.0.0.1:9/v1").bot
    transport = ScriptedTransport([completion()])
    endpoint = Endpoint("http://127.0.0.1:9/v1", transport, clock=time.monotonic, notify=print)
    inner = OpenAIBackend("M", [endpoint], budget=CallBudget(), clock=time.monotonic, notify=print)
    said = [
        Message("system", shown.system(language)),
        *(Message(role, text) for role, text in zip(("user", "assistant", "user"), SAMPLE[language], strict=True)),
    ]
    request = Request(thread="", form=Form.CHAT, messages=said, sampling=shown.sampling, seed=7, language=language)
    await BotBackend(shown, inner).reply(request)
    target, body = transport.sent[0]

    def by_id(text: str) -> str:
        return text.replace(shown.system(language), f"<{shown.prompts[language].id}>") if shown.prompts else text

    for message in body.get("messages", ()):
        message["content"] = by_id(message["content"])
    if "prompt" in body:
        body["prompt"] = by_id(body["prompt"])
    return {"target": target, **body}


async def test_cpsycounx_is_sent_labels_and_cue_of_its_facts_and_no_decoding() -> None:
    assert await body_of("cpsycounx") == snapshot(
        {
            "target": "/chat/completions",
            "model": "M",
            "messages": [
                {
                    "role": "user",
                    "content": """\
来访者：老师您好，我第一次来。
心理咨询师：欢迎你，今天想从哪里说起？
来访者：最近换了部门，夜里总是三点就醒。
咨询师：\
""",
                }
            ],
            "stream": False,
            "seed": 7,
        }
    )


async def test_mechat_is_sent_an_instruction_the_labels_and_decoding_of_its_facts() -> None:
    assert await body_of("mechat") == snapshot(
        {
            "target": "/chat/completions",
            "model": "M",
            "messages": [
                {
                    "role": "user",
                    "content": """\
<counselor.instruction.zh.transcript>

对话：
来访者：老师您好，我第一次来。
咨询师：欢迎你，今天想从哪里说起？
来访者：最近换了部门，夜里总是三点就醒。
咨询师：\
""",
                }
            ],
            "temperature": 0.8,
            "top_p": 0.8,
            "stream": False,
            "seed": 7,
        }
    )


async def test_psychat_is_asked_as_mechat_is() -> None:
    assert await body_of("psychat") == await body_of("mechat")


async def test_soulchat_is_sent_the_labels_and_decoding_of_its_facts() -> None:
    assert await body_of("soulchat") == snapshot(
        {
            "target": "/chat/completions",
            "model": "M",
            "messages": [
                {
                    "role": "user",
                    "content": """\
用户：老师您好，我第一次来。
心理咨询师：欢迎你，今天想从哪里说起？
用户：最近换了部门，夜里总是三点就醒。
心理咨询师：\
""",
                }
            ],
            "temperature": 0.95,
            "top_p": 0.75,
            "stream": False,
            "seed": 7,
        }
    )


async def test_simpsybot_q_is_sent_a_chat_and_its_length() -> None:
    assert await body_of("simpsybot_q") == snapshot(
        {
            "target": "/chat/completions",
            "model": "M",
            "messages": [
                {"role": "system", "content": "<counselor.integrative.zh.chat>"},
                {"role": "user", "content": "老师您好，我第一次来。"},
                {"role": "assistant", "content": "欢迎你，今天想从哪里说起？"},
                {"role": "user", "content": "最近换了部门，夜里总是三点就醒。"},
            ],
            "max_tokens": 512,
            "stream": False,
            "seed": 7,
        }
    )


async def test_simpsybot_d_is_sent_a_chat_and_its_length() -> None:
    assert await body_of("simpsybot_d") == snapshot(
        {
            "target": "/chat/completions",
            "model": "M",
            "messages": [
                {"role": "system", "content": "<counselor.integrative.zh.chat>"},
                {"role": "user", "content": "老师您好，我第一次来。"},
                {"role": "assistant", "content": "欢迎你，今天想从哪里说起？"},
                {"role": "user", "content": "最近换了部门，夜里总是三点就醒。"},
            ],
            "max_tokens": 100,
            "stream": False,
            "seed": 7,
        }
    )


async def test_our_own_are_sent_as_a_chat_to_a_server() -> None:
    assert await body_of("cbt", "en") == snapshot(
        {
            "target": "/chat/completions",
            "model": "M",
            "messages": [
                {"role": "system", "content": "<counselor.cbt.en.chat>"},
                {"role": "user", "content": "Hello, this is my first time here."},
                {"role": "assistant", "content": "Welcome, where would you like to begin?"},
                {"role": "user", "content": "I changed teams and now I wake at three every night."},
            ],
            "temperature": 1.0,
            "top_p": 1.0,
            "max_tokens": 500,
            "stream": False,
            "seed": 7,
        }
    )
    bodies = [str(await body_of(name, "en")).replace(name, "cbt") for name in OWN]
    assert bodies == [str(await body_of("cbt", "en"))] * 4


async def test_our_own_are_sent_as_raw_text_to_a_small_local_model() -> None:
    assert await body_of("motivational-interviewing", raw=True) == snapshot(
        {
            "target": "/completions",
            "model": "M",
            "prompt": """\
<|im_start|>system
<counselor.motivational-interviewing.zh.transcript><|im_end|>
<|im_start|>user
来访者：老师您好，我第一次来。
咨询师：欢迎你，今天想从哪里说起？
来访者：最近换了部门，夜里总是三点就醒。<|im_end|>
<|im_start|>assistant
咨询师：\
""",
            "temperature": 1.0,
            "top_p": 1.0,
            "max_tokens": 500,
            "stop": ["\n", "来访者：", "咨询师：", "<|im_end|>"],
            "stream": False,
            "seed": 7,
        }
    )
    bodies = [str(await body_of(name, raw=True)).replace(name, "cbt") for name in OWN]
    assert bodies == [str(await body_of("cbt", raw=True))] * 4


@pytest.mark.parametrize("name", PAPERS)
def test_a_bot_of_the_paper_is_asked_in_the_process_as_its_own_code_does(name: str) -> None:
    shown = make_bot(find_bot(name)).bot
    request = sample_request(shown, "zh")
    own = {"soulchat": {"max_length": 4000, "num_beams": 1, "do_sample": True}, "simpsybot_q": None, "simpsybot_d": None}
    assert request.own == own.get(name, {})
    assert len([message for message in request.messages if message.content]) == (4 if name.startswith("simpsybot") else 1)


@pytest.mark.parametrize("name", PAPERS)
async def test_each_bot_of_the_paper_runs_against_a_server(name: str, fake_server: FakeServer) -> None:
    made = make_bot(find_bot(name), model=f"openai:{name}@{fake_server.url}")
    endpoint = Endpoint(fake_server.url, open_transport(fake_server.url, None), clock=time.monotonic, notify=print)
    inner = OpenAIBackend(name, [endpoint], budget=CallBudget(timeout=10, total=10), clock=time.monotonic, notify=print)
    backend = BotBackend(made.bot, inner)
    try:
        chat = [Message("system", made.bot.system("zh"))]
        request = Request(thread="t", form=Form.CHAT, messages=chat, sampling=made.bot.sampling, seed=7, language="zh")
        for text in SAMPLE["zh"][::2]:
            chat.append(Message("user", text))
            reply = await backend.reply(request)
            assert reply.text
            assert reply.call.model == name
            chat.append(Message("assistant", reply.text))
        chat.append(Message("user", "嗯。"))
        chunks = [chunk async for chunk in backend.stream(request)]
        assert chunks[-1].reply is not None
        assert "".join(chunk.text for chunk in chunks).strip() == chunks[-1].reply.text
    finally:
        await backend.aclose()
