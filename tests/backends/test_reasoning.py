from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.backends.reasoning import Listener, split_reasoning


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


def heard(pieces: Iterable[str], *, unmarked: bool = False) -> tuple[str, str]:
    """What a listener makes of pieces: thought, said."""
    listener = Listener(unmarked=unmarked)
    said = "".join([*map(listener.hear, pieces), listener.end()])
    return listener.thought, said


@pytest.mark.parametrize(
    ("text", "reasoning", "said"),
    [
        ("你好。", "", "你好。"),
        (" \n你好 。\n ", "", "你好 。"),
        ("<think>她很难过。</think>\n\n听起来很难。", "她很难过。", "听起来很难。"),
        ("\n<think>\nshe is sad\n</think>I hear you.", "she is sad", "I hear you."),
        ("<think>\n\n</think>\n\nI hear you.", "", "I hear you."),
        ("<think>she is sad, so I", "she is sad, so I", ""),
        ("<think>she is sad</think> \n", "she is sad", ""),
        ("I said <think> aloud.", "", "I said <think> aloud."),
        ("<thin ice>", "", "<thin ice>"),
        ("<thi", "", "<thi"),
        ("", "", ""),
    ],
)
def test_of_a_growing_text_the_same_is_said(text: str, reasoning: str, said: str) -> None:
    for size in (1, 2, 5, 100):
        assert heard(text[at : at + size] for at in range(0, len(text), size)) == (reasoning, said)


@pytest.mark.parametrize(
    ("text", "reasoning", "said"),
    [
        ("she is sad\n</think>\n\nI hear you.", "she is sad", "I hear you."),
        ("<think>她很难过。</think>听起来很难。", "她很难过。", "听起来很难。"),
        (" I hear you. ", "", "I hear you."),
        ("<think>she is", "she is", ""),
    ],
)
def test_where_the_prompt_opens_the_thoughts_the_closing_mark_is_waited_for(text: str, reasoning: str, said: str) -> None:
    for size in (1, 3, 100):
        assert heard((text[at : at + size] for at in range(0, len(text), size)), unmarked=True) == (reasoning, said)


@given(st.lists(st.sampled_from(["<think>", "</think>", "<", "a", " ", "\n", "你", "\u3000"]), max_size=9))
def test_all_that_was_said_piece_by_piece_is_stripped(pieces: list[str]) -> None:
    _, said = heard(pieces)
    assert said == said.strip()
    assert said == split_reasoning("".join(pieces))[1] or "</think>" in "".join(pieces)
