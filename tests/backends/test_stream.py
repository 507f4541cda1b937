"""Bytes to events, events to what is said."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.backends import TokenChances
from practicum.backends.base import KEPT_CHANCES
from practicum.backends.dialect import MalformedError
from practicum.backends.stream import EventError, EventReader, GrowingAnswer
from tests.backends.scripted_transport import COUNTED, DONE, END, event

WHOLE = "\n\n<think>她 很累</think>\n 听起来很难 😔,\n\nyou carry a lot. \n"
SAID = "听起来很难 😔,\n\nyou carry a lot."


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut bytes at so many places (modulo their length)."""
    at = sorted({0, len(data), *(place % len(data) for place in places)})
    return [data[one:two] for one, two in pairwise(at)]


def read_all(pieces: list[bytes]) -> list[bytes]:
    reader = EventReader()
    return [data for piece in pieces for data in reader.feed(piece)] + reader.end()


PLACES = st.lists(st.integers(0, 10_000), max_size=12)


@given(PLACES)
def test_events_are_the_same_however_they_are_cut_and_whatever_ends_their_lines(places: list[int]) -> None:
    events = b': comment\n\ndata: {"a":"' + "你".encode() + b'"}\n\n\nevent: x\nid: 7\ndata:1\ndata: 2\n\nretry: 3\n\ndata: [DONE]'
    for line_end in (b"\n", b"\r\n", b"\r"):
        found = read_all(cut(events.replace(b"\n", line_end), places))
        assert found == ['{"a":"你"}'.encode(), b"1\n2", b"[DONE]"]


@given(PLACES)
def test_what_is_said_is_the_same_however_its_bytes_are_cut(places: list[int]) -> None:
    growing = GrowingAnswer()
    data = b"".join([*(event(WHOLE[at : at + 3]) for at in range(0, len(WHOLE), 3)), *END])
    said = [growing.feed(piece) for piece in cut(data, places)] + [growing.end()]
    answered = growing.answered()
    assert "".join(said) == answered.text == SAID
    assert (answered.reasoning, answered.finish, answered.request_id, answered.model) == ("她 很累", "stop", "r1", "m-1")
    assert answered.tokens == (10, 3, 8)
    assert growing.done


def test_nothing_is_held_back_but_blank_space() -> None:
    growing = GrowingAnswer()
    assert [growing.feed(event(text)) for text in (" ", "你", "好 ", "\n", "吗", "")] == ["", "你", "好", "", " \n吗", ""]
    assert growing.end() == ""


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_thoughts_that_come_apart_are_kept_and_never_said(name: str) -> None:
    growing = GrowingAnswer()
    said = growing.feed(b"".join(event(delta=delta) for delta in ({"role": "assistant"}, {name: "她很"}, {name: "累"}, {"content": "嗯"})))
    assert (said, growing.end(), growing.answered().reasoning) == ("嗯", "", "她很累")


def test_a_completion_is_read_as_a_chat_is() -> None:
    growing = GrowingAnswer()
    assert growing.feed(event(" 睡不着", raw=True) + event("。\n", finish="stop", raw=True)) == "睡不着。"
    assert (growing.end(), growing.answered().text, growing.answered().finish) == ("", "睡不着。", "stop")


def test_an_answer_without_counts_took_nothing_that_is_known() -> None:
    growing = GrowingAnswer()
    growing.feed(event("好") + event(finish="length"))
    assert (growing.answered().tokens, growing.answered().finish) == ((0, 0, 0), "length")


def test_chances_are_gathered_and_only_the_last_kept() -> None:
    growing = GrowingAnswer()
    for number in range(KEPT_CHANCES + 2):
        place = b'{"token":"%d","logprob":-1}' % number
        growing.feed(b'data: {"choices":[{"delta":{"content":"a"},"logprobs":{"content":[' + place + b"]}}]}\n\n")
    chances = growing.answered().chances
    assert (len(chances), chances[0]) == (KEPT_CHANCES, TokenChances("2", {"2": -1.0}))


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"choices":[{"delta"\n\n',
        b"data: [1]\n\n",
        b'data: {"choices":[{"delta":{"content":["a"]}}]}\n\n',
        b'data: {"choices":[7]}\n\n',
    ],
)
def test_what_is_no_such_event_is_malformed(event: bytes) -> None:
    with pytest.raises(MalformedError):
        GrowingAnswer().feed(event)


def test_counts_that_are_no_numbers_are_malformed() -> None:
    growing = GrowingAnswer()
    growing.feed(event("好") + COUNTED.replace(b"10", b'"many"'))
    with pytest.raises(MalformedError, match="usage"):
        growing.answered()


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (b'{"error":{"message":"too long","code":400}}', 400, "too long"),
        (b'{"error":{"message":"boom","code":"internal"}}', 500, "boom"),
        (b'{"error":{"message":"boom","code":1302}}', 500, "boom"),
        (b'{"object":"error","message":"busy","code":503}', 503, "busy"),
    ],
)
def test_an_error_among_the_events_is_told_as_the_server_says_it(error: bytes, status: int, said: str) -> None:
    with pytest.raises(EventError, match=said) as caught:
        GrowingAnswer().feed(b"data: " + error + b"\n\n")
    assert caught.value.status == status


def test_rubbish_behind_the_end_harms_nothing() -> None:
    growing = GrowingAnswer()
    assert growing.feed(event("好", finish="stop") + DONE + b"data: {") == "好"
    assert growing.end() == ""
    broken = GrowingAnswer()
    assert broken.feed(event("好") + b"data: {") == "好"
    with pytest.raises(MalformedError):
        broken.end()
