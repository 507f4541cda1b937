"""Turning the table: who is assistant and who is user, lazily, growing at the end only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.core import Message, Speaker, Turn, as_seen_by, as_transcript

LABELS = {Speaker.CLIENT: "来访者：", Speaker.COUNSELOR: "咨询师："}

speakers = st.sampled_from(Speaker)
said = st.lists(st.tuples(speakers, st.text(min_size=1)), max_size=8).map(
    lambda pairs: [Turn(index=index, speaker=speaker, text=text) for index, (speaker, text) in enumerate(pairs)]
)
places = st.none() | st.integers(-12, 12)

GREETING = [
    Turn(index=0, speaker=Speaker.CLIENT, text="你好"),
    Turn(index=1, speaker=Speaker.COUNSELOR, text="你好，想聊些什么？"),
    Turn(index=2, speaker=Speaker.CLIENT, text="我睡不着"),
]


class Unread(Sequence[Turn]):
    """Turns that must not be looked at, only the last one may."""

    def __len__(self) -> int:
        return 100

    def __getitem__(self, index: int | slice) -> Turn:  # type: ignore[override]
        assert index == 99
        return Turn(index=99, speaker=Speaker.COUNSELOR, text="再见")

    def __iter__(self) -> Iterator[Turn]:
        raise AssertionError("a view must not run through the session")


def test_the_counselor_is_the_assistant_of_its_own_chat() -> None:
    assert list(as_seen_by(Speaker.COUNSELOR, GREETING, "counsel")) == [
        ("system", "counsel"),
        ("user", "你好"),
        ("assistant", "你好，想聊些什么？"),
        ("user", "我睡不着"),
    ]


def test_the_client_is_the_assistant_of_its_own_chat() -> None:
    assert list(as_seen_by(Speaker.CLIENT, GREETING, "be a client")) == [
        ("system", "be a client"),
        ("assistant", "你好"),
        ("user", "你好，想聊些什么？"),
        ("assistant", "我睡不着"),
    ]


def test_a_transcript_shows_every_turn_with_its_label_as_the_users() -> None:
    assert list(as_transcript(GREETING[:2], "be a client", LABELS)) == [
        Message("system", "be a client"),
        Message("user", "来访者：你好"),
        Message("user", "咨询师：你好，想聊些什么？"),
    ]


@given(said, speakers)
def test_the_two_sides_see_the_same_words_with_the_table_turned(turns: list[Turn], speaker: Speaker) -> None:
    own, across = (list(as_seen_by(side, turns, ""))[1:] for side in (speaker, speaker.other))

    assert [message.content for message in own] == [message.content for message in across] == [turn.text for turn in turns]
    assert [(mine.role, theirs.role) for mine, theirs in zip(own, across, strict=True)] == [
        ("assistant", "user") if turn.speaker is speaker else ("user", "assistant") for turn in turns
    ]


@given(said, speakers, places, places, st.sampled_from([None, 1, 2, -1, -2]))
def test_a_view_is_sliced_as_a_list_is(turns: list[Turn], speaker: Speaker, start: int | None, stop: int | None, step: int | None) -> None:
    view = as_seen_by(speaker, turns, "system")

    assert view[start:stop:step] == list(view)[start:stop:step]


@given(said, speakers)
def test_negative_indices_count_from_the_end(turns: list[Turn], speaker: Speaker) -> None:
    view = as_seen_by(speaker, turns, "system")

    assert [view[-place] for place in range(1, len(view) + 1)] == list(view)[::-1]


@pytest.mark.parametrize("place", [4, 5, -5, -6, -100])
def test_there_is_nothing_beyond_either_end(place: int) -> None:
    view = as_seen_by(Speaker.CLIENT, GREETING, "system")

    with pytest.raises(IndexError):
        view[place]


@given(said, speakers, st.text(min_size=1))
def test_a_view_grows_with_its_session_and_keeps_its_beginning(turns: list[Turn], speaker: Speaker, text: str) -> None:
    view = as_seen_by(speaker, turns, "system")
    before = list(view)
    turns.append(Turn(index=len(turns), speaker=speaker, text=text))

    assert list(view) == [*before, Message("assistant", text)]


def test_the_last_message_costs_as_little_as_the_first() -> None:
    view = as_seen_by(Speaker.COUNSELOR, Unread(), "system")

    assert len(view) == 101
    assert view[-1] == ("assistant", "再见")
    assert list(islice(view, 1)) == [("system", "system")]
