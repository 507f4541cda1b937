from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.backends.reasoning import split_reasoning


@pytest.mark.parametrize(
    ("text", "reasoning", "said"),
    [
        ("你好。", "", "你好。"),
        ("<think>她很难过。</think>\n\n听起来很难。", "她很难过。", "听起来很难。"),
        ("\n<think>\nshe is sad\n</think>I hear you.", "she is sad", "I hear you."),
        ("she is sad\n</think>\n\nI hear you.", "she is sad", "I hear you."),
        ("<think>\n\n</think>\n\nI hear you.", "", "I hear you."),
        ("<think>she is sad, so I", "she is sad, so I", ""),
        ("<think>a</think>b</think> I hear you.", "a</think>b", "I hear you."),
        ("I said <think> aloud.", "", "I said <think> aloud."),
        ("<think>she is sad</think>", "she is sad", ""),
        ("", "", ""),
    ],
)
def test_reasoning_is_what_stands_before_the_closing_mark(text: str, reasoning: str, said: str) -> None:
    assert split_reasoning(text) == (reasoning, said)


@given(st.text(), st.text())
def test_what_is_said_never_holds_a_closed_thought(thought: str, said: str) -> None:
    assert split_reasoning(f"<think>{thought}</think>{said}")[1] == said.rpartition("</think>")[2].strip()
