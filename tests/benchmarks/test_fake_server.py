from __future__ import annotations

import http.client
import json
from collections import Counter
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
