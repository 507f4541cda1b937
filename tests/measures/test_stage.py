from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.measures import cut_stage_directions


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("（沉默）我不知道。", "我不知道。"),
        ("我……（哽咽）说不下去了。", "我……说不下去了。"),
        ("*sighs* I don't know.", "I don't know."),
        ("Well, (long pause) maybe.", "Well, maybe."),
        ("请闭上眼睛。\n（一段时间后）", "请闭上眼睛。"),
        ("好的。（画了一幅画，表现出内心的沉重和抑郁）", "好的。"),
        ("（3 exchanges）", ""),
        ("[nods]【叹气】", ""),
    ],
)
def test_gestures_silences_and_the_tellers_remarks_are_cut(text: str, kept: str) -> None:
    assert cut_stage_directions(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "我父亲（装修公司的）不同意。",
        "他笑了（我没有哭）。",
        "创伤后应激障碍（PTSD）",
        "**我真的很累**",
        "I (her sister) left.",
        "（有时会哭）",
        "没有括号",
        "2*3*4",
    ],
)
def test_asides_stay(text: str) -> None:
    assert cut_stage_directions(text) is text


@given(st.text("（）()*哭笑我a \n", max_size=30))
def test_cutting_again_changes_nothing_that_is_not_nested(text: str) -> None:
    assert len(cut_stage_directions(text)) <= len(text)
