"""Sessions: their key, and what a voice sees of one while it runs."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace

import pytest

from practicum.core import Profile, Session, SessionView, Speaker, Turn, session_key

STORY = Profile.of("我最近总是失眠")


def turn(index: int) -> Turn:
    """The client speaks at even places, the counselor at odd ones."""
    return Turn(index=index, speaker=Speaker.COUNSELOR if index % 2 else Speaker.CLIENT, text=f"turn {index}")


def test_the_same_facts_give_the_same_key() -> None:
    assert session_key(identity="a", profile=STORY, number=1) == session_key(identity="a", profile=replace(STORY), number=1)


def test_all_that_determines_a_session_changes_its_key() -> None:
    keys = {
        session_key(identity="a", profile=STORY, number=1),
        session_key(identity="b", profile=STORY, number=1),
        session_key(identity="a", profile=replace(STORY, id="p-1"), number=1),
        session_key(identity="a", profile=replace(STORY, text="我睡得很好"), number=1),
        session_key(identity="a", profile=STORY, number=2),
    }

    assert len(keys) == 5


def test_where_a_profile_comes_from_does_not_change_the_key() -> None:
    assert session_key(identity="a", profile=replace(STORY, split="train"), number=1) == session_key(identity="a", profile=STORY, number=1)


def test_a_view_follows_its_session() -> None:
    turns = [turn(0)]
    view = SessionView(key="k", language="zh", run_seed=1, turns=turns)

    assert view.next_index == 1
    turns.append(turn(1))
    assert view.next_index == 2


def test_a_view_has_no_way_to_the_profile() -> None:
    assert [field.name for field in fields(SessionView)] == ["key", "language", "run_seed", "turns"]


@pytest.mark.parametrize(("length", "exchanges"), [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2)])
def test_a_client_turn_and_its_answer_are_one_exchange(length: int, exchanges: int) -> None:
    assert session(length).exchanges == exchanges


def test_a_session_cannot_be_rewritten() -> None:
    with pytest.raises(FrozenInstanceError):
        session(2).turns = ()  # type: ignore[misc]


def session(length: int) -> Session:
    """A session of so many turns."""
    turns = tuple(turn(index) for index in range(length))
    return Session(key="k", run="r", profile=STORY, case="c", number=1, client="a", counselor="b", seed=0, turns=turns)
