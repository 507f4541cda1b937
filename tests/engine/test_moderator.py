from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.core import Call, Ending, EndingPolicy, Speaker, Turn, Utterance
from practicum.engine import Moderator, SessionRules
from practicum.errors import BackendError
from tests.engine.scenes import make_turns

SPEECH = st.sampled_from(
    ["你好", "我睡不着。", "我不想活了。", "再见。", "好的，再见！", "Goodbye.", "I want to kill myself.", "嗯", "再见，保重"]
)


def watch(turns: list[Turn], **rules: Any) -> list[Ending | None]:
    """Return the ending after each turn."""
    moderator = Moderator(SessionRules(**rules))
    endings = []
    for turn in turns:
        moderator.observe(turn)
        endings.append(moderator.find_ending())
    return endings


def test_a_session_without_a_turn_is_not_over() -> None:
    assert Moderator(SessionRules(max_exchanges=1)).find_ending() is None


@pytest.mark.parametrize(
    ("client", "counselor"), [("谢谢，那我先走了，再见。", "好，下周见。"), ("I have to go, goodbye.", "Take care, see you next week.")]
)
def test_a_session_closes_once_both_have_said_goodbye(client: str, counselor: str) -> None:
    assert watch(make_turns("你好", "请说", client, "还有什么想说的吗？", "没有了", counselor), min_exchanges=0)[1:] == [
        None,
        None,
        None,
        None,
        Ending.CLOSED,
    ]


def test_one_side_alone_does_not_close_it() -> None:
    assert set(watch(make_turns("你好", "再见。", "等等", "再见。", "我还想说", "再见。"), min_exchanges=0)) == {None}


def test_goodbyes_before_the_minimum_do_not_count() -> None:
    turns = make_turns("再见。", "再见。", "再见。", "再见。", "再见。", "再见。")
    assert watch(turns, min_exchanges=2) == [None, None, None, Ending.CLOSED, Ending.CLOSED, Ending.CLOSED]
    assert watch(turns, min_exchanges=3) == [None, None, None, None, None, Ending.CLOSED]


def test_the_papers_rule_reads_the_counselor_alone_and_knows_no_minimum() -> None:
    paper = {"ending": EndingPolicy.PAPER, "min_exchanges": 9}
    assert watch(make_turns("再见", "祝你生活愉快，再见。"), **paper) == [None, Ending.COUNSELOR_CLOSED]
    assert watch(make_turns("再见", "请说"), **paper) == [None, None]


def test_the_turn_limit_comes_after_the_counselors_last_answer() -> None:
    assert watch(make_turns("你好", "请说", "嗯", "好"), max_exchanges=2) == [None, None, None, Ending.TURN_LIMIT]


def test_a_goodbye_in_the_last_exchange_is_the_reason_not_the_limit() -> None:
    assert watch(make_turns("再见。", "再见。"), max_exchanges=1, min_exchanges=1)[-1] is Ending.CLOSED
    assert watch(make_turns("你好", "再见。"), max_exchanges=1, ending=EndingPolicy.PAPER)[-1] is Ending.COUNSELOR_CLOSED


def accept(moderator: Moderator, text: str, **rest: Any) -> Turn:
    return moderator.accept(2, Speaker.CLIENT, Utterance(text=text, **rest), 5.0)


def test_a_risk_is_labelled_and_ends_nothing_unless_asked() -> None:
    for stop, ending in ((False, None), (True, Ending.SAFETY_STOP)):
        moderator = Moderator(SessionRules(stop_on_risk=stop))
        turn = accept(moderator, "我不想活了。")
        moderator.observe(turn)
        assert turn.state == {"risk": ["suicide"]}
        assert moderator.find_ending() is ending


def test_a_risk_in_the_profile_is_kept_but_stops_nothing() -> None:
    moderator = Moderator(SessionRules(stop_on_risk=True), risks=["abuse"])
    moderator.observe(accept(moderator, "最近睡不好"))
    assert (moderator.risks, moderator.find_ending()) == (frozenset({"abuse"}), None)


def test_risks_accumulate_over_profile_and_turns() -> None:
    moderator = Moderator(SessionRules(), risks=["abuse"])
    for text in ("我不想活了。", "我拿刀划自己的手。", "没什么"):
        moderator.observe(accept(moderator, text))
    assert moderator.risks == {"abuse", "suicide", "self_harm"}


def test_what_the_speaker_knew_stays_beside_the_label() -> None:
    state = {"check": {"faults": ["label"]}}
    call = Call(model="m", finish="stop", prompt_tokens=1, completion_tokens=2, seconds=0.1, seed=3)
    turn = accept(Moderator(SessionRules()), " 我不想活了。\n", state=state, call=call, prompt_tokens=4, completion_tokens=5)
    assert turn == Turn(
        index=2,
        speaker=Speaker.CLIENT,
        text="我不想活了。",
        call=call,
        state={"check": {"faults": ["label"]}, "risk": ["suicide"]},
        prompt_tokens=4,
        completion_tokens=5,
        at=5.0,
    )
    assert state == {"check": {"faults": ["label"]}}


@pytest.mark.parametrize("text", ["", " \n\t", "\u3000"])
def test_empty_speech_is_refused(text: str) -> None:
    with pytest.raises(BackendError, match="the client said nothing at turn 2") as caught:
        accept(Moderator(SessionRules()), text)
    assert caught.value.kind == "empty"


@given(
    st.lists(SPEECH, max_size=14),
    st.builds(
        SessionRules,
        max_exchanges=st.integers(1, 7),
        ending=st.sampled_from(EndingPolicy),
        min_exchanges=st.integers(0, 4),
        stop_on_risk=st.booleans(),
    ),
)
def test_turns_read_back_are_judged_as_they_were_when_they_came(texts: list[str], rules: SessionRules) -> None:
    live, anew = Moderator(rules), Moderator(rules)
    for index, text in enumerate(texts):
        turn = live.accept(index, (Speaker.CLIENT, Speaker.COUNSELOR)[index % 2], Utterance(text=text), 0.0)
        live.observe(turn)
        anew.observe(replace(turn, at=1.0, state=json.loads(json.dumps(dict(turn.state)))))
        assert (anew.find_ending(), anew.risks) == (live.find_ending(), live.risks)
