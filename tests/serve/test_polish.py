from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from practicum.core import Speaker
from practicum.measures import first_paragraph, strip_label
from practicum.serve.polish import _NAMES, LONGEST, Polish, polish


@dataclass(frozen=True)
class Wishes:
    """What a bot says of its replies."""

    strip_label: bool = True
    first_paragraph: bool = True
    own_labels: Sequence[str] = ()


ALL = Wishes(own_labels=("小天：", "[Robin]"))
LABEL = Wishes(first_paragraph=False)
FIRST = Wishes(strip_label=False)


def fed(bot: Wishes, pieces: Sequence[str]) -> list[str]:
    """What comes out, a piece at a time, the end last."""
    one = Polish(bot)
    return [*(one.feed(piece) for piece in pieces), one.end()]


@pytest.mark.parametrize(
    ("bot", "reply", "said"),
    [
        (ALL, "咨询师：你好", "你好"),
        (ALL, "  心理咨询师: \n你好  ", "你好"),
        (ALL, "**小天：** 你好\n\n再见", "你好"),
        (ALL, "[Robin] Counselor: Hello", "Hello"),
        (ALL, "咨询师（轻声）：咨询师：嗯", "嗯"),
        (ALL, "【咨询师】嗯", "嗯"),
        (ALL, "咨询师说过的话", "咨询师说过的话"),
        (ALL, "小天是谁？", "小天是谁？"),
        (ALL, "来访者：你好", "来访者：你好"),
        (ALL, "Therapists often ask that.", "Therapists often ask that."),
        (ALL, "\n\nFirst.\r\nSecond.", "First."),
        (ALL, "咨询师：\n\n", ""),
        (ALL, "小天：[Robin]", ""),
        (LABEL, "Assistant: one\n\ntwo\n", "one\n\ntwo"),
        (FIRST, "\u3000咨询师：一\n二", "咨询师：一"),
        (FIRST, " \n\t ", ""),
        (ALL, "", ""),
    ],
)
def test_a_reply_loses_its_label_and_what_follows_the_first_paragraph(bot: Wishes, reply: str, said: str) -> None:
    assert polish(bot, reply) == said
    assert "".join(fed(bot, list(reply))) == said


PARTS = st.sampled_from(
    [
        *("咨询师", "心理", "小天", "Counselor", "assist", "ant", "[Robin]", "【", "】", "[", "]"),
        *("（轻声", "）", "：", ":", " ", "\n", "*", "#", "_"),
        *("你好", "Hello there", "\u3000", "\r\n", "\u2028", "C", "Th", "erapist", "来访者：", ".", "   ", "x" * 30),
    ]
)


@example(["x", "\n"], 0, ALL)
@example(["咨询师：", "*" * LONGEST, "咨询师：", "你好"], 3, ALL)
@given(st.lists(PARTS, max_size=12), st.integers(0, 2**32), st.sampled_from([ALL, LABEL, FIRST]))
def test_any_split_of_a_reply_is_polished_like_the_whole(parts: list[str], seed: int, bot: Wishes) -> None:
    reply = "".join(parts)
    chance = random.Random(seed)
    cuts = sorted(chance.sample(range(len(reply) + 1), k=min(len(reply) + 1, chance.randint(0, 6))))
    pieces = [reply[start:end] for start, end in zip([0, *cuts], [*cuts, len(reply)], strict=True)]
    said = "".join(fed(bot, pieces))
    assert said == polish(bot, reply) == said.strip()
    assert "".join(fed(bot, list(reply))) == said


@given(st.lists(PARTS, max_size=8).map("".join).filter(lambda reply: len(reply) < LONGEST))
def test_a_whole_reply_is_polished_by_the_rules_of_the_reply_check(reply: str) -> None:
    assert polish(FIRST, reply) == first_paragraph(reply)
    rest, before = reply.strip(), None
    while rest != before:
        before, rest = rest, strip_label(rest, Speaker.COUNSELOR)
    assert polish(LABEL, reply) == rest.strip()


def test_the_first_word_is_held_back_only_while_it_may_be_a_label() -> None:
    assert fed(ALL, ["你", "好"]) == ["你", "好", ""]
    assert fed(ALL, ["心", "里", "呢"]) == ["", "心里", "呢", ""]
    assert fed(ALL, ["Co", "uld", " you"]) == ["", "Could", " you", ""]
    assert fed(ALL, ["咨询师", "：", "你"]) == ["", "", "你", ""]
    assert fed(ALL, ["心理"]) == ["", "心理"]


def test_a_blank_waits_for_the_word_after_it() -> None:
    assert fed(LABEL, ["That ", "is", " \n", "\n", "so. "]) == ["That", " is", "", "", " \n\nso.", ""]


def test_nothing_is_said_once_the_first_paragraph_is_over() -> None:
    one = Polish(FIRST)
    heard = [(one.feed(piece), one.done) for piece in ("一句", "话。 \n第二", "段")]
    assert heard == [("一句", False), ("话。", True), ("", True)]
    assert one.end() == ""


def test_a_reply_that_never_gets_to_the_point_is_not_held_back_for_ever() -> None:
    pieces = ["咨询师：", "*" * LONGEST, "*你好"]
    assert "".join(fed(LABEL, pieces)).endswith("*你好")
    assert fed(LABEL, ["咨询师：" * 24, "咨询师：好"])[1] == "咨询师：好"


def test_every_name_of_a_counselor_that_is_stripped_is_known_here() -> None:
    for name in _NAMES:
        assert strip_label(f"{name}：好", Speaker.COUNSELOR) == "好"
        for cut in range(1, len(name)):
            assert fed(LABEL, [name[:cut], f"{name[cut:]}：好"]) == ["", "好", ""]
    for written in ("咨询师", "心理咨询师", "治疗师", "心理治疗师", "心理医生", "心理辅导师", "咨询员", "助手"):
        assert written in _NAMES
