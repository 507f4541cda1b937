from __future__ import annotations

import pytest

from practicum.core import Speaker
from practicum.measures import copied_share, untold_words
from practicum.measures.common_words import shares_words

C, K = Speaker.CLIENT, Speaker.COUNSELOR
STORY = "父亲三年前得肝癌走了，留下外债。我养的橘猫被货车压死，埋在桂花树下。最近总是睡不着。"


def test_a_counselor_who_speaks_of_the_profile_before_the_client_does_is_noticed() -> None:
    turns = [(C, "我最近睡不着。"), (K, "橘猫被货车压到那天，你去看过桂花树吗？"), (C, "橘猫走了。"), (K, "橘猫走了以后呢？")]
    assert list(untold_words(turns, STORY, "zh")) == [(1, ["橘猫", "货车压", "桂花树"])]
    assert [index for index, _ in untold_words(turns, STORY, "zh")] == [1]


@pytest.mark.parametrize("told", ["我的橘猫被货车压死了，埋在桂花树下。", "我睡不着。"])
def test_what_was_told_and_common_words_are_no_leak(told: str) -> None:
    turns = [(C, told), (K, "您的睡眠怎么样？家人朋友呢？情绪和压力呢？" + (told if "橘" in told else ""))]
    assert list(untold_words(turns, STORY, "zh")) == []


def test_a_word_whose_characters_were_said_apart_is_too_near_to_be_news() -> None:
    turns = [(C, "那只橘色的小猫走了。"), (K, "橘猫走了以后呢？")]
    assert list(untold_words(turns, STORY, "zh")) == []
    assert list(untold_words(turns[1:], STORY, "zh")) == [(0, ["橘猫"])]


def test_english_words_are_told_apart_by_their_beginnings() -> None:
    story = "My brother drowned in the quarry and we sold the tractor after the marriage."
    turns = [(C, "I was married once."), (K, "I think of the quarry, the tractors and your marriage."), (K, "How is your sleep?")]
    assert list(untold_words(turns, story, "en")) == [(1, ["quarry", "tractors"])]


def test_long_stretches_are_several_words() -> None:
    assert list(untold_words([(K, "装修公司呢？")], "他爸开装修公司", "zh")) == [(0, ["装修", "公司"])]


def test_the_share_that_is_copied_counts_eight_grams() -> None:
    share, longest = copied_share(["我养的橘猫，被货车压死。", "嗯。", "昨天和同事吵了一架，很生气。"], STORY, "zh")
    assert longest == "我养的橘猫被货车压死"
    assert share == pytest.approx(3 / 8)
    assert copied_share(["嗯。"], STORY, "zh") == (0.0, "")
    english = "I have been afraid of the dark stairs since I was six years old"
    assert copied_share([english.upper() + "!"], english + ".", "en") == (1.0, english.lower())
    assert copied_share(["Nothing of all this has ever been written down anywhere"], english, "en") == (0.0, "")


def test_telling_words_are_shared_or_not() -> None:
    assert shares_words("那只橘猫呢", "橘猫死了", "zh")
    assert not shares_words("你很努力", "我很努力", "zh")
    assert shares_words("The tractor?", "we sold tractors", "en")
