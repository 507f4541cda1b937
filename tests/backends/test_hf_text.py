"""From tokens to speech: characters whole, stops never shown, thoughts kept apart, no blank space at the ends."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.backends.hf_text import Detokenizer, Speech


def decode_bytes(tokens: list[int]) -> str:
    """A tokenizer whose tokens are bytes."""
    return bytes(tokens).decode("utf-8", "replace")


def say(pieces: Sequence[str], stops: Sequence[str] = (), *, thinking: bool = False) -> tuple[list[str], Speech]:
    """Feed pieces one by one; return what was taken after each and at the end."""
    speech = Speech(stops, thinking=thinking)
    taken = []
    for piece in pieces:
        speech.feed(piece)
        taken.append(speech.take())
    return [*taken, speech.take(last=True)], speech


def test_a_character_of_several_tokens_comes_whole() -> None:
    detokenizer = Detokenizer(decode_bytes)
    shown = [detokenizer.push([byte]) for byte in "嗯, ok".encode()]
    assert shown == ["", "", "嗯", ",", " ", "o", "k"]


def test_a_character_that_is_never_finished_is_not_said() -> None:
    detokenizer = Detokenizer(decode_bytes)
    assert detokenizer.push("你好".encode()[:5]) == ""  # held back whole: which of its bytes are the broken ones is not known
    assert detokenizer.flush() == "你"
    assert detokenizer.flush() == ""


@given(st.text(max_size=40))
def test_token_by_token_is_the_same_as_all_at_once(text: str) -> None:
    one, other = Detokenizer(decode_bytes), Detokenizer(decode_bytes)
    tokens = list(text.encode())
    single = "".join(one.push([token]) for token in tokens) + one.flush()
    assert single == other.push(tokens) + other.flush() == text.rstrip("\N{REPLACEMENT CHARACTER}")


def test_the_beginning_of_a_stop_is_held_back_until_it_is_none() -> None:
    taken, speech = say(["我在", "听。\n来", "看看", "。\n来访", "者：谢谢"], ["\n来访者："])
    assert taken == ["我在", "听。", "\n来看看", "。", "", ""]
    assert speech.stopped
    assert speech.said == "我在听。\n来看看。"


def test_of_several_stops_the_first_in_the_text_counts() -> None:
    _, speech = say(["I hear you.END Client: no"], ["Client:", "END", ""])
    assert speech.said == "I hear you."
    speech.feed("more")
    assert speech.take(last=True) == ""


def test_blank_space_is_only_said_between_words() -> None:
    taken, speech = say([" \n", " Tell me", " ", "\n", "more. ", "\n"])
    assert taken == ["", "Tell me", "", "", " \nmore.", "", ""]
    assert speech.said == "Tell me \nmore."


def test_thoughts_are_not_said() -> None:
    taken, speech = say(["<th", "ink>她很", "累</thi", "nk>\n\n你", "好"])
    assert taken == ["", "", "", "你", "好", ""]
    assert (speech.said, speech.reasoning) == ("你好", "她很累")


def test_thoughts_that_the_prompt_has_opened_are_not_said() -> None:
    taken, speech = say(["She is tired", "</think>", "Hello"], thinking=True)
    assert taken == ["", "", "Hello", ""]
    assert speech.reasoning == "She is tired"


def test_thoughts_that_never_end_leave_nothing_to_say() -> None:
    _, speech = say(["<think>", "She is"])
    assert (speech.said, speech.reasoning) == ("", "She is")


def test_what_looks_like_thoughts_but_is_none_is_said_late() -> None:
    taken, _ = say(["<", "b>"])
    assert taken == ["", "<b>", ""]
    assert say(["<thi"])[0] == ["", "<thi"]


def test_of_a_whole_text_all_before_the_last_mark_was_thought() -> None:
    speech = Speech()
    speech.feed("她累了。</think>你好。")
    assert speech.take(last=True) == "你好。"
    assert speech.reasoning == "她累了。"


@given(st.lists(st.sampled_from(["你", "好 ", "\n", "ab", "END", "E", "N", "<think>", "</think>", "<"]), max_size=12), st.booleans())
def test_all_that_is_taken_is_the_reply_and_holds_no_stop(pieces: list[str], thinking: bool) -> None:
    taken, speech = say(pieces, ["END"], thinking=thinking)
    assert "".join(taken) == speech.said == speech.said.strip()
    assert "END" not in speech.said


@pytest.mark.parametrize("stops", [["。", "？"], []])
def test_a_reply_in_one_piece_and_in_many_is_the_same(stops: list[str]) -> None:
    text = "听起来很难。最近还好吗？"
    assert say([text], stops)[1].said == say(list(text), stops)[1].said
