"""Replies that come piece by piece from a server: over a scripted transport, a hand-written server, and the fake model server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import orjson
import pytest

from benchmarks.fakeserver import FakeServer
from practicum.backends import CallBudget, Chunk, Endpoint, OpenAIBackend, Reply, Request, TokenChances, open_transport
from practicum.backends import stream as stream_module
from practicum.backends.transport import Answer, BrokenError, NotSentError, SlowError
from practicum.core import Form, Message, Sampling
from practicum.errors import BackendError, EndpointError
from tests.backends.scripted_transport import COUNTED, DONE, END, Step, Streamed, completion, event, refusal, stream
from tests.backends.test_openai import Bench, ask
from tests.backends.test_transport import Handler, read_request, serving


async def take(chunks: AsyncGenerator[Chunk, None]) -> tuple[list[str], Reply]:
    """Take a whole stream, and look at its shape."""
    got = [chunk async for chunk in chunks]
    assert [chunk.reply is None for chunk in got] == [True] * (len(got) - 1) + [False]
    assert got[0].text
    reply = got[-1].reply
    assert reply is not None
    texts = [chunk.text for chunk in got]
    assert "".join(texts) == reply.text == reply.text.strip()
    return texts, reply


def none_is_held(bench: Bench) -> bool:
    """Whether every place in flight and every connection has been given back."""
    return (
        bench.backend.under_way == 0
        and all(endpoint.flight.in_flight == 0 for endpoint in bench.endpoints)
        and all(incoming.closed for transport in bench.transports for incoming in transport.opened)
    )


async def test_a_stream_is_asked_for_as_the_protocol_says_and_booked_as_a_reply_is() -> None:
    bench = Bench([stream("\n你", "好 ", "吗？\n")])
    texts, reply = await take(bench.backend.stream(ask(logprobs=0)))
    target, body = bench.transports[0].sent[0]
    assert target == "/chat/completions"
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})
    assert texts == ["你", "好", " 吗？", ""]
    call = reply.call
    assert (call.model, call.finish, call.prompt_tokens, call.completion_tokens, call.cached_tokens) == ("m-1", "stop", 10, 3, 8)
    assert (call.request_id, call.seed, call.attempts) == ("r1", 7, 1)
    assert call.seconds > 0
    assert none_is_held(bench)
    assert bench.transports[0].opened[0].whole


async def test_a_transcript_is_streamed_too() -> None:
    bench = Bench([Streamed([event(" I can't", raw=True), event(" sleep.\n", raw=True, finish="stop")])])
    _, reply = await take(bench.backend.stream(ask(form=Form.TRANSCRIPT, template="chatml")))
    assert (reply.text, bench.transports[0].sent[0][0]) == ("I can't sleep.", "/completions")


async def test_reply_and_stream_of_one_thread_grow_one_body() -> None:
    bench = Bench([completion("好"), stream("嗯")])
    await bench.backend.reply(ask("一"))
    await take(bench.backend.stream(ask("二", history=[Message("user", "一"), Message("assistant", "好")])))
    first, second = (body["messages"] for _, body in bench.transports[0].sent)
    assert second[: len(first)] == first
    assert len(bench.backend._bodies) == 1


@pytest.mark.parametrize(
    "fault",
    [
        refusal(429, "slow down", headers={b"retry-after": b"0"}),
        refusal(500, "oops"),
        BrokenError("reset"),
        SlowError("slow"),
        Streamed([BrokenError("reset")]),
        Streamed([SlowError("slow")]),
        Streamed([event(" "), BrokenError("reset")]),
        Streamed([event(delta={"reasoning_content": "hm"}), SlowError("slow")]),
        Streamed([]),
        Streamed([event(" ")]),
        Streamed([b"<html>Bad gateway</html>"]),
        Streamed([b"data: {oops\n\n"]),
        Streamed([b'data: {"error":{"message":"overloaded","code":503}}\n\n']),
        Streamed([event("\n"), *END]),
        Streamed([event("<think>hm"), *END]),
        Streamed([DONE]),
        Answer(200, {}, b'{"choices": [{"mess'),
        completion(""),
    ],
    ids=repr,
)
async def test_what_may_pass_before_the_first_word_is_tried_again(fault: Step) -> None:
    bench = Bench([fault, stream("好")])
    texts, reply = await take(bench.backend.stream(ask()))
    assert (texts, reply.call.attempts) == (["好", ""], 2)
    assert none_is_held(bench)


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (BrokenError("reset"), "reset"),
        (SlowError("no answer in time"), "no answer in time"),
        (b"data: {oops\n\n", "oops"),
        (b'data: {"error":{"message":"out of memory"}}\n\n', "out of memory"),
        (b"", "ended before the answer did"),
    ],
)
async def test_a_broken_stream_is_final_after_its_first_word(fault: bytes | Exception, cause: str) -> None:
    bench = Bench([Streamed([event("我"), fault]), stream("好")])
    chunks = bench.backend.stream(ask())
    assert (await anext(chunks)).text == "我"
    with pytest.raises(BackendError, match=cause) as caught:
        await anext(chunks)
    assert caught.value.kind == "broken"
    assert len(bench.transports[0].sent) == 1
    assert none_is_held(bench)


@pytest.mark.parametrize("end", [[], [DONE], [BrokenError("reset")], [SlowError("slow")], [b"data: {"]], ids=repr)
async def test_once_the_finish_has_come_nothing_can_break_any_more(end: list[bytes | Exception]) -> None:
    bench = Bench([Streamed([event("好", finish="length"), *end])])
    _, reply = await take(bench.backend.stream(ask()))
    assert (reply.text, reply.call.finish, reply.call.prompt_tokens) == ("好", "length", 0)


async def test_a_server_that_leaves_the_body_open_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "END_SECONDS", 0.01)
    bench = Bench([Streamed([event("好"), event(finish="stop"), COUNTED, DONE], hangs=True)])
    async with asyncio.timeout(2):
        _, reply = await take(bench.backend.stream(ask()))
    assert reply.call.completion_tokens == 3
    assert not bench.transports[0].opened[0].whole
    assert none_is_held(bench)


async def test_words_that_come_behind_the_finish_are_not_lost() -> None:
    _, reply = await take(Bench([Streamed([event("你", finish="stop"), event(" "), event("好"), DONE])]).backend.stream(ask()))
    assert reply.text == "你 好"


async def test_a_server_without_streams_answers_whole() -> None:
    bench = Bench([completion("好", reasoning_content="因为")])
    texts, reply = await take(bench.backend.stream(ask()))
    assert (texts, reply.call.reasoning, reply.call.prompt_tokens) == (["好", ""], "因为", 10)
    assert none_is_held(bench)


async def test_stream_options_are_left_out_where_they_are_refused() -> None:
    bench = Bench([refusal(400, "Unknown field", param="stream_options.include_usage"), stream("好")])
    await take(bench.backend.stream(ask()))
    first, second = (body for _, body in bench.transports[0].sent)
    assert "stream_options" in first
    assert "stream_options" not in second
    assert second["stream"] is True
    assert bench.notes == ["m at http://host0/v1 does not take stream_options: calls go without it"]


async def test_a_server_that_refuses_without_a_word_is_heard_out() -> None:
    with pytest.raises(BackendError, match="status 413: too large") as caught:
        await take(Bench([Streamed([b" ", b'{"error"', b':"too large"}'], status=413)]).backend.stream(ask()))
    assert caught.value.status == 413


async def test_a_session_too_long_for_the_model_is_told_in_the_stream_too() -> None:
    error = b'data: {"error":{"message":"maximum context length is 8192","code":400}}\n\n'
    with pytest.raises(BackendError) as caught:
        await take(Bench([Streamed([error])]).backend.stream(ask()))
    assert caught.value.kind == "context"


async def test_empty_streams_are_asked_for_again_with_another_seed_and_not_for_ever() -> None:
    bench = Bench([Streamed([event(delta={"reasoning": "hm"}), *END])])
    with pytest.raises(BackendError, match="nothing but reasoning 3 times") as caught:
        await take(bench.backend.stream(ask()))
    assert caught.value.kind == "empty"
    assert [body["seed"] for _, body in bench.transports[0].sent] == [7, 8, 9]
    assert none_is_held(bench)


async def test_tokens_of_streams_that_said_nothing_are_counted() -> None:
    _, reply = await take(Bench([Streamed([*END]), stream("好")]).backend.stream(ask()))
    assert (reply.call.prompt_tokens, reply.call.completion_tokens, reply.call.seed) == (20, 6, 8)


async def test_the_budget_ends_a_stream_that_never_begins() -> None:
    bench = Bench([refusal(500, "oops")], budget=CallBudget(total=0.05))
    with pytest.raises(BackendError, match="oops") as caught:
        await take(bench.backend.stream(ask()))
    assert caught.value.kind == "budget"
    assert none_is_held(bench)


async def test_chances_come_with_the_last_chunk() -> None:
    place = orjson.dumps({"choices": [{"delta": {"content": "A"}, "logprobs": {"content": [{"token": "A", "logprob": -0.5}]}}]})
    _, reply = await take(Bench([Streamed([b"data: " + place + b"\n\n", *END])]).backend.stream(ask(logprobs=1)))
    assert reply.chances == (TokenChances("A", {"A": -0.5}),)


async def test_thoughts_whose_opening_mark_went_with_the_prompt_are_held_back_once_that_is_known() -> None:
    bench = Bench([stream("她很累", "</think>", "嗯。"), stream("她很累", "</think>", "\n嗯。"), stream("嗯", "。"), stream("嗯", "。")])
    told = [await take(bench.backend.stream(ask())) for _ in range(4)]
    assert [(reply.text, reply.call.reasoning) for _, reply in told] == [
        ("她很累</think>嗯。", ""),  # too late: it has been said
        ("嗯。", "她很累"),
        ("嗯。", ""),
        ("嗯。", ""),
    ]
    assert [texts for texts, _ in told[2:]] == [["嗯。", ""], ["嗯", "。", ""]]  # and no longer once it is not so


async def test_a_stream_keeps_its_place_to_its_end() -> None:
    bench = Bench([stream("你", "好")], at_once=1)
    async with aclosing(bench.backend.stream(ask())) as chunks:
        await anext(chunks)
        second = asyncio.create_task(take(bench.backend.stream(ask(thread="other"))))
        for _ in range(9):
            await asyncio.sleep(0)
        assert len(bench.transports[0].sent) == 1
        assert bench.backend.under_way == 2
        while (await anext(chunks)).reply is None:
            pass
        await second  # before the first is closed: its last word has been said
    assert none_is_held(bench)


async def test_a_caller_who_leaves_breaks_the_connection() -> None:
    bench = Bench([Streamed([event("我")], hangs=True)], at_once=2)
    async with aclosing(bench.backend.stream(ask())) as closed:
        assert (await anext(closed)).text == "我"
    assert none_is_held(bench)

    async def listen() -> None:
        await take(bench.backend.stream(ask()))

    cancelled = asyncio.create_task(listen())
    while len(bench.transports[0].opened) < 2:  # noqa: ASYNC110 - a counter has no event
        await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert none_is_held(bench)
    assert not any(incoming.whole for incoming in bench.transports[0].opened)


async def test_silence_before_the_first_word_pushes_back_and_words_do_not() -> None:
    bench = Bench([Streamed([SlowError("slow")]), stream("好")], at_once=10)
    await take(bench.backend.stream(ask()))
    assert bench.endpoints[0].flight._answers == 2
    assert bench.endpoints[0].flight._pushed_back == 1
    assert bench.endpoints[0].answered


# ── a question by itself, what is left to the model, and callers who do not wait ─────────────────────────────────────


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_question_without_a_thread_leaves_nothing_behind(streamed: bool) -> None:
    bench = Bench([stream("好") if streamed else completion("好")])
    for text in ("一", "二"):
        asked = ask(text, thread="")
        await (take(bench.backend.stream(asked)) if streamed else bench.backend.reply(asked))
    assert [[one["content"] for one in body["messages"]] for _, body in bench.transports[0].sent] == [
        ["你是咨询师", "一"],
        ["你是咨询师", "二"],
    ]
    assert not bench.backend._bodies


async def test_questions_of_one_route_meet_one_replica() -> None:
    bench = Bench([completion()], [completion()], [completion()])
    for _ in range(2):
        for number in range(12):
            await bench.backend.reply(ask(str(number), thread="", route=f"key/{number}"))
    sent = [{body["messages"][-1]["content"] for _, body in transport.sent} for transport in bench.transports]
    assert all(sent)
    assert sum(map(len, sent)) == 12


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("history", [[], [Message("user", "一"), Message("assistant", "二")]])
async def test_an_empty_system_message_is_not_sent(form: Form, history: list[Message]) -> None:
    bench = Bench([completion()])
    nobody = Message("system", "")
    asked = ask(form=form, template="chatml")
    for messages, tail in (([nobody, *history, Message("user", "三")], None), ([nobody, *history], Message("user", "三"))):
        await bench.backend.reply(Request(thread="", form=form, messages=messages, tail=tail, sampling=asked.sampling, seed=1, cue="答："))
    await bench.backend.reply(
        Request(thread="", form=form, messages=[nobody, Message("user", "三")], sampling=asked.sampling, seed=1, template="chatml")
    )
    bodies = [body for _, body in bench.transports[0].sent]
    shown = [message.content for message in history] + ["三"]
    for body in bodies[:2]:
        if form is Form.CHAT:
            assert [message["content"] for message in body["messages"]] == shown
        else:
            assert body["prompt"] == "\n".join(shown) + "\n答："
    if form is Form.TRANSCRIPT:
        assert bodies[2]["prompt"] == "<|im_start|>user\n三<|im_end|>\n<|im_start|>assistant\n"


async def test_what_is_left_to_the_model_is_not_sent() -> None:
    bench = Bench([completion()])
    await bench.backend.reply(ask(sampling=Sampling(temperature=None, top_p=None, max_tokens=None)))
    await bench.backend.reply(ask(sampling=Sampling(temperature=0.0, top_p=None, max_tokens=9)))
    first, second = (body for _, body in bench.transports[0].sent)
    assert first.keys() == {"model", "messages", "stream", "seed"}
    assert (second["temperature"], second["max_tokens"], "top_p" in second) == (0.0, 9, False)


async def test_many_kinds_of_sampling_are_not_all_remembered() -> None:
    bench = Bench([completion()])
    for number in range(600):
        await bench.backend.reply(ask(thread="", sampling=Sampling(temperature=number / 1000)))
    assert bench.transports[0].sent[-1][1]["temperature"] == 0.599
    assert len(bench.backend._dialects["http://host0/v1"]._cache) <= 256


@pytest.mark.parametrize("fault", [NotSentError("refused"), refusal(503, "down", headers={b"retry-after": b"0"})], ids=repr)
async def test_a_caller_who_does_not_wait_is_told_at_once_that_the_server_is_away(fault: Step) -> None:
    bench = Bench([fault], wait_for_away=False)
    for _ in range(2):
        with pytest.raises(EndpointError, match=r"m: no server is there at http://host0/v1 \((refused|status 503: down)\)"):
            await take(bench.backend.stream(ask()))
    bench.transports[0]._steps = [stream("好")]
    await take(bench.backend.stream(ask()))  # the next one tries again
    assert not bench.endpoints[0].paused
    assert [note.split()[0] for note in bench.notes] == ["no", "http://host0/v1"]
    assert none_is_held(bench)
    await bench.backend.aclose()


async def test_a_caller_who_does_not_wait_goes_to_another_replica_first() -> None:
    bench = Bench([NotSentError("refused")], [NotSentError("refused")], wait_for_away=False)
    bench.transports[1]._steps = [completion("好")]
    replies = [await bench.backend.reply(ask(thread="", route=str(number))) for number in range(8)]
    assert {reply.text for reply in replies} == {"好"}
    assert len(bench.transports[0].sent) == 1  # tried once, then known to be away
    await bench.backend.aclose()


# ── real sockets ─────────────────────────────────────────────────────────────────────────────────────────────────────


def backend_at(url: str, **options: Any) -> OpenAIBackend:
    endpoint = Endpoint(url, open_transport(url, None), clock=time.monotonic, notify=lambda _: None, **options)
    return OpenAIBackend("fake", [endpoint], budget=CallBudget(timeout=20), clock=time.monotonic, notify=lambda _: None)


@pytest.mark.parametrize("form", list(Form))
async def test_the_fake_server_is_heard_out(fake_server: FakeServer, form: Form) -> None:
    fake_server.set(stream_chunks=12, stream_pause=1)
    backend = backend_at(fake_server.url)
    texts, reply = await take(backend.stream(ask(form=form)))
    assert reply.text.endswith("第12句。")  # the system message is Chinese
    assert len(texts) > 2
    assert reply.call.completion_tokens == 12
    await backend.aclose()


async def test_a_hundred_streams_at_once_lose_and_mix_nothing(fake_server: FakeServer) -> None:
    fake_server.set(stream_chunks=30, stream_pause=2)
    backend = backend_at(fake_server.url, at_once=100)
    told = await asyncio.gather(*(take(backend.stream(ask("最近睡不着", thread="", seed=seed))) for seed in range(100)))
    wanted = "".join(f"第{number}句{'。' if number == 30 else '，'}" for number in range(1, 31))
    assert {reply.text for _, reply in told} == {wanted}
    assert backend.endpoints[0].flight.in_flight == 0
    await backend.aclose()


async def test_the_fake_server_notices_a_caller_who_leaves(fake_server: FakeServer) -> None:
    fake_server.set(stream_chunks=10_000, stream_pause=1)
    backend = backend_at(fake_server.url)
    async with aclosing(backend.stream(ask())) as chunks:
        await anext(chunks)
    async with asyncio.timeout(5):
        while fake_server.stats()["streams_cut"] != 1:  # noqa: ASYNC110 - a counter of another process
            await asyncio.sleep(0.01)
    await backend.aclose()


def in_pieces(*pieces: bytes, size: int) -> Handler:
    """Answer with a chunked stream whose bytes are cut anywhere: events, lines and characters are."""
    body = b"".join(pieces)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for at in range(0, len(body), size):
                piece = body[at : at + size]
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await writer.drain()
            writer.write(b"0\r\n\r\n")

    return handle


@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_a_stream_survives_however_the_wire_cuts_it(size: int) -> None:
    events = b"".join([b": hello\n\n", event("听起来"), event("很难😔"), *END]).replace(b"\n", b"\r\n")
    async with serving(in_pieces(events, size=size)) as url:
        backend = backend_at(url)
        for _ in range(2):
            _, reply = await take(backend.stream(ask()))
            assert (reply.text, reply.call.prompt_tokens) == ("听起来很难😔", 10)
        assert len(backend.endpoints[0]._transport._idle) == 1  # type: ignore[attr-defined]
        await backend.aclose()
