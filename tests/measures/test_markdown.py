from __future__ import annotations

import pytest

from practicum.measures import is_list, may_list


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("你可以：1. 早睡；2. 散步。", "1."),
        ("试试1、早睡2、散步", "1、"),
        ("首先是**睡眠**。", "**睡眠**"),
        ("## 小结\n你很累。", "## 小"),
        ("（2）在闲暇时，给自己一点惊喜。", "（2）"),
        ("【1】先和自己和好。", "【1】"),
        ("步骤一：停下来。步骤二：深呼吸。", "步骤一"),
        ("Step 1: stop. Step 2: breathe.", "Step 1:"),
        ("a) stop b) breathe", "a)"),
        ("▲工作平淡，▲感情不顺。", "▲工"),
        ("1\ufe0f\u20e3 停 2\ufe0f\u20e3 走", "1\ufe0f\u20e3"),
        ("看这里：[睡眠](https://example.org)", "[睡眠](https:"),
        ("他说：一、停；二、走。", "一、"),
    ],
)
def test_marks_of_lists_and_markdown_are_found(text: str, mark: str) -> None:
    assert may_list(text)
    assert is_list(text) == mark


@pytest.mark.parametrize(
    "text",
    [
        "",
        "首先停一停，其次慢慢说。",
        "第一，早睡；第二，散步。",
        "我3.5岁，2019年上学。",
        "加油(ง•̀_•́)ง",
        "进一步说，有一点难。",
        "I have 2 dogs - really.",
        "他 * 我",
    ],
)
def test_speech_has_no_marks(text: str) -> None:
    assert is_list(text) == ""
