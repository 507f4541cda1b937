from __future__ import annotations

import pytest

from practicum.core import Language
from practicum.measures import breaks_off, is_closed, wraps_up


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("谢谢您，我知道该怎么做了。", "zh", True),
        ("好的，谢谢您的建议，我会试试的。", "zh", True),
        ("谢谢你的理解，但我还是很难受。", "zh", False),
        ("谢谢你。我真的很害怕面对未来。", "zh", False),
        ("谢谢您，那我们现在就开始吧。", "zh", False),
        ("谢谢。上周三我在公司的走廊里碰见了以前的同事，他从头到尾一句话都没有和我说，转身就走进了会议室。", "zh", False),
        ("我会试试的。", "zh", False),
        ("Thank you so much, I feel much better now.", "en", True),
        ("Thanks, but what should I do at night?", "en", False),
        ("Thank you. I am scared of the dark stairs.", "en", False),
    ],
)
def test_thanks_wrap_up_if_nothing_more_is_to_come(text: str, language: Language, expected: bool) -> None:
    assert wraps_up(text, language) is expected


@pytest.mark.parametrize(
    ("client", "counselor", "counselor_last", "expected"),
    [
        ("好的，再见。", "再见，保重。", True, True),
        ("我还是很难受。", "那我们下周见。", True, True),
        ("好的，我会试试。", "你觉得呢？", True, False),
        ("谢谢您，再见！", "好好休息。", True, True),
        ("谢谢您的建议。", "先从睡眠开始。", True, True),
        ("谢谢您，可是我该怎么办？", "先从睡眠开始。", True, False),
        ("我该怎么办？", "试试散步。希望对你有帮助。", True, True),
        ("嗯，可是我还是会担心。", "试试散步。希望对你有帮助。", False, False),
        ("嗯，知道了。", "试试散步。希望对你有帮助。", False, True),
        ("嗯，知道了。", "相信你可以的。", True, True),
        ("我觉得很绝望。", "相信你可以的。", True, False),
        ("嗯，知道了。", "相信你可以的。", False, False),
        ("嗯，知道了。", "多和朋友联系。", True, False),
    ],
)
def test_the_two_last_turns_close_a_conversation(client: str, counselor: str, counselor_last: bool, expected: bool) -> None:
    assert is_closed(client, counselor, "zh", counselor_last=counselor_last) is expected


def test_english_conversations_close_too() -> None:
    assert is_closed("I'll try it.", "You’re welcome.", "en", counselor_last=True)
    assert is_closed("Okay, I'll try it.", "That's a good plan, I believe in you.", "en", counselor_last=True)
    assert not is_closed("I am so alone.", "I believe in you.", "en", counselor_last=True)


def test_a_turn_breaks_off_without_a_mark_at_its_end() -> None:
    assert breaks_off("听起来你渴望一个充满爱和温暖的")
    assert breaks_off("先试试，")
    assert not any(breaks_off(text) for text in ("好的。", "Bye!", "加油～", "再见(^_-)", "嗯……", "晚安🌙"))
