"""Winding up short of a goodbye: thanks with nothing more to say, and last words."""

from __future__ import annotations

import re
from functools import cache

from practicum.core import Language
from practicum.measures.farewell import says_goodbye
from practicum.measures.length import chinese_characters, english_words
from practicum.measures.phrases import instrument, phrases_of, plain
from practicum.measures.thanks import says_thanks

_CLAUSE = {"zh": re.compile("[，。！？；,.!?;~～…\\s]+"), "en": re.compile("[.!?;…\n]+")}
_STOPPED = re.compile("[。！？!?.…~～”’\"'）)】\\]》」;；*^_哈ง\u2600-\u27bf\U0001f000-\U0010ffff]\\s*$")
_ASKS = re.compile(r"[?？][”\"’)）\s]*$")


@cache
def _rule(language: Language, key: str) -> re.Pattern[str]:
    return re.compile(instrument("closing")[language][key])


def wraps_up(text: str, language: Language) -> bool:
    """Tell whether a client thanks and has nothing more to say: no question, no "but", nothing new beyond what they will do now."""
    if not says_thanks(text):
        return False
    if language == "en":
        text = plain(text)
    if _rule(language, "turn").search(text):
        return False
    more = [clause for clause in _CLAUSE[language].split(text) if not _rule(language, "settled").search(clause)]
    size = sum(english_words(clause) if language == "en" else chinese_characters(clause) for clause in more)
    most: int = instrument("closing")[language]["more"]
    return size <= most and not any(_rule(language, "open").search(clause) for clause in more)


def is_open(text: str, language: Language) -> bool:
    """Tell whether a client's turn leaves a question or a complaint that waits for an answer."""
    text = plain(text) if language == "en" else text
    return any(
        _rule(language, "open").search(clause) and not _rule(language, "settled").search(clause) for clause in _sentences(text, language)
    )


def _sentences(text: str, language: Language) -> list[str]:
    return re.findall(r"[^。！？!?\n]+[。！？!?]*" if language == "zh" else r"[^.!?\n]+[.!?]*", text)


def is_closed(client: str, counselor: str, language: Language, *, counselor_last: bool) -> bool:
    """Tell whether the two last turns end a conversation: a goodbye, thanks, a wish, or a summing up that leaves nothing open.

    Args:
        client: The client's last turn.
        counselor: The counselor's last turn.
        language: The conversation's.
        counselor_last: Who has the last word.
    """
    last = counselor if counselor_last else client
    if says_goodbye(last):
        return True
    if _ASKS.search(last):
        return False
    read = plain(counselor) if language == "en" else counselor
    if says_goodbye(client if counselor_last else counselor) or (says_thanks(client) and not _rule(language, "turn").search(client)):
        return True
    waits = is_open(client, language)
    if phrases_of("closing", language, "strong").search(read):
        return counselor_last or not waits
    return counselor_last and not waits and phrases_of("closing", language, "weak").search(read) is not None


def breaks_off(text: str) -> bool:
    """Tell whether a text stops without a mark that ends a sentence: in the midst of it, or at a comma."""
    return not _STOPPED.search(text)
