"""Figure 25 in small: what is planted is planted, and what is clean has nothing of it."""

from __future__ import annotations

import random

import pytest

from benchmarks.planted_faults import TRIALS, WRITTEN, alarms, draw, make, paraphrase, try_check
from benchmarks.table import Verdict
from practicum.core import Speaker
from practicum.dataset.checks import Check
from practicum.dataset.conversation import Conversation, Line


@pytest.fixture(scope="module")
def corpora() -> list[Conversation]:
    """Six made-up dialogues in Chinese: the shared ones need not be here."""
    client = [
        "我最近总是{}，白天没有精神，晚上一躺下就想起{}的事。",
        "大概从{}那个月开始的，谁也没有告诉。",
        "上周三{}又来了一次，我在走廊里站了很久。",
    ]
    counselor = ["您提到{}，那时候身边有谁在？", "站在走廊里的时候，心里最先冒出来的念头是什么？", "要是{}再来一次，您希望自己怎么做呢？"]
    things = ["失眠", "考试", "搬家", "分手", "辞职", "吵架"]
    made = []
    for number, thing in enumerate(things):
        lines = []
        for turn in range(6):
            lines.append(Line(Speaker.CLIENT, f"{things[(turn + number) % 6]}以后，" + client[turn % 3].format(thing, thing)))
            lines.append(Line(Speaker.COUNSELOR, f"关于{things[(turn + number + 1) % 6]}，" + counselor[turn % 3].format(thing)))
        made.append(Conversation(id=str(number), source="made", licence="", language="zh", lines=tuple(lines), group=str(number)))
    return made


@pytest.mark.parametrize("check", [check for check in Check if check is not Check.COPIED])
def test_planting_changes_a_conversation_and_is_the_same_every_time(check: Check, corpora: list[Conversation]) -> None:
    faulty, whole = make(check, corpora, 10, 8)
    assert [one.conversation for one in faulty] == [one.conversation for one in make(check, corpora, 10, 8)[0]]
    assert {one.way[:2] for one in faulty} == {"zh", "en"}
    assert not {one.conversation.lines for one in faulty} & {one.conversation.lines for one in whole} or check is Check.LEAK
    assert all(one.conversation.profile for one in whole) is TRIALS[check].profile


def test_a_paraphrase_keeps_the_words_and_loses_the_order() -> None:
    lines = [Line(Speaker.CLIENT, "我在一家很远的小工厂里做了整整十二年的夜班会计工作")]
    told = paraphrase(lines, "zh", random.Random(1))
    assert sorted(told.replace("，", "").replace("。", "")) == sorted(lines[0].text)
    assert lines[0].text not in told


def test_a_row_says_what_was_missed_and_what_was_not_there(corpora: list[Conversation]) -> None:
    row = try_check(Check.LISTS, corpora, 10, 8)
    assert (row.ours, row.verdict) == ("10 of 10 · 0 of 8", Verdict.REACHED)
    assert row.detail["missed"] == row.detail["alarms"] == []


def test_alarms_are_drawn_alike_and_unread_ones_are_named(corpora: list[Conversation]) -> None:
    assert draw({str(number): "" for number in range(50)}) == draw({str(number): "" for number in reversed(range(50))})
    rows = alarms(corpora)
    assert len(rows) == len(Check) - 2
    assert all("0 of 0" in row.ours for row in rows)


def test_every_list_of_phrases_is_there_in_both_languages() -> None:
    for section in ("ai_self", "praise", "risk"):
        assert WRITTEN[section]["zh"]
        assert WRITTEN[section]["en"]
