"""The crisis banner: where help can be had, said before a bot's reply to words that speak of risk."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from practicum.core import LANGUAGES, Language
from practicum.errors import ConfigError

BREAK = "\n\n"
"""Between the banner and the reply."""


@cache
def _banners() -> Mapping[tuple[str, Language], str]:
    data = tomllib.loads(files("practicum.serve").joinpath("crisis.toml").read_text("utf-8"))
    return {
        (country, language): data["text"][language].strip().format(lines="\n".join(f"· {line}" for line in lines[language]))
        for country, lines in data["countries"].items()
        for language in LANGUAGES
    }


def countries() -> tuple[str, ...]:
    """Return the countries whose lines are known: two-letter codes, sorted, then `international`."""
    return tuple(sorted({country for country, _ in _banners()}))


def crisis_text(country: str, language: Language) -> str:
    """Return the banner of a country, in a language, without the break after it.

    Raises:
        ConfigError: The country is not known.
    """
    known = {name.lower(): name for name in countries()}
    if country.lower() not in known:
        raise ConfigError(f"banner.country: {country!r} is not known; known: {', '.join(countries())}")
    return _banners()[known[country.lower()], language]


def without_banner(reply: str) -> str:
    """Return an earlier reply without the banner that it began with, if it did: the bot has not said that."""
    for banner in _banners().values():
        if reply.startswith(banner):
            return reply[len(banner) :].lstrip()
    return reply
