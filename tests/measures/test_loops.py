from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.core import Language
from practicum.measures import count_repeats, find_loop, may_loop

LONG = "我最近总是睡不好，白天也没有精神上班。"


@pytest.mark.parametrize(
    ("turns", "language", "count"),
    [
        ([LONG, "嗯，我再想想。", LONG], "zh", 1),
        ([LONG, LONG.replace("，", "！"), f"嗯，{LONG}"], "zh", 2),
        (["好的，谢谢您。", "好的，谢谢您。"], "zh", 0),  # too short to count
        ([LONG, "我最近总是睡不好，昨天却一觉到天亮，梦见了外婆家的院子。"], "zh", 0),
        (["I cannot sleep at all. My boss calls every night.", "Yes. I cannot sleep at all! My boss calls every night."], "en", 1),
        (["I see.", "I see."], "en", 0),
        ([], "en", 0),
    ],
)
def test_a_repeat_says_four_fifths_of_itself_again(turns: list[str], language: Language, count: int) -> None:
    repeats, first = count_repeats(turns, language)
    assert repeats == count
    assert bool(first) is bool(count)


@pytest.mark.parametrize(
    ("text", "language", "run"),
    [
        ("我真的不知道怎么办，" * 4, "zh", "我真的不知道"),
        ("我真的不知道怎么办，" * 3, "zh", ""),
        ("一二三四五六七八九十，春夏秋冬东南西北上下左右。", "zh", ""),
        ("哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈", "zh", ""),  # four runs overlap, but do not fit
        ("123456。" * 6, "zh", ""),
        ("短", "zh", ""),
        ("I do not know what to say. " * 4, "en", "i do not know what to"),
        ("1 2 3 4 5 6 " * 4, "en", ""),
        ("I do not know what to say. " * 3, "en", ""),
        ("one two three " * 3, "en", ""),
        ("a b c d e f g h i j k l m n o p q r s t u v w x y z", "en", ""),
        ("we went home and we went home then and now we went home again so we went home", "en", ""),
        ("go " * 30, "en", "go go go go go go"),
    ],
)
def test_a_loop_is_a_run_that_stands_four_times_without_overlap(text: str, language: Language, run: str) -> None:
    assert find_loop(text, language, 6, 4) == run


@given(st.text("ab，", max_size=60), st.integers(2, 6), st.integers(2, 4))
def test_the_quick_look_misses_no_run(text: str, size: int, times: int) -> None:
    runs = [text[start : start + size] for start in range(len(text) - size + 1)]
    assert may_loop(text, size, times) is any(runs.count(run) >= times for run in runs)
