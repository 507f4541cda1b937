from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.core import Language
from practicum.measures import chinese_characters, english_words, too_long


@pytest.mark.parametrize(("text", "count"), [("", 0), ("我很累。", 3), ("我 3 点 OK", 2), ("hello", 0), ("，。！", 0), ("㐀豈", 2)])
def test_only_chinese_characters_count_as_such(text: str, count: int) -> None:
    assert chinese_characters(text) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("I don't know.", 3), ("I don’t know.", 3), ("well-being at 3.5", 3), ("我 OK", 1), ("naïve café", 2), ("...", 0)],
)
def test_words_are_counted_as_a_reader_would(text: str, count: int) -> None:
    assert english_words(text) == count


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("我" * 200 + "。" * 50, "zh", False),
        ("我" * 201, "zh", True),
        ("word " * 120, "en", False),
        ("word " * 121, "en", True),
        ("word " * 121, "zh", True),  # an English reply in a Chinese session is bounded, too
        ("我" * 121, "en", True),
        ("我" * 120, "en", False),
    ],
)
def test_the_limits_are_the_papers(text: str, language: Language, expected: bool) -> None:
    assert too_long(text, language) is expected


def test_limits_can_be_given() -> None:
    assert too_long("我" * 11, "zh", limit_zh=10)
    assert not too_long("我" * 11, "zh", limit_zh=11)
    assert too_long("a b c", "en", limit_en=2)


@given(st.text(), st.sampled_from(["zh", "en"]), st.integers(1, 50), st.integers(1, 50))
def test_a_text_that_is_not_too_long_stays_so_when_cut(text: str, language: Language, limit_zh: int, limit_en: int) -> None:
    if not too_long(text, language, limit_zh, limit_en):
        assert not too_long(text[: len(text) // 2], language, limit_zh, limit_en)
