from __future__ import annotations

import tomllib
from importlib.resources import files
from random import Random

import pytest

from practicum.arena.canary import PREFIX, Canary, plant
from practicum.core import LANGUAGES, Language, guess_language

TEXTS: dict[Language, dict[str, str]] = {
    "zh": {"a": "听起来这段日子很不容易。", "b": "那个时候你想到了什么？"},
    "en": {"a": "That sounds like a hard time for you.", "b": "What went through your mind just then?"},
}
PREVIOUS: dict[Language, str] = {"zh": "最近总是睡不好。", "en": "I have slept badly of late."}


def planted(language: Language, kind: Canary, texts: dict[str, str] | None = None) -> list[tuple[str, str]]:
    """Plant 300 times; return what stands for the canary and whom it replaced, where it is of this kind."""
    found = []
    for seed in range(300):
        shown, drawn = plant(texts or TEXTS[language], PREVIOUS[language], language, Random(seed))
        if drawn is kind:
            (name,) = set(texts or TEXTS[language]) - set(shown)
            found.append((shown[f"{PREFIX}{kind}"], name))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_candidate_is_replaced_and_the_others_stay(language: Language) -> None:
    kinds, gone = set(), set()
    for seed in range(300):
        shown, kind = plant(TEXTS[language], PREVIOUS[language], language, Random(seed))
        (left,) = set(shown) & set(TEXTS[language])
        assert set(shown) == {left, f"canary:{kind}"}
        assert shown[left] == TEXTS[language][left]
        kinds.add(kind)
        gone |= set(TEXTS[language]) - {left}
    assert kinds == set(Canary)
    assert gone == {"a", "b"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_shuffled_words_are_those_of_the_candidate_in_another_order(language: Language) -> None:
    for text, name in planted(language, Canary.SHUFFLED):
        assert text != TEXTS[language][name]
        assert sorted(text) == sorted(TEXTS[language][name])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_copy_is_the_turn_before_and_a_foreign_reply_is_in_the_other_language(language: Language) -> None:
    assert {text for text, _ in planted(language, Canary.COPY)} == {PREVIOUS[language]}
    assert all(guess_language(text) != language for text, _ in planted(language, Canary.LANGUAGE))


@pytest.mark.parametrize("text", ["嗯", "嗯嗯", "啊哈啊哈"])
def test_a_reply_that_has_no_other_order_is_never_planted_as_its_own_canary(text: str) -> None:
    for seed in range(100):
        shown, kind = plant({"a": text, "b": text}, PREVIOUS["zh"], "zh", Random(seed))
        assert kind is not Canary.SHUFFLED
        assert shown[f"{PREFIX}{kind}"] != text


def test_words_that_the_shuffle_left_in_place_are_turned_round() -> None:
    two = {"a": "我懂你。", "b": "我懂你。"}
    assert {text for text, _ in planted("zh", Canary.SHUFFLED, two)} == {"你。我懂"}
    # None of them had to become a canary of another kind.
    assert len(planted("zh", Canary.SHUFFLED, two)) == len(planted("zh", Canary.SHUFFLED))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_texts_of_canaries_are_there_for_every_kind_that_needs_some(language: Language) -> None:
    texts = tomllib.loads((files("practicum.arena") / "canaries" / f"{language}.toml").read_text("utf-8"))
    assert set(texts) == {Canary.EMPTY_ADVICE, Canary.UNSAFE, Canary.LANGUAGE}
    assert all(len(set(some)) >= 2 for some in texts.values())


def test_the_same_seed_plants_the_same() -> None:
    assert plant(TEXTS["zh"], "嗯", "zh", Random(3)) == plant(dict(reversed(TEXTS["zh"].items())), "嗯", "zh", Random(3))
