from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.core import Ending, Profile, Session, Speaker, Turn
from practicum.dataset import Cut, LeftOut, alternate, as_dialogue, reason_against

Make = Callable[..., Session]


def turns_of(speakers: list[Speaker]) -> list[Turn]:
    return [Turn(index=index, speaker=speaker, text=f"{index}") for index, speaker in enumerate(speakers)]


@given(st.lists(st.sampled_from(Speaker)).map(turns_of))
def test_any_turns_alternate_from_client_to_counselor(turns: list[Turn]) -> None:
    kept, cut = alternate(turns)
    assert [turn.speaker for turn in kept] == [Speaker.CLIENT, Speaker.COUNSELOR] * (len(kept) // 2)
    inner = turns[cut.get(Cut.OPENING, 0) : len(turns) - cut.get(Cut.LAST_WORD, 0)]
    assert "\n".join(turn.text for turn in kept) == "\n".join(turn.text for turn in inner)  # only the two ends are lost
    assert len(turns) == len(kept) + sum(cut.values())
    assert all(cut.values())


@given(st.integers(0, 9))
def test_turns_that_alternate_are_left_alone(exchanges: int) -> None:
    turns = turns_of([Speaker.CLIENT, Speaker.COUNSELOR] * exchanges)
    assert alternate(turns) == (turns, {})


@pytest.mark.parametrize(
    ("lines", "kept", "cut"),
    [
        (["c 1", "k 2", "c 3"], ["1", "2"], {Cut.LAST_WORD: 1}),
        (["k 1", "k 2", "c 3", "k 4"], ["3", "4"], {Cut.OPENING: 2}),
        (["c 1", "c 2", "k 3", "k 4", "k 5"], ["1\n2", "3\n4\n5"], {Cut.JOINED: 3}),
        (["c 1"], [], {Cut.LAST_WORD: 1}),
        (["k 1", "c 2", "c 3"], [], {Cut.OPENING: 1, Cut.LAST_WORD: 2}),
        (["k 1"], [], {Cut.OPENING: 1}),
    ],
)
def test_what_does_not_alternate_is_cut_or_joined_and_counted(
    make_session: Make, lines: list[str], kept: list[str], cut: dict[Cut, int]
) -> None:
    turns, counted = alternate(make_session(*lines).turns)
    assert [turn.text for turn in turns] == kept
    assert counted == cut


def test_a_dialogue_is_what_the_counselor_saw(make_session: Make) -> None:
    dialogue = as_dialogue(make_session("c 你好", "k 请说", "c 再见"), "你是咨询师")
    assert list(dialogue.messages) == [("system", "你是咨询师"), ("user", "你好"), ("assistant", "请说")]
    assert dialogue.turns == 2
    assert dialogue.cut == {Cut.LAST_WORD: 1}


def test_an_empty_system_prompt_leaves_no_message(make_session: Make) -> None:
    assert list(as_dialogue(make_session("c 1", "k 2"), "").messages) == [("user", "1"), ("assistant", "2")]


def test_a_good_session_is_taken(make_session: Make) -> None:
    for ending in set(Ending) - {Ending.FAILED}:
        assert reason_against(make_session("c 1", "k 2", ending=ending), include_risk=False) is None


def test_a_session_is_left_out_for_the_first_reason_that_asking_for_risk_would_not_change(make_session: Make) -> None:
    risk = ("suicide",)
    test = Profile(id="t", text="t", language="en", split="test")
    cases = [
        (make_session("c 1", "k 2", ending=None, risk=risk), LeftOut.UNFINISHED),
        (make_session("c 1", "k 2", ending=Ending.FAILED, risk=risk), LeftOut.FAILED),
        (make_session("c 1", risk=risk), LeftOut.NO_EXCHANGE),
        (make_session("k 1", risk=risk), LeftOut.NO_EXCHANGE),
        (make_session("c 1", "k 2", risk=risk, profile=test), LeftOut.TEST_SPLIT),
    ]
    for session, reason in cases:
        assert reason_against(session, include_risk=False) is reason
        assert reason_against(session, include_risk=True) is reason
    flagged = make_session("c 1", "k 2", risk=risk)
    assert reason_against(flagged, include_risk=False) is LeftOut.RISK
    assert reason_against(flagged, include_risk=True) is None
