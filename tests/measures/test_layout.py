from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.measures import first_paragraph, has_enumeration, has_line_break

Dialogue = list[tuple[str, str]]


@pytest.mark.parametrize(
    "text",
    [
        "你可以：1. 深呼吸 2. 散步",
        "试试1、深呼吸；2、散步。",
        "1) breathe, 2) walk",
        "建议如下：一、深呼吸。二、散步。",
        "（1）深呼吸（2）散步",
        "(一)深呼吸(二)散步",
        "①深呼吸②散步",
        "- 深呼吸\n- 散步",
        "* breathe\n* walk",
        "• 深呼吸 • 散步",
        "1.深呼吸\n2.散步",
    ],
)
def test_two_marks_of_a_list_are_an_enumeration(text: str) -> None:
    assert has_enumeration(text)


@pytest.mark.parametrize(
    "text",
    [
        "我3.5分，他2.5分",
        "我19.5岁，她12.5岁",
        "那是2011. 后来是2012. 都一样",
        "有1、2个朋友",
        "一、二年级的时候",
        "首先深呼吸，其次散步",
        "1. 深呼吸",
        "I was 21. He was 22.",
        "- 只有一条",
        "first breathe, then walk",
        "2. 散步 1. 深呼吸",
        "well-being and self-care - both",
        "",
    ],
)
def test_numbers_and_ordering_words_are_none(text: str) -> None:
    assert not has_enumeration(text)


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\u2028b", "a\n"])
def test_line_breaks_of_every_kind_are_seen(text: str) -> None:
    assert has_line_break(text)


@pytest.mark.parametrize(("text", "first"), [("a\nb", "a"), ("\n \n a \nb", "a"), ("", ""), (" \n ", ""), ("a", "a")])
def test_the_first_paragraph_is_the_first_line_with_anything_on_it(text: str, first: str) -> None:
    assert first_paragraph(text) == first


@given(st.text())
def test_a_first_paragraph_is_one_stripped_line(text: str) -> None:
    first = first_paragraph(text)
    assert not has_line_break(first)
    assert first == first.strip()
    assert first in text
    assert bool(first) == bool(text.strip())


def test_clients_hardly_ever_enumerate(dialogues: list[Dialogue]) -> None:
    turns = [text for dialogue in dialogues for speaker, text in dialogue if speaker == "client"]
    assert sum(map(has_enumeration, turns)) <= len(turns) * 0.001
