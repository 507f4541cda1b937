from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.core import Speaker
from practicum.measures import is_stage_direction, speaks_for_other, strip_label
from practicum.measures.labels import cut_other_side


@pytest.mark.parametrize(
    ("text", "speaker"),
    [
        ("来访者：我很累", Speaker.CLIENT),
        ("来访者: 我很累", Speaker.CLIENT),
        ("求助者：来访者：我很累", Speaker.CLIENT),
        ("**来访者：** 我很累", Speaker.CLIENT),
        ("**来访者**：我很累", Speaker.CLIENT),
        ("来访者（低头）：我很累", Speaker.CLIENT),
        ("【来访者】我很累", Speaker.CLIENT),
        ("Client: 我很累", Speaker.CLIENT),
        ("[User]: 我很累", Speaker.CLIENT),
        ("咨询师：我很累", Speaker.COUNSELOR),
        ("心理咨询师：我很累", Speaker.COUNSELOR),
        ("**Counselor:** 我很累", Speaker.COUNSELOR),
        ("Counsellor: 我很累", Speaker.COUNSELOR),
        ("THERAPIST：我很累", Speaker.COUNSELOR),
    ],
)
def test_the_speakers_own_label_is_stripped(text: str, speaker: Speaker) -> None:
    assert strip_label(text, speaker) == "我很累"


@pytest.mark.parametrize(
    "text", ["来访者常常这样", "我是来访者：对吧", "我想说：我很累", "咨询师：你好", "【重要】我很累", "Clients: all of them", "我很累"]
)
def test_a_text_without_the_own_label_in_front_stays_as_it_is(text: str) -> None:
    assert strip_label(text, Speaker.CLIENT) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("我很累。咨询师：为什么呢？", "我很累。"),
        ("我很累\n咨询师：为什么呢？", "我很累"),
        ("我很累。\n\n**Counselor:** why?", "我很累。"),
        ("咨询师：你好", ""),
        ("I am tired. Therapist: Why is that?", "I am tired."),
    ],
)
def test_the_other_sides_words_are_noticed_and_cut(text: str, kept: str) -> None:
    assert speaks_for_other(text, Speaker.CLIENT)
    assert cut_other_side(text, Speaker.CLIENT).strip() == kept


@pytest.mark.parametrize("text", ["我的咨询师：他人很好", "我很累：真的", "来访者：我很累。", "My therapist: she was kind.", "我很累。"])
def test_speaking_of_the_other_side_is_no_speaking_for_it(text: str) -> None:
    assert not speaks_for_other(text, Speaker.CLIENT)
    assert cut_other_side(text, Speaker.CLIENT) == text


@pytest.mark.parametrize("text", ["（沉默）", "(sighs)", "【低头】", "[looks away]", "*叹气*", "（沉默）……（流泪）", "*sighs* (silence)."])
def test_a_reply_all_in_brackets_is_a_stage_direction(text: str) -> None:
    assert is_stage_direction(text)


@pytest.mark.parametrize("text", ["（沉默）我不知道。", "我不知道（笑）", "**我真的很累**", "", "……", "*sighs* I don't know", "（没有闭合"])
def test_speech_is_no_stage_direction(text: str) -> None:
    assert not is_stage_direction(text)


@given(st.text(), st.sampled_from(Speaker))
def test_cutting_and_stripping_only_ever_shorten(text: str, speaker: Speaker) -> None:
    assert text.endswith(strip_label(text, speaker))
    assert text.startswith(cut_other_side(text, speaker))
    assert is_stage_direction(text) in {True, False}
