"""Bodies: what is read, and what is refused with the field that is at fault."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.serve.config import BoundsConfig
from practicum.serve.refusal import Refusal
from practicum.serve.schema import Question, read_question
from tests.serve.conftest import ask


def read(body: object, **bounds: int) -> Question:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return read_question(data, BoundsConfig(**bounds))


def refusal(body: object, **bounds: int) -> Refusal:
    with pytest.raises(Refusal) as refused:
        read(body, **bounds)
    assert refused.value.status == 400
    refused.value.body.decode()
    return refused.value


MESSAGES: list[tuple[Any, str]] = [
    ([{"role": "user"}], "messages.0.content"),
    ([{"content": "hi"}], "messages.0.role"),
    ([{"role": "tool", "content": "hi"}], "messages.0.role"),
    ([{"role": "user", "content": None}], "messages.0.content"),
    ([{"role": "user", "content": 5}], "messages.0.content"),
    ([{"role": "user", "content": ["hi"]}], "messages.0.content"),
    ([{"role": "user", "content": [{"type": "text"}]}], "messages.0.content"),
    ([{"role": "user", "content": "好"}, {"role": "assistant", "content": " \n"}], "messages.1.content"),
    ([{"role": "user", "content": []}], "messages.0.content"),
    ([{"role": "user", "content": "a\0b"}], "messages.0.content"),
    (["hi"], "messages.0"),
    ({"role": "user", "content": "hi"}, "messages"),
    (None, "messages"),
]


@pytest.mark.parametrize(("messages", "param"), MESSAGES)
def test_messages_that_will_not_do_are_named(messages: Any, param: str) -> None:
    told = refusal({"model": "bot/warm", "messages": messages})
    assert told.param == param
    assert told.message.startswith(param)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", 5),
        ("stream", "yes"),
        ("stream_options", True),
        ("max_tokens", 0),
        ("max_completion_tokens", 1.5),
        ("temperature", 2.1),
        ("temperature", "hot"),
        ("top_p", 0),
        ("stop", ""),
        ("stop", ["a"] * 17),
        ("stop", [1]),
        ("seed", 2**63),
        ("seed", 1.5),
        ("n", 2),
        ("n", 0),
        ("n", "1"),
        ("tools", [{"type": "function"}]),
        ("functions", [{}]),
        ("tool_choice", "required"),
        ("logprobs", True),
        ("top_logprobs", 3),
        ("audio", {"voice": "alloy"}),
        ("modalities", ["text", "audio"]),
        ("response_format", {"type": "json_object"}),
    ],
)
def test_values_that_will_not_do_are_named(field: str, value: Any) -> None:
    told = refusal(ask(**{field: value}) if field != "model" else {**ask(), "model": value})
    assert told.param == field
    assert field in told.message


def test_whole_numbers_may_be_written_with_a_point() -> None:
    question = read(b'{"model": "m", "messages": [], "n": 1.0, "max_tokens": 5.0, "seed": 7.0, "temperature": 1}')
    assert (question.max_tokens, question.seed, question.temperature) == (5, 7, 1.0)


@pytest.mark.parametrize("number", ["1e30", "9007199254740993e10", "1" + "0" * 300])
def test_a_number_of_tokens_that_no_server_can_read_is_no_limit(number: str) -> None:
    question = read(f'{{"model": "m", "messages": [], "max_tokens": {number}}}'.encode())
    assert question.max_tokens == 1_000_000


def test_a_missing_model_is_told() -> None:
    told = refusal({"messages": []})
    assert (told.param, told.code) == ("model", "missing_required_parameter")


@pytest.mark.parametrize("kind", ["image_url", "input_audio", "file", "图片"])
def test_parts_that_are_no_text_are_refused_as_such(kind: str) -> None:
    body = ask()
    body["messages"].append({"role": "user", "content": [{"type": "text", "text": "看"}, {"type": kind}]})
    told = refusal(body)
    assert told.code == "unsupported_content"
    assert f"messages.1.content: parts of type {kind!r} are not supported" in told.message


def test_the_harmless_values_of_what_no_bot_can_are_taken() -> None:
    harmless: dict[str, Any] = {"n": 1, "tools": [], "tool_choice": "auto", "logprobs": False, "modalities": ["text"]}
    question = read(ask(**harmless, response_format={"type": "text"}, audio=None))
    assert question.ignored == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe{}",
        b"\x00\x01\x02",
        b'{"model": NaN}',
        b'{"seed": 1e999}',
        b'{"model": "\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b"\xef\xbb\xbf{}",
        "{'model': 'x'}".encode("utf-16"),
        b"null",
        b"[]",
        b'"text"',
    ],
)
def test_what_is_no_json_object_is_told_so(body: bytes) -> None:
    assert refusal(body).code == "invalid_json"


def test_a_body_may_nest_as_deep_as_json_is_read_where_nothing_looks() -> None:
    deep = b"[" * 900 + b"]" * 900
    assert read(b'{"model": "m", "messages": [], "metadata": %s}' % deep).ignored == ("metadata",)
    assert refusal(b'{"model": "m", "messages": %s}' % deep).param == "messages.0"


def test_more_than_the_bounds_allow_is_refused() -> None:
    body = ask("一二三四五六七八九十")
    body["messages"] *= 3
    assert "3 of them; at most 2" in refusal(body, messages=2).message
    assert "more than 29 characters" in refusal(body, characters=29).message
    assert len(read(body, messages=3, characters=30).messages) == 3


def test_nothing_that_was_said_is_repeated_in_an_error() -> None:
    told = refusal({"model": "m", "messages": [{"role": "我想死", "content": "我想死"}]})
    assert "想死" not in told.body.decode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["model", "messages", "stream", "stream_options", "max_tokens", "temperature", "top_p", "stop", "seed", "n", "tools", "response_format"]
)


@given(body=st.dictionaries(FIELDS | st.text(max_size=5), JSON, max_size=6), messages=st.lists(JSON, max_size=3) | JSON)
def test_any_json_is_read_or_refused(body: dict[str, Any], messages: Any) -> None:
    try:
        question = read({"model": "m", "messages": messages} | body)
    except Refusal:
        pass
    else:
        assert 0 <= question.seed < 2**31
        assert all(message.content.strip() for message in question.messages)
