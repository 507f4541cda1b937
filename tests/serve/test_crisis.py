"""The banner: natural words, numbers that are right, and nothing left of it when it comes back."""

from __future__ import annotations

import pytest

from practicum.core import LANGUAGES, guess_language
from practicum.errors import ConfigError
from practicum.serve.crisis import BREAK, countries, crisis_text, without_banner

NUMBERS = {
    "AU": ("13 11 14", "000"),
    "CA": ("988", "911"),
    "CN": ("12356", "110", "120"),
    "DE": ("116 123", "112"),
    "GB": ("116 123", "999"),
    "HK": ("18111", "999"),
    "IE": ("116 123", "112"),
    "NZ": ("1737", "111"),
    "SG": ("1767", "995"),
    "TW": ("1925", "110", "119"),
    "US": ("988", "911"),
    "international": ("findahelpline.com",),
}


def test_every_country_names_its_numbers_in_both_languages() -> None:
    assert countries() == tuple(NUMBERS)
    for country, numbers in NUMBERS.items():
        for language in LANGUAGES:
            text = crisis_text(country, language)
            assert all(number in text for number in numbers)
            assert guess_language(text) == language
            assert len(text) < 700
            assert "{" not in text


def test_a_country_is_found_in_any_case_and_an_unknown_one_is_refused() -> None:
    assert crisis_text("gb", "en") == crisis_text("GB", "en")
    with pytest.raises(ConfigError, match="'FR' is not known; known: AU, CA, CN"):
        crisis_text("FR", "en")


@pytest.mark.parametrize("country", countries())
def test_a_banner_is_taken_off_an_earlier_reply(country: str) -> None:
    for language, reply in (("zh", "我在听。"), ("en", "I am listening.")):
        banner = crisis_text(country, language)  # type: ignore[arg-type]
        assert without_banner(banner + BREAK + reply) == reply
        assert without_banner(banner) == ""
        assert without_banner(reply) == reply
        assert without_banner(f"> {banner}") == f"> {banner}"  # only at the beginning
