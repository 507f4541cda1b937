"""Profiles: their language, their identity."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.core import LANGUAGES, Language, Profile, Source, guess_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("我最近总是失眠", "zh"),
        ("I cannot sleep lately", "en"),
        ("我在 Shenzhen 做 PhD，导师 Prof. Wang 总说我 publish 得太少", "zh"),
        ("My grandmother, 奶奶, raised me until I was twelve", "en"),
        ("中abcd", "zh"),  # one letter in five
        ("中abcde", "en"),
        ("", "en"),
        ("123 …！", "en"),
    ],
)
def test_a_fifth_of_chinese_letters_makes_a_text_chinese(text: str, language: Language) -> None:
    assert guess_language(text) == language


@given(st.text())
def test_every_text_has_one_of_our_languages(text: str) -> None:
    assert guess_language(text) in LANGUAGES


def test_a_bare_story_is_named_by_itself() -> None:
    story = Profile.of("我和室友吵架了")

    assert story.id == story.digest == Profile.of("我和室友吵架了").id
    assert story.language == "zh"
    assert (story.facts, story.source, story.split) == ({}, Source(), None)


def test_a_language_that_is_given_is_not_guessed() -> None:
    assert Profile.of("I cannot sleep", "zh").language == "zh"


def test_a_digest_finds_the_same_story_under_any_id() -> None:
    story = Profile.of("I cannot sleep")

    assert replace(story, id="p-1", split="test", facts={"age": "31"}).digest == story.digest
    assert replace(story, text="I can sleep").digest != story.digest


def test_profiles_do_not_share_their_facts() -> None:
    one, other = Profile.of("one"), Profile.of("other")
    one.facts["age"] = "31"

    assert other.facts == {}
