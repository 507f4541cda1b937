from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.measures import says_thanks

THANKS = """
谢谢你|谢谢您的建议，我会考虑|好的，谢谢|非常感谢！|我真的很感谢您|谢谢老师|嗯，谢谢心理咨询师|谢谢了|多谢您|我对您非常感激|我会试试。谢谢你的建议！|我想谢谢您
Thank you.|Thanks!|Okay, thank you so much|I really appreciate it.|I'm grateful for your help|I’m grateful to you|Well, thanks again.
I can’t thank you enough. No, really, thank you
"""
NO_THANKS = """
我很感谢我妈妈|他都没说过谢谢|我跟他说谢谢你|我很感激帮助过我的人|感谢她的付出|我没有激情|他从来不谢谢我|我应该感谢她
Thanks to my mother I finished school.|He never says thank you to me|I appreciate my friends.|Thank God it is over.
I'm grateful to my sister|Thankfully it ended
"""


def cases(table: str) -> list[str]:
    return [text for line in table.strip().splitlines() for text in line.split("|")]


@pytest.mark.parametrize("text", cases(THANKS))
def test_thanks_to_the_counselor_are_heard(text: str) -> None:
    assert says_thanks(text)


@pytest.mark.parametrize("text", cases(NO_THANKS))
def test_thanks_to_others_and_thanks_told_of_are_none(text: str) -> None:
    assert not says_thanks(text)


@given(st.text())
def test_any_text_can_be_asked(text: str) -> None:
    assert says_thanks(text) in {True, False}
