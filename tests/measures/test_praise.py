from __future__ import annotations

import pytest

from practicum.core import Language
from practicum.measures import is_empty_praise

ZH = "我考研失败了，和室友吵了一架。"
EN = "My boss moved the deadline and my sister is angry."


@pytest.mark.parametrize(
    ("text", "language", "said"),
    [
        ("你真的太棒了，我为你感到骄傲！", "zh", ZH),
        ("别难过，一切都会过去的。", "zh", ZH),
        ("你超级棒的，我好喜欢你的态度！", "zh", ZH),  # half is stock, and nothing is the client's
        ("考研失败算什么，你真的太棒了，加油，一切都会好的，我永远支持你，你是最棒的！", "zh", ZH),  # hardly anything of its own
        ("Wow, that is wonderful. Keep going, you’ve got this!", "en", EN),
        ("I'm really impressed by how well it went, bravo.", "en", EN),
        ("Terrific! Nothing will hold that spirit down, go for gold.", "en", EN),
    ],
)
def test_a_turn_that_would_fit_anybody_is_empty(text: str, language: Language, said: str) -> None:
    assert is_empty_praise(text, language, said)


@pytest.mark.parametrize(
    ("text", "language", "said"),
    [
        ("", "zh", ZH),
        ("加油。" + "雨落在屋顶上，" * 30, "zh", ZH),
        ("……", "zh", ZH),
        ("你很棒，不过当时发生了什么？", "zh", ZH),
        ("你很棒，考研失败不等于你失败。", "zh", ZH),
        ("那一晚的雨声、门外的脚步和断掉的琴弦混在一起。", "zh", ZH),
        ("加油。" + "那间屋子里的灯一直亮着，他坐在门口抽烟，雨落在铁皮屋顶上，" * 2, "zh", ZH),
        ("加油，" * 40, "zh", ZH),
        ("你很棒，那天屋里的灯，是因为他一直坐着。", "zh", ZH),
        ("加油，那间旧屋子的灯一直亮着，他坐在门口抽烟，雨落在铁皮屋顶上，谁都没有出声，真棒。", "zh", ZH),
        ("那盏灯灭了，加油。", "zh", "那盏灯是外婆留下的，灯灭了。"),
        ("You are amazing. What did your sister say?", "en", EN),
        ("The van stood in the rain behind the quarry all night, bravo.", "en", "The van was blue, the quarry cold."),
    ],
)
def test_a_turn_that_asks_or_has_something_of_its_own_is_not(text: str, language: Language, said: str) -> None:
    assert not is_empty_praise(text, language, said)
