from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.measures import normal_form, repeats_earlier


@pytest.mark.parametrize(
    ("text", "earlier", "expected"),
    [
        ("我最近总是睡不好。", "我最近，总是睡不好……", True),
        ("I can't sleep at all!", "i can’t sleep at all", True),
        ("我最近总是睡不好。", "我最近总是睡得不好。", False),
        ("嗯。", "嗯", False),
        ("你好。", "你好", True),
        ("Yes.", "yes", False),
        ("Yes, I do.", "yes i do", True),
    ],
)
def test_a_repeat_differs_in_punctuation_space_and_case_only(text: str, earlier: str, expected: bool) -> None:
    assert repeats_earlier(text, {normal_form(earlier)}) is expected


@given(st.text())
def test_the_normal_form_is_stable(text: str) -> None:
    form = normal_form(text)
    assert normal_form(form) == form
    assert normal_form(f" {text}。") == form
    assert not repeats_earlier(text, set())
