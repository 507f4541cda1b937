from __future__ import annotations

import pytest

from practicum.measures import broken_characters, foreign_share, is_plain_chinese, other_script


@pytest.mark.parametrize("text", ["我\ufffd好", "锟斤拷", "donâ€™t", "好的<|im_end|>", "好&nbsp;的", "\\u4f60好", "a\x00b", "ä½\xa0å¥½"])
def test_broken_characters_are_found(text: str) -> None:
    assert broken_characters(text)
    assert not is_plain_chinese(text)


@pytest.mark.parametrize("text", ["你好，我很累。", "café & bar [a]", "Don’t worry: 3 < 4.", "烫手的山芋"])
def test_whole_text_has_none(text: str) -> None:
    assert broken_characters(text) == ""


def test_other_scripts_are_told_from_faces_and_borrowed_letters() -> None:
    assert other_script("最近ずっと眠れない") == "ずっと"
    assert other_script("요즘 힘들어요") == "요즘"
    assert other_script("Я устала") == "уст"
    for text in ("春の日", "(´･ω･`) 好", "(^Д^*)/", "plain", "普通的话"):
        assert other_script(text) == ""


def test_the_share_of_the_other_language_leaves_out_single_borrowed_words() -> None:
    assert foreign_share("我在用Photoshop做PPT，压力很大", "zh") == 0
    assert foreign_share("I feel so tired and empty", "zh") == pytest.approx(19 / 20)
    assert foreign_share("我feel很tired，因为deadline一个接一个，no time", "zh") > 0.5
    assert foreign_share("I was 委屈 again", "en") == 0
    assert foreign_share("我最近总是睡不着", "en") == 1
    assert is_plain_chinese("我很累，真的……")
    assert not is_plain_chinese("我很tired")
