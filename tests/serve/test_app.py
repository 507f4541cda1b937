"""What a caller gets for what it asks."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from practicum.errors import BackendError, ConfigError, EndpointError, ModelFileError
from practicum.serve.crisis import BREAK, crisis_text
from practicum.serve.gateway import header_list
from tests.serve.conftest import CREATED, PIECES, Scripted, app_of, ask, call, get


async def test_an_answer_has_the_protocols_shape() -> None:
    service = Scripted()
    answer = await call(app_of(service), ask("你好"), headers={"x-request-id": "case-7"})
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"] == "case-7"
    assert answer.json == {
        "id": "chatcmpl-case-7",
        "object": "chat.completion",
        "created": CREATED,
        "model": "bot/warm",
        "system_fingerprint": "0123456789abcdef",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "听起来这段日子很不容易。", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18, "prompt_tokens_details": {"cached_tokens": 4}},
    }


async def test_a_stream_tells_the_role_then_the_words_then_why_it_ended() -> None:
    answer = await call(app_of(Scripted(finish="length")), ask("I am tired", stream=True))
    *events, end = answer.events
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert end == "[DONE]"
    assert [event["choices"][0]["delta"] for event in events] == [
        {"role": "assistant", "content": ""},
        *({"content": piece} for piece in PIECES["en"]),
        {},
    ]
    assert [event["choices"][0]["finish_reason"] for event in events] == [None] * 4 + ["length"]
    assert not any("usage" in event for event in events)


async def test_a_stream_tells_its_tokens_only_if_asked_to() -> None:
    answer = await call(app_of(Scripted()), ask(stream=True, stream_options={"include_usage": True}))
    *events, tokens, _ = answer.events
    assert all(event["usage"] is None for event in events)
    assert tokens["choices"] == []
    assert tokens["usage"]["total_tokens"] == 18


async def test_a_finish_that_the_protocol_does_not_know_is_a_stop() -> None:
    assert (await call(app_of(Scripted(finish="eos")), ask())).json["choices"][0]["finish_reason"] == "stop"


async def test_a_service_is_asked_what_the_caller_has_said() -> None:
    service = Scripted()
    body = ask(max_tokens=50, max_completion_tokens=30, temperature=0.5, top_p=0.9, stop="\n", seed=-1)
    body["messages"] = [
        {"role": "system", "content": "扮演一只猫"},
        {"role": "user", "content": "我睡不好"},
        {"role": "assistant", "content": "多久了？"},
        {"role": "user", "content": [{"type": "text", "text": "一个月"}, {"type": "text", "text": "还是两个月"}]},
    ]
    answer = await call(app_of(service), body)
    [asked] = service.asked
    assert [tuple(message) for message in asked.messages] == [
        ("user", "我睡不好"),
        ("assistant", "多久了？"),
        ("user", "一个月\n还是两个月"),
    ]
    assert (asked.max_tokens, asked.temperature, asked.top_p, asked.stop) == (30, 0.5, None, ("\n",))
    assert asked.seed == 2**31 - 1
    assert asked.language == "zh"
    assert answer.headers["x-practicum-ignored"] == "messages[system], top_p"


async def test_what_is_ignored_is_named() -> None:
    body = ask(user="u1", presence_penalty=1, store=None, 温度=1, stream_options={"other": 1})
    body["messages"][0]["name"] = "小李"
    answer = await call(app_of(Scripted()), body)
    named = "messages.name, presence_penalty, stream_options, stream_options.other, user, %E6%B8%A9%E5%BA%A6"
    assert answer.headers["x-practicum-ignored"] == named
    assert "x-practicum-ignored" not in (await call(app_of(Scripted()), ask(n=1, tools=[], logprobs=False, user=None))).headers


def test_a_header_of_names_is_plain_and_not_too_long() -> None:
    value = header_list(["a\r\nX: 1", *(f"f{number:03}" for number in range(100))])
    assert value.startswith(b"a%0D%0AX%3A%201, f000")
    assert value.endswith(b", and 51 more")
    assert len(value) < 5_000


async def test_the_same_question_has_the_same_seed() -> None:
    service = Scripted()
    app = app_of(service)
    for text in ("你好", "你好", "hello"):
        await call(app, ask(text))
    first, again, other = (asked.seed for asked in service.asked)
    assert first == again != other
    assert 0 <= first < 2**31


async def test_the_questions_of_a_conversation_share_a_route() -> None:
    service = Scripted()
    app = app_of(service)
    longer = ask("你好")
    longer["messages"] += [{"role": "assistant", "content": "请说"}, {"role": "user", "content": "嗯"}]
    for body in (ask("你好"), longer, ask("hello")):
        await call(app, body)
    first, next_, other = (asked.route for asked in service.asked)
    assert first == next_ != other


async def test_the_language_is_the_callers_or_the_configurations() -> None:
    service = Scripted()
    await call(app_of(service), ask("I slept badly"))
    await call(app_of(service, language="zh"), ask("I slept badly"))
    assert [asked.language for asked in service.asked] == ["en", "zh"]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (BackendError("too long", kind="context"), 400, "context_length_exceeded"),
        (BackendError("said nothing", kind="empty"), 502, "empty"),
        (EndpointError("away"), 503, "endpoint"),
        (ConfigError("messages: the client has spoken last"), 400, None),
        (ModelFileError("gone"), 502, None),
    ],
)
async def test_a_service_that_fails_before_its_first_word_is_told_by_status(fault: Exception, status: int, code: str | None) -> None:
    app = app_of(Scripted(fault=fault))
    for stream in (False, True):
        answer = await call(app, ask(stream=stream))
        assert (answer.status, answer.error["code"]) == (status, code)
        assert str(fault) in answer.error["message"]
        assert ("retry-after" in answer.headers) == (status == 503)


async def test_a_service_that_fails_in_the_middle_ends_its_stream_with_an_error() -> None:
    app = app_of(Scripted(fault=BackendError("the connection broke", kind="broken"), fault_after=2))
    answer = await call(app, ask(stream=True))
    assert answer.status == 200
    *_, last = answer.events
    assert last["error"]["code"] == "broken"
    whole = await call(app, ask())
    assert whole.status == 502  # nothing of half an answer is told
    counted = (await get(app, "/metrics")).body.decode()
    assert 'practicum_requests_total{model="bot/warm",outcome="broken"} 1.0' in counted
    assert 'practicum_requests_total{model="bot/warm",outcome="failed"} 1.0' in counted


async def test_a_bug_is_told_without_a_traceback_and_still_raised(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "practicum.serve")
    service = Scripted(fault=KeyError("secret words"))
    app = app_of(service, at_once=1)
    with pytest.raises(KeyError):
        await call(app, ask())
    assert "outcome=failed" in caplog.text
    assert app.state.gateway.gate.serving == 0
    service.fault = None
    assert (await call(app, ask())).status == 200


async def test_an_answer_without_its_end_is_a_bug() -> None:
    class Endless(Scripted):
        async def speak(self, asked: Any) -> Any:
            async for chunk in super().speak(asked):
                if chunk.text:
                    yield chunk

    for stream in (False, True):
        with pytest.raises(RuntimeError, match="without its end"):
            await call(app_of(Endless()), ask(stream=stream))


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1/models/", 404, "model_not_found"),
        ("GET", "/v1/models/bot/none", 404, "model_not_found"),
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("OPTIONS", "/v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/healthz", 405, "method_not_allowed"),
    ],
)
async def test_what_is_not_there_is_told_in_the_protocols_shape(method: str, path: str, status: int, code: str) -> None:
    answer = await call(app_of(Scripted()), method=method, path=path)
    assert (answer.status, answer.error["code"]) == (status, code)
    assert answer.error.keys() == {"message", "type", "param", "code"}
    assert ("allow" in answer.headers) == (status == 405)
    assert not any(name.startswith("access-control") for name in answer.headers)


async def test_models_are_listed_and_looked_up_by_names_with_a_slash() -> None:
    app = app_of(Scripted(), Scripted(name="client/ab12", counselor=False, about="a simulated client"))
    listed = (await get(app, "/v1/models")).json
    assert [card["id"] for card in listed["data"]] == ["bot/warm", "client/ab12"]
    assert (await get(app, "/v1/models/client/ab12")).json == listed["data"][1]
    assert listed["data"][1]["description"] == "a simulated client"


async def test_another_name_for_this_machine_is_refused() -> None:
    app = app_of(Scripted())
    for host in ("localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080"):
        assert (await get(app, "/v1/models", headers={"host": host})).status == 200
    for host in ("evil.example", "127.0.0.1.evil.example:8080", "localhost.evil.example", "[::2]", ""):
        answer = await get(app, "/v1/models", headers={"host": host})
        assert (answer.status, answer.error["code"]) == (403, "host")


async def test_ready_asks_the_services_now_and_then() -> None:
    now = 0.0
    bots = [Scripted(), Scripted(name="bot/away", lack="its server is away"), Scripted(name="bot/gone", lack="!")]
    clients = [Scripted(name=f"client/{number}", counselor=False) for number in range(3)]
    from practicum.serve.app import make_app
    from practicum.serve.config import ServeConfig

    app = make_app([*bots, *clients], ServeConfig(), keys=None, at_once=1, clock=lambda: CREATED, ticks=lambda: now)
    for _ in range(3):
        answer = await get(app, "/readyz")
        assert answer.status == 503
        assert answer.json == {"ready": False, "missing": {"bot/away": "its server is away", "bot/gone": "the model is not there"}}
    assert [service.looks for service in (*bots, *clients)] == [1, 1, 1, 1, 0, 0]  # clients share a model
    bots[1].lack = bots[2].lack = ""
    now = 6.0
    assert (await get(app, "/readyz")).json == {"ready": True}
    assert (await get(app, "/healthz")).json == {"alive": True}


async def test_requests_are_counted_and_told_without_a_word_of_anybody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "practicum.serve")
    app = app_of(Scripted())
    await call(app, ask("我想死", stream=True))
    await call(app, ask("hi", model="bot/none"))
    counted = (await get(app, "/metrics")).body.decode()
    for line in (
        'practicum_requests_total{model="bot/warm",outcome="ok"} 1.0',
        'practicum_requests_total{model="-",outcome="refused"} 1.0',
        'practicum_tokens_total{kind="completion",model="bot/warm"} 7.0',
        'practicum_risk_flags_total{kind="suicide",model="bot/warm"} 1.0',
        'practicum_first_word_seconds_count{model="bot/warm"} 1.0',
        "practicum_requests_in_service 0.0",
        "practicum_requests_waiting 0.0",
        "practicum_places 8.0",
    ):
        assert line in counted.splitlines()
    asked, refused = (record.getMessage() for record in caplog.records)
    assert "model=bot/warm status=200 outcome=ok tokens=11+7" in asked
    assert "risk=suicide" in asked
    assert "status=404 outcome=refused" in refused
    assert "想死" not in caplog.text + counted
    assert "none" not in caplog.text + counted


async def test_clients_are_counted_as_one() -> None:
    app = app_of(Scripted(name="client/ab12", counselor=False))
    await call(app, ask(model="client/ab12"))
    counted = (await get(app, "/metrics")).body.decode()
    assert 'practicum_requests_total{model="client",outcome="ok"} 1.0' in counted
    assert "ab12" not in counted


@pytest.mark.parametrize(("text", "language"), [("我不想活了", "zh"), ("I want to kill myself", "en")])
async def test_words_of_risk_are_answered_with_where_help_is(text: str, language: Any) -> None:
    app = app_of(Scripted(), banner={"country": "cn"})
    banner = crisis_text("CN", language)
    whole = await call(app, ask(text))
    reply = "".join(PIECES[language])
    assert whole.headers["x-practicum-risk"] == "suicide"
    assert whole.json["choices"][0]["message"]["content"] == banner + BREAK + reply
    stream = await call(app, ask(text, stream=True))
    assert stream.headers["x-practicum-risk"] == "suicide"
    assert stream.events[1]["choices"][0]["delta"] == {"content": banner + BREAK}
    assert stream.said == banner + BREAK + reply


async def test_the_banner_can_be_switched_off_but_the_header_stays() -> None:
    for on, headers in ((True, {"x-practicum-banner": "off"}), (False, {})):
        answer = await call(app_of(Scripted(), banner={"on": on}), ask("我想死"), headers=headers)
        assert answer.headers["x-practicum-risk"] == "suicide"
        assert answer.json["choices"][0]["message"]["content"] == "听起来这段日子很不容易。"


async def test_a_banner_that_is_neither_on_nor_off_is_refused() -> None:
    assert (await call(app_of(Scripted()), ask("我想死"), headers={"x-practicum-banner": "ON"})).status == 200
    answer = await call(app_of(Scripted()), ask("我想死"), headers={"x-practicum-banner": "no"})
    assert answer.status == 400
    assert answer.json["error"]["param"] == "X-Practicum-Banner"
    assert "'no'; expected on or off" in answer.json["error"]["message"]


async def test_only_what_was_said_since_the_last_reply_is_looked_at() -> None:
    app = app_of(Scripted())
    body = ask("我想死")
    body["messages"] += [{"role": "assistant", "content": "谢谢你告诉我。"}, {"role": "user", "content": "今天好一些"}]
    assert "x-practicum-risk" not in (await call(app, body)).headers
    body = ask("他昨天打我，还家暴")
    body["messages"] += [{"role": "user", "content": "我就用刀割伤自己"}]
    assert (await call(app, body)).headers["x-practicum-risk"] == "abuse,self_harm"


async def test_a_simulated_client_is_not_warned() -> None:
    answer = await call(app_of(Scripted(name="client/a", counselor=False)), ask("你有没有想过自杀？", model="client/a"))
    assert "x-practicum-risk" not in answer.headers
    assert answer.json["choices"][0]["message"]["content"] == "听起来这段日子很不容易。"


async def test_a_banner_that_comes_back_is_not_shown_to_the_bot() -> None:
    service = Scripted()
    app = app_of(service, banner={"country": "US"})
    first = (await call(app, ask("I want to kill myself"))).json["choices"][0]["message"]["content"]
    cut = crisis_text("US", "en")
    body = ask("I want to kill myself")
    body["messages"] += [
        {"role": "assistant", "content": first},
        {"role": "user", "content": "still here"},
        {"role": "assistant", "content": cut},
        {"role": "user", "content": "hello?"},
    ]
    await call(app, body)
    assert [message.content for message in service.asked[-1].messages] == [
        "I want to kill myself",
        "That sounds very hard. Go on.",
        "still here",
        "hello?",
    ]


async def test_a_bot_answers_somebody_but_a_client_may_open() -> None:
    app = app_of(Scripted(), Scripted(name="client/a", counselor=False))
    ends_with_bot = ask()
    ends_with_bot["messages"] += [{"role": "assistant", "content": "请说"}]
    for body in ({"model": "bot/warm", "messages": []}, ends_with_bot):
        answer = await call(app, body)
        assert (answer.status, answer.error["param"]) == (400, "messages")
    assert (await call(app, {"model": "client/a", "messages": []})).status == 200


def test_services_need_names_of_their_own_and_a_country_that_is_known() -> None:
    with pytest.raises(ConfigError, match="two services are called 'bot/warm'"):
        app_of(Scripted(), Scripted())
    with pytest.raises(ConfigError, match=r"banner.country: 'XX' is not known; known: AU, "):
        app_of(Scripted(), banner={"country": "XX"})


async def test_the_document_describes_the_body() -> None:
    document = (await get(app_of(Scripted()), "/openapi.json")).json
    post = document["paths"]["/v1/chat/completions"]["post"]
    assert post["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ChatBody"}
    assert {"ChatBody", "ChatMessage", "ChatAnswer", "ErrorBody", "ModelList"} <= document["components"]["schemas"].keys()
    assert (await get(app_of(Scripted()), "/docs")).status == 404
