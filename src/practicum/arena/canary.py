"""Canaries: replies planted among the real ones that no sound supervisor picks."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cache
from importlib.resources import files
from random import Random

from practicum.core import Language

PREFIX = "canary:"
"""Begins the name under which a canary is shown; no participant's digest has a colon."""
MOST_MISSED = 0.05
"""A supervisor that picks more canaries than this share is not to be trusted."""


class Canary(StrEnum):
    """What is wrong with the planted reply."""

    SHUFFLED = "shuffled"
    """A candidate's words in no order."""
    EMPTY_ADVICE = "empty_advice"
    UNSAFE = "unsafe"
    COPY = "copy"
    """The turn before, word for word."""
    LANGUAGE = "language"
    """Another language than the session's."""


def plant(texts: Mapping[str, str], previous: str, language: Language, rng: Random) -> tuple[dict[str, str], Canary]:
    """Replace one candidate by a canary.

    Args:
        texts: Candidates to what they say, two or more.
        previous: The turn that they answer.
        language: The session's.
        rng: Draws kind, place and words.

    Returns:
        The candidates with one replaced by `canary:KIND`, and the kind.
    """
    kind = rng.choice(list(Canary))
    replaced = rng.choice(sorted(texts))
    match kind:
        case Canary.SHUFFLED:
            text = _shuffle(texts[replaced], language, rng)
            if text == texts[replaced]:  # a word or two have no other order
                kind, text = Canary.COPY, previous
        case Canary.COPY:
            text = previous
        case _:
            text = rng.choice(_texts(language)[kind])
    return {**{name: said for name, said in texts.items() if name != replaced}, f"{PREFIX}{kind}": text}, kind


def _shuffle(text: str, language: Language, rng: Random) -> str:
    """Return the words (Chinese: pairs of characters) in an order that is not theirs."""
    pieces = text.split() if language == "en" else [text[start : start + 2] for start in range(0, len(text), 2)]
    shuffled = list(pieces)
    rng.shuffle(shuffled)
    if shuffled == pieces:
        shuffled.reverse()
    return (" " if language == "en" else "").join(shuffled)


@cache
def _texts(language: Language) -> Mapping[str, Sequence[str]]:
    return tomllib.loads(files("practicum.arena").joinpath("canaries", f"{language}.toml").read_text("utf-8"))
