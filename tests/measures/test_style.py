from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.core import LANGUAGES, Language
from practicum.measures import STYLE_FEATURES, style_features


def feature(name: str, text: str, language: Language = "zh") -> float:
    return dict(zip(STYLE_FEATURES, style_features(text, language), strict=True))[name]


def test_an_empty_reply_has_no_style() -> None:
    assert style_features("", "zh") == (0.0,) * len(STYLE_FEATURES)


@pytest.mark.parametrize(("text", "units"), [("我很累。", 3), ("I don't know.", 3), ("我想说 OK", 4), ("……", 0)])
def test_length_is_the_logarithm_of_characters_and_words(text: str, units: int) -> None:
    assert feature("log_length", text) == pytest.approx(math.log(1 + units))


@pytest.mark.parametrize(
    ("text", "questions", "sentences"),
    [
        ("你好。今天怎么样？", 1, 2),
        ("真的吗？？！为什么?", 2, 2),
        ("嗯……我在听", 0, 2),
        ('It was 3.5 hours. "Really." Why?', 1, 3),
        ("没有标点", 0, 1),
        ("第一行\n第二行", 0, 2),
        ("。。。", 0, 0),
    ],
)
def test_questions_and_sentences_are_counted_as_a_reader_would(text: str, questions: int, sentences: int) -> None:
    assert (feature("questions", text), feature("sentences", text)) == (questions, sentences)


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("1. 深呼吸\n2. 散步\n3. 写日记", 3),
        ("一、休息。二、运动。", 2),
        ("（一）休息（二）运动", 2),
        ("①休息②运动③睡觉", 3),
        ("- rest\n- walk", 2),
        ("• rest • walk", 2),
        ("1、2个月前是2019.的事", 0),  # numbers that enumerate nothing
        ("我说一点：1. 休息", 0),  # one mark makes no list
        ("**休息**很重要，__运动__也是", 2),
        ("## 计划\n休息", 1),
        ("2 * 3 * 4 and a_b_c", 0),
    ],
)
def test_marks_of_lists_and_markdown_are_counted(text: str, marks: int) -> None:
    assert feature("list_marks", text) == marks


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("你可以每天散步，也不妨写日记。", 2),
        ("我建议你可以试试冥想。", 1),  # one piece of advice, three cues
        ("您最好先休息。", 1),
        ("推荐你读一本书，试一试。", 2),
        ("你可以多说一点吗？你可以具体和我说说吗？", 0),
        ("你希望得到什么建议？", 0),
        ("那一定很难受。", 0),
        ("You could take a walk. I’d suggest a diary, and try to sleep.", 3),
        ("I suggest that you try to rest.", 1),
        ("Have you considered yoga? Maybe it might help.", 2),
        ("You could tell me more about it.", 0),
        ("When you try to sleep, what happens?", 0),
        ("It sounds like you are tired.", 0),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_advice_is_counted_in_both_languages(text: str, advice: int, language: Language) -> None:
    assert feature("advice", text, language) == advice


@given(st.text(), st.sampled_from(LANGUAGES))
def test_every_feature_of_any_text_is_a_finite_count(text: str, language: Language) -> None:
    found = style_features(text, language)
    assert len(found) == len(STYLE_FEATURES)
    assert all(math.isfinite(one) and one >= 0 for one in found)


@given(st.text(alphabet="我很累。？！a b.?", max_size=40))
def test_saying_it_twice_on_two_lines_doubles_the_questions_and_sentences(text: str) -> None:
    for name in ("questions", "sentences"):
        assert feature(name, f"{text}\n{text}") == 2 * feature(name, text)
