"""A client's profile: their own story, and where it comes from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from practicum.core.keys import text_digest

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")

Split = Literal["train", "dev", "test"]


_CHINESE = re.compile("[\u4e00-\u9fff]")
_LETTER = re.compile(r"[^\W\d_]")


def guess_language(text: str) -> Language:
    """Return "zh" if at least a fifth of the letters are Chinese characters, else "en"."""
    chinese = len(_CHINESE.findall(text))
    return "zh" if chinese and chinese * 5 >= len(_LETTER.findall(text)) else "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a profile comes from."""

    origin: str = ""
    """Corpus, file or author; free text."""
    licence: str = ""
    """SPDX identifier or free text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a simulated client knows about themselves."""

    id: str
    """Unique among profiles: the user's own id, or the digest of the text."""
    text: str
    """The client's own story, free text, never empty."""
    language: Language
    facts: dict[str, str] = field(default_factory=dict)
    """Structured facts (age, occupation, presenting problem …), names to values; may be empty."""
    source: Source = Source()
    split: Split | None = None
    """The split lives here so that a test profile cannot slip into training."""

    @classmethod
    def of(cls, text: str, language: Language | None = None) -> Profile:
        """Make a profile of a bare story: its id is the text's digest, its language is guessed unless given."""
        return cls(id=text_digest(text), text=text, language=language or guess_language(text))

    @property
    def digest(self) -> str:
        """Digest of the story alone, whatever id the user gave it: finds the same client in two files."""
        return text_digest(self.text)
