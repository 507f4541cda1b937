from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.backends import CallBudget, Constraint, Endpoint, OpenAIBackend, Request, TokenChances
from practicum.backends.transport import Answer, Body, BrokenError, NotSentError, SlowError
from practicum.core import Form, Message, Sampling
from practicum.errors import BackendError, EndpointError
from tests.backends.scripted_transport import ScriptedTransport, Step, completion, refusal


class Bench:
    """A backend over scripted transports, on a clock of its own."""

    def __init__(self, *steps: Iterable[Step], budget: CallBudget | None = None, **options: Any) -> None:
        self.notes: list[str] = []
        self.now = 0.0
        self.transports = [ScriptedTransport(one) for one in steps]
        self.endpoints = [
            Endpoint(f"http://host{n}/v1", transport, clock=self.clock, notify=self.notes.append, **options)
            for n, transport in enumerate(self.transports)
        ]
        self.backend = OpenAIBackend("m", self.endpoints, budget=budget or CallBudget(), clock=self.clock, notify=self.notes.append)

    def clock(self) -> float:
        self.now += 0.001
        return self.now


def ask(text: str = "最近睡不着", *, thread: str = "s/counselor", history: Sequence[Message] = (), **rest: Any) -> Request:
    options: dict[str, Any] = {"form": Form.CHAT, "sampling": Sampling(), "seed": 7} | rest
    return Request(thread=thread, messages=[Message("system", "你是咨询师"), *history, Message("user", text)], **options)


async def test_a_chat_is_sent_as_the_protocol_says() -> None:
    bench = Bench([completion()])
    reply = await bench.backend.reply(ask(sampling=Sampling(temperature=0.5, top_p=0.9, max_tokens=42)))
    target, body = bench.transports[0].sent[0]
    assert target == "/chat/completions"
    assert body == {
        "model": "m",
        "messages": [{"role": "system", "content": "你是咨询师"}, {"role": "user", "content": "最近睡不着"}],
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 42,
        "stream": False,
        "seed": 7,
    }
    assert reply.text == "你好"
    call = reply.call
    assert (call.model, call.finish, call.prompt_tokens, call.completion_tokens, call.cached_tokens) == ("m-1", "stop", 10, 3, 8)
    assert (call.request_id, call.seed, call.attempts) == ("r1", 7, 1)


async def test_a_transcript_is_sent_as_raw_text_with_the_reply_begun() -> None:
    answer = Answer(200, {}, orjson.dumps({"choices": [{"text": " 睡不着。\n", "finish_reason": "stop"}]}))
    bench = Bench([answer])
    lines = [Message("system", '你是"小林"'), Message("user", "来访者：你好"), Message("user", "咨询师：请说")]
    request = Request(
        thread="t",
        form=Form.TRANSCRIPT,
        messages=lines,
        sampling=Sampling(),
        seed=1,
        cue="来访者：",
        stop=("\n",),
        template="chatml",
        tail=Message("system", "（说短些）"),
    )
    reply = await bench.backend.reply(request)
    target, body = bench.transports[0].sent[0]
    assert target == "/completions"
    assert body["prompt"] == (
        '<|im_start|>system\n你是"小林"<|im_end|>\n<|im_start|>user\n来访者：你好\n咨询师：请说\n（说短些）<|im_end|>\n'
        "<|im_start|>assistant\n来访者："
    )
    assert body["stop"] == ["\n", "<|im_end|>"]
    assert reply.text == "睡不着。"


async def test_the_tail_is_sent_once_and_not_kept() -> None:
    bench = Bench([completion()])
    await bench.backend.reply(ask(tail=Message("system", "now")))
    await bench.backend.reply(ask(history=[Message("user", "最近睡不着"), Message("assistant", "你好")], text="嗯"))
    first, second = (body["messages"] for _, body in bench.transports[0].sent)
    assert first[-1] == {"role": "system", "content": "now"}
    assert {"role": "system", "content": "now"} not in second


@given(st.lists(st.text(), min_size=1, max_size=8), st.sampled_from(Form))
async def test_a_grown_body_equals_one_built_anew(texts: list[str], form: Form) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    messages = [Message("system", "s")]
    grown, fresh = Bench([completion()]), Bench([completion()])
    for number, text in enumerate(texts):
        messages.append(Message("user", text))
        for bench, thread in ((grown, "t"), (fresh, str(number))):
            await bench.backend.reply(Request(thread=thread, form=form, messages=list(messages), sampling=Sampling(), seed=0))
    assert grown.transports[0].bodies == fresh.transports[0].bodies


@given(st.lists(st.text(alphabet="abc你", min_size=1), min_size=1, max_size=6))
async def test_each_body_begins_with_the_one_before(texts: list[str]) -> None:
    messages = [Message("system", "s")]
    bench = Bench([completion()])
    for text in texts:
        messages.append(Message("user", text))
        await bench.backend.reply(Request(thread="t", form=Form.CHAT, messages=list(messages), sampling=Sampling(), seed=0))
    prefixes = [body[: body.index(b"],")] for body in bench.transports[0].bodies]
    assert all(later.startswith(earlier) for earlier, later in pairwise(prefixes))


async def test_another_history_under_the_same_thread_is_not_mixed_up() -> None:
    bench = Bench([completion()])
    await bench.backend.reply(ask("eins"))
    await bench.backend.reply(ask("zwei"))
    bench.backend.release("s/counselor")
    bench.backend.release("never seen")
    await bench.backend.reply(ask("drei"))
    assert [body["messages"][-1]["content"] for _, body in bench.transports[0].sent] == ["eins", "zwei", "drei"]
    assert all(len(body["messages"]) == 2 for _, body in bench.transports[0].sent)


@pytest.mark.parametrize(
    "fault",
    [
        refusal(429, "slow down", headers={b"retry-after": b"0"}),
        refusal(500, "oops"),
        refusal(408, "timeout"),
        refusal(503, "busy", headers={b"retry-after-ms": b"1"}),
        BrokenError("reset"),
        SlowError("slow"),
        Answer(200, {}, b'{"choices": [{"mess'),
        Answer(200, {}, b"[]"),
        completion(""),
        completion("  \n"),
        completion("<think>hm</think>"),
    ],
    ids=repr,
)
async def test_what_may_pass_is_tried_again(fault: Step) -> None:
    bench = Bench([fault, completion("好")])
    reply = await bench.backend.reply(ask())
    assert (reply.text, reply.call.attempts) == ("好", 2)


async def test_retry_after_is_waited_for_in_full() -> None:
    bench = Bench([refusal(429, "", headers={b"retry-after": b"0.2"}), completion()])
    begun = asyncio.get_running_loop().time()
    await bench.backend.reply(ask())
    assert asyncio.get_running_loop().time() - begun >= 0.2


async def test_a_retry_after_that_is_a_date_falls_back_to_the_usual_pause() -> None:
    bench = Bench([refusal(429, "", headers={b"retry-after": b"Wed, 21 Oct 2026 07:28:00 GMT"}), completion()])
    assert (await bench.backend.reply(ask())).call.attempts == 2


async def test_a_call_ends_when_its_budget_is_spent() -> None:
    bench = Bench([refusal(500, "oops")], budget=CallBudget(total=0.05))
    with pytest.raises(BackendError, match=r"no answer within 0\.05 s .* oops") as caught:
        await bench.backend.reply(ask())
    assert caught.value.kind == "budget"
    assert bench.backend.under_way == 0


async def test_an_empty_answer_is_asked_for_again_with_another_seed() -> None:
    bench = Bench([completion(""), refusal(500, "oops", headers={b"retry-after": b"0"}), completion("好")])
    reply = await bench.backend.reply(ask(seed=2**31 - 1))
    assert [body["seed"] for _, body in bench.transports[0].sent] == [2**31 - 1, 0, 0]
    assert reply.call.seed == 0


async def test_a_model_that_only_thinks_is_not_paid_for_ever() -> None:
    bench = Bench([completion(None, reasoning_content="let me think")])
    with pytest.raises(BackendError, match=r"nothing but reasoning 3 times.*max_tokens"):
        await bench.backend.reply(ask())
    assert len(bench.transports[0].sent) == 3


@pytest.mark.parametrize(
    "answer",
    [
        completion("好", reasoning_content="因为"),
        completion("好", reasoning="因为"),
        completion("<think>因为</think>\n\n好"),
    ],
)
async def test_reasoning_is_kept_and_never_said(answer: Answer) -> None:
    reply = await Bench([answer]).backend.reply(ask())
    assert (reply.text, reply.call.reasoning.strip()) == ("好", "因为")


@pytest.mark.parametrize(("status", "said"), [(400, "bad input"), (422, "no"), (413, "too large")])
async def test_a_refused_call_fails_alone(status: int, said: str) -> None:
    with pytest.raises(BackendError, match=f"status {status}: {said}") as caught:
        await Bench([refusal(status, said)]).backend.reply(ask())
    assert (caught.value.kind, caught.value.status) == ("refused", status)


async def test_a_session_too_long_for_the_model_is_told_apart() -> None:
    with pytest.raises(BackendError) as caught:
        await Bench([refusal(400, "This model's maximum context length is 8192 tokens")]).backend.reply(ask())
    assert caught.value.kind == "context"


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (refusal(401, "bad key"), "check the key"),
        (refusal(402, "Insufficient Balance"), "check the key and the account"),
        (refusal(404, "no such model"), "check the model's name"),
        (refusal(429, "You exceeded", code="insufficient_quota"), "quota"),
    ],
)
async def test_what_every_call_would_meet_stops_the_run(answer: Answer, advice: str) -> None:
    with pytest.raises(EndpointError, match=advice):
        await Bench([answer]).backend.reply(ask())


@pytest.mark.parametrize(
    ("message", "param", "gone", "there"),
    [
        ("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", "max_tokens",
         "max_tokens", "max_completion_tokens"),
        ("Unsupported value: 'temperature' does not support 0.5 with this model. Only the default (1) value is supported.",
         "temperature", "temperature", "top_p"),
        ("Unrecognized request argument supplied: seed", "", "seed", "temperature"),
        ("Extra inputs are not permitted: top_p", "", "top_p", "seed"),
    ],
)  # fmt: skip
async def test_an_unsupported_parameter_is_dropped_or_renamed_once(message: str, param: str, gone: str, there: str) -> None:
    bench = Bench([refusal(400, message, param=param), completion()])
    await bench.backend.reply(ask())
    await bench.backend.reply(ask(thread="other"))
    first, second, third = (body for _, body in bench.transports[0].sent)
    assert gone in first
    assert gone not in second.keys() | third.keys()
    assert there in second
    assert len(bench.notes) == 1


async def test_calls_in_flight_when_a_parameter_is_learnt_are_sent_again_without_a_second_note() -> None:
    def answer(body: dict[str, Any]) -> Answer:
        return refusal(400, "Unknown parameter: seed") if "seed" in body else completion()

    bench = Bench([answer])
    await asyncio.gather(*(bench.backend.reply(ask(thread=str(n))) for n in range(5)))
    assert len(bench.notes) == 1


async def test_a_parameter_refused_even_when_absent_is_a_failure() -> None:
    with pytest.raises(BackendError, match="Unknown parameter: seed"):
        await Bench([refusal(400, "Unknown parameter: seed")]).backend.reply(ask())


async def test_each_thread_stays_with_one_replica() -> None:
    bench = Bench([completion()], [completion()], [completion()])
    for _ in range(3):
        for n in range(12):
            await bench.backend.reply(ask(str(n), thread=f"s{n}/client"))
    sent = [{body["messages"][-1]["content"] for _, body in transport.sent} for transport in bench.transports]
    assert all(sent)
    assert sum(map(len, sent)) == 12


async def test_a_thread_moves_on_while_its_replica_is_paused() -> None:
    steps: list[Step] = [completion(), NotSentError("refused")]
    bench = Bench(list(steps), list(steps))
    await bench.backend.reply(ask())
    home = next(n for n, transport in enumerate(bench.transports) if transport.sent)
    bench.transports[1 - home]._steps = [completion("moved")]
    reply = await bench.backend.reply(ask())
    assert reply.text == "moved"
    await bench.backend.aclose()
    assert all(transport.closed for transport in bench.transports)


@pytest.mark.parametrize(
    ("steps", "options"),
    [([refusal(429, "", headers={b"retry-after": b"300"})], {}), ([completion()], {"requests_per_minute": 0.1})],
    ids=["retry-after", "requests per minute"],
)
async def test_draining_ends_pauses(steps: list[Step], options: dict[str, Any]) -> None:
    bench = Bench(steps, **options)
    calls = [asyncio.create_task(bench.backend.reply(ask(thread=str(n)))) for n in range(3)]
    for _ in range(20):  # until each has been sent, or waits for its turn
        await asyncio.sleep(0)
    bench.backend.drain()
    outcomes = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 5)
    assert isinstance(outcomes[-1], EndpointError)
    assert bench.backend.under_way == 0


async def test_draining_refuses_who_waits_and_lets_who_is_in_flight_end() -> None:
    gate = asyncio.Event()

    class Slow(ScriptedTransport):
        async def send(self, target: str, body: Body | None, *, timeout: float) -> Answer:  # noqa: ASYNC109 - the protocol's
            await gate.wait()
            return await super().send(target, body, timeout=timeout)

    bench = Bench([completion()], at_once=1)
    bench.endpoints[0]._transport = Slow([completion()])
    tasks = [asyncio.create_task(bench.backend.reply(ask(thread=str(n)))) for n in range(3)]
    while bench.backend.under_way < 3:  # noqa: ASYNC110 - a counter has no event
        await asyncio.sleep(0)
    bench.backend.drain()
    gate.set()
    first, *others = await asyncio.gather(*tasks, return_exceptions=True)
    assert not isinstance(first, BaseException)
    assert all(isinstance(other, EndpointError) for other in others)


async def test_tokens_of_answers_that_said_nothing_are_counted() -> None:
    reply = await Bench([completion(""), completion("好")]).backend.reply(ask())
    assert (reply.call.prompt_tokens, reply.call.completion_tokens) == (20, 6)


async def test_a_body_that_is_still_being_read_is_grown_in_a_copy() -> None:
    bench = Bench([completion()])
    await bench.backend.reply(ask("一"))
    sent = bench.backend._bodies["s/counselor"].encode(ask("一"), b"}")
    with memoryview(sent[1]) as still_read:
        await bench.backend.reply(ask(history=[Message("user", "一"), Message("assistant", "你好")], text="二"))
        assert bytes(still_read) == bytes(sent[1])
    assert [message["content"] for message in bench.transports[0].sent[-1][1]["messages"]] == ["你是咨询师", "一", "你好", "二"]


# ── what a rater wants besides ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", list(Form))
async def test_a_constraint_and_probabilities_are_sent_once_and_not_kept(form: Form) -> None:
    bench = Bench([completion("A")])
    constraint = Constraint(regex="(A|B)", grammar='root ::= "A" | "B"')
    await bench.backend.reply(ask(form=form, constraint=constraint, logprobs=20))
    await bench.backend.reply(ask(form=form))
    first, second = (body for _, body in bench.transports[0].sent)
    assert first["structured_outputs"] == {"regex": "(A|B)"}
    assert first["grammar"] == 'root ::= "A" | "B"'
    assert first["logprobs"] == (True if form is Form.CHAT else 20)
    assert {
        name: value for name, value in first.items() if name not in {"structured_outputs", "grammar", "logprobs", "top_logprobs"}
    } == second


async def test_probabilities_come_back_with_the_reply() -> None:
    body = {
        "choices": [{"message": {"content": "A"}, "logprobs": {"content": [{"token": "A", "logprob": -0.5, "top_logprobs": []}]}}],
    }
    reply = await Bench([Answer(200, {}, orjson.dumps(body))]).backend.reply(ask(logprobs=1))
    assert reply.chances == (TokenChances("A", {"A": -0.5}),)


async def test_several_questions_of_one_thread_at_once_do_not_mix() -> None:
    bench = Bench([lambda body: completion(body["messages"][-1]["content"])])
    asked = [ask("系统", thread="s/judge", tail=Message("user", f"第{number}题"), seed=number) for number in range(9)]
    replies = await asyncio.gather(*(bench.backend.reply(one) for one in asked))
    assert [reply.text for reply in replies] == [f"第{number}题" for number in range(9)]
