from __future__ import annotations

import http.client
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from benchmarks.fakeserver import FakeServer
from practicum.arena import read_verdict
from practicum.core import LANGUAGES, Form
from practicum.roles import QUESTION, load_prompt


def ask(server: FakeServer, text: str, path: str = "/v1/chat/completions") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        body = json.dumps({"model": "m-1", "messages": [{"role": "user", "content": text}]}, ensure_ascii=False)
        connection.request("POST", path, body.encode())
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def said(server: FakeServer, text: str) -> str:
    content: str = ask(server, text)[1]["choices"][0]["message"]["content"]
    return content


def test_the_same_request_is_always_answered_the_same_and_counted_as_paid_twice(fake_server: FakeServer) -> None:
    assert said(fake_server, "你好") == said(fake_server, "你好") != said(fake_server, "你好吗")
    assert (fake_server.stats()["requests"], fake_server.stats()["repeated_bodies"]) == (3, 1)
    fake_server.reset()
    said(fake_server, "你好")
    assert (fake_server.stats()["requests"], fake_server.stats()["repeated_bodies"]) == (1, 0)


def test_replies_are_in_the_language_of_the_request_and_pass_a_reply_check(fake_server: FakeServer) -> None:
    chinese = {said(fake_server, f"第{number}个") for number in range(200)}
    assert len(chinese) == 200
    assert all(reply.endswith("。") and "\n" not in reply and len(reply) <= 200 for reply in chinese)
    assert said(fake_server, "hello").isascii()


def test_raw_completions_hold_text_and_both_forms_hold_usage_and_the_model(fake_server: FakeServer) -> None:
    status, whole = ask(fake_server, "hello", "/v1/completions")
    assert (status, whole["object"], whole["model"]) == (200, "text_completion", "m-1")
    assert whole["choices"][0]["text"]
    assert whole["usage"]["prompt_tokens"] > 0 < whole["usage"]["completion_tokens"]


@pytest.mark.parametrize(
    ("language", "labels", "word"), [("zh", "标签：H、C、E。先写理由", "结论："), ("en", "Labels: H, C, E. Give your reasons", "Verdict: ")]
)
def test_a_supervisors_question_is_answered_with_a_verdict_and_every_label_has_its_turn(
    fake_server: FakeServer, language: str, labels: str, word: str
) -> None:
    told = Counter(said(fake_server, f"{word}A {labels} {number}").splitlines()[-1] for number in range(300))
    assert sorted(told) == [f"{word}{label}" for label in "CEH"], language
    assert min(told.values()) > 60
    fake_server.set(verdicts=0)
    assert word not in said(fake_server, labels)


def test_what_the_package_asks_is_taken_for_a_supervisors_question(fake_server: FakeServer) -> None:
    for language in LANGUAGES:
        for form in Form:
            for name in ("turn", "sessions"):
                replies = [{"label": label, "text": "Labels: X, Y. 标签：X、Y。"} for label in "BDF"]
                question = load_prompt(QUESTION, language, form, name).render(
                    language=language, transcript="", replies=replies, fence="0", again=True
                )
                assert read_verdict(said(fake_server, question), "BDF") in "BDF"


@pytest.mark.parametrize(("option", "status"), [("p429", 429), ("p500", 500)])
def test_a_refusal_has_its_status(fake_server: FakeServer, option: str, status: int) -> None:
    fake_server.set(**{option: 1})
    assert ask(fake_server, "hello")[0] == status
    assert fake_server.stats()[f"e{status}"] == 1


def test_a_reset_and_a_truncated_answer_break_the_exchange(fake_server: FakeServer) -> None:
    fake_server.set(preset=1)
    with pytest.raises(ConnectionError):
        ask(fake_server, "hello")
    fake_server.set(preset=0, ptrunc=1)
    with pytest.raises(json.JSONDecodeError):
        ask(fake_server, "hello")
    assert (fake_server.stats()["reset"], fake_server.stats()["truncated"]) == (1, 1)


def test_a_server_that_is_down_refuses_and_comes_back_on_the_same_port(fake_server: FakeServer) -> None:
    fake_server.set(down=1)
    with pytest.raises(ConnectionError):
        ask(fake_server, "hello")
    assert fake_server.stats()["requests"] == 0  # waits until it is there again
    assert ask(fake_server, "hello")[0] == 200


def test_an_unknown_option_is_refused(fake_server: FakeServer) -> None:
    with pytest.raises(ValueError, match="unknown option"):
        fake_server.set(latencies=3)


@contextmanager
def open_stream(server: FakeServer, text: str, path: str = "/v1/chat/completions", **more: Any) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        body = json.dumps({"model": "m-1", "messages": [{"role": "user", "content": text}], "stream": True, **more}, ensure_ascii=False)
        connection.request("POST", path, body.encode())
        yield connection.getresponse()
    finally:
        connection.close()


def events(server: FakeServer, text: str, path: str = "/v1/chat/completions", **more: Any) -> list[Any]:
    with open_stream(server, text, path, **more) as answer:
        lines = [line for line in answer.read().decode().split("\n\n") if line]
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def wait_for(server: FakeServer, **least: float) -> Mapping[str, float]:
    until = time.monotonic() + 5
    while any((now := server.stats())[name] < value for name, value in least.items()):
        assert time.monotonic() < until, now
    return now


@pytest.mark.parametrize(
    ("asked", "expected"), [("你好", ["第1句，", "第2句，", "第3句。"]), ("hello", ["word 1, ", "word 2, ", "word 3."])]
)
def test_a_paced_stream_counts_its_events_in_the_language_of_the_request(fake_server: FakeServer, asked: str, expected: list[str]) -> None:
    fake_server.set(stream_chunks=3, stream_pause=1)
    *words, finish = events(fake_server, asked)
    assert [word["choices"][0]["delta"].get("content") for word in words] == expected
    assert [word["choices"][0]["delta"].get("role") for word in words] == ["assistant", None, None]
    assert finish["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert "usage" not in finish
    assert fake_server.stats()["stream_events"] == 3


def test_a_paced_stream_tells_usage_where_it_is_asked_for(fake_server: FakeServer) -> None:
    fake_server.set(stream_chunks=3, stream_pause=1)
    last = events(fake_server, "hello", stream_options={"include_usage": True})[-1]
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 3


def test_raw_completions_are_streamed_paced_or_not(fake_server: FakeServer) -> None:
    *unpaced, end = events(fake_server, "你好", "/v1/completions")
    assert len(unpaced) == 2
    assert {one["object"] for one in unpaced} == {"text_completion"}
    assert end["usage"]["completion_tokens"] > 0
    fake_server.set(stream_chunks=2, stream_pause=1)
    assert "".join(one["choices"][0]["text"] for one in events(fake_server, "你好", "/v1/completions")) == "第1句，第2句。"


def test_a_paced_stream_takes_its_time_and_sends_what_it_has(fake_server: FakeServer) -> None:
    fake_server.set(latency=50, stream_chunks=4, stream_pause=50)
    begun = time.monotonic()
    with open_stream(fake_server, "hello") as answer:
        assert b"word 1" in answer.readline()
        assert fake_server.stats()["stream_events"] < 4
        assert time.monotonic() - begun >= 0.05
        answer.read()
    assert time.monotonic() - begun >= 0.2


def test_many_paced_streams_run_side_by_side(fake_server: FakeServer) -> None:
    fake_server.set(latency=100, stream_chunks=5, stream_pause=1)
    with ExitStack() as stack:
        connections = [http.client.HTTPConnection("127.0.0.1", fake_server.port, timeout=5) for _ in range(50)]
        for number, connection in enumerate(connections):
            stack.callback(connection.close)
            connection.request("POST", "/v1/chat/completions", json.dumps({"stream": True, "n": number}).encode())
        bodies = [connection.getresponse().read().decode() for connection in connections]
    assert all(body.count("word ") == 5 and body.endswith("data: [DONE]\n\n") for body in bodies)
    assert fake_server.stats()["in_service_max"] > 1
    assert fake_server.stats()["in_service"] == 0


def test_a_client_that_leaves_a_paced_stream_is_noticed_at_once_and_its_slot_is_free(fake_server: FakeServer) -> None:
    fake_server.set(latency=1, slots=1, stream_chunks=1000, stream_pause=60_000)
    with open_stream(fake_server, "你好") as answer:
        answer.readline()
        assert fake_server.stats()["in_service"] == 1
        left = time.monotonic_ns()
    told = wait_for(fake_server, streams_cut=1)
    assert left <= told["last_cut_ns"] < left + 1e9
    assert (told["streams_cut"], told["in_service"], told["in_flight"], told["ok"]) == (1, 0, 0, 0)
    assert said(fake_server, "你好")  # the only slot


def test_a_stream_whose_client_left_while_it_waited_for_a_slot_is_not_begun(fake_server: FakeServer) -> None:
    fake_server.set(latency=1, slots=1, stream_chunks=1000, stream_pause=60_000)
    with open_stream(fake_server, "first") as first:
        first.readline()
        waiting = http.client.HTTPConnection("127.0.0.1", fake_server.port, timeout=5)
        waiting.request("POST", "/v1/chat/completions", b'{"stream":true}')
        wait_for(fake_server, queued_max=1)
        waiting.close()
    told = wait_for(fake_server, streams_cut=1, client_gone=1)
    assert (told["in_service"], told["in_flight"], told["stream_events"]) == (0, 0, 1)


def test_a_paced_stream_may_break_off_half_way_or_before_its_first_word(fake_server: FakeServer) -> None:
    fake_server.set(stream_chunks=10, stream_pause=1, ptrunc=1)
    with open_stream(fake_server, "hello") as answer, pytest.raises(http.client.IncompleteRead) as broken:
        answer.read()
    assert b"word 6" in broken.value.partial
    assert b"word 7" not in broken.value.partial
    fake_server.set(ptrunc=0, preset=1)
    with pytest.raises(ConnectionError), open_stream(fake_server, "hello"):
        pass
    told = fake_server.stats()
    assert (told["truncated"], told["reset"], told["streams_cut"], told["in_service"]) == (1, 1, 0, 0)
