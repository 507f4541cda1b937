"""The look of a reply: line breaks, enumerations, paragraphs. Spoken language has none of them."""

from __future__ import annotations

import re

# What str.splitlines splits at, so that these functions and it agree.
_BREAK = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")

# The first mark of a list and the second: an enumeration has both, in this order. 3.5, 19.5岁, 2019. and 1、2个 are neither.
_LISTS = tuple(
    (re.compile(first, re.MULTILINE), re.compile(second, re.MULTILINE))
    for first, second in (
        (r"(?<![\da-zA-Z.])1[.．、)）](?!\d)", r"(?<![\da-zA-Z.])2[.．、)）](?!\d)"),
        (r"(?:^|[\s，。！？；：:])一、(?!二)", r"[\s，。！？；]二、(?!三)"),
        (r"[（(]一[）)]", r"[（(]二[）)]"),
        ("[①⒈❶]", "[②⒉❷]"),
        (r"^\s*[-*–]\s+\S|[•●▪]", r"^\s*[-*–]\s+\S|[•●▪]"),
    )
)
_ANY_FIRST = re.compile("[1①⒈❶•●▪]|一[、）)]|^\\s*[-*–]\\s", re.MULTILINE)


def has_line_break(text: str) -> bool:
    """Tell whether the text has more than one line, or ends in a line break."""
    return _BREAK.search(text) is not None


def has_enumeration(text: str) -> bool:
    """Tell whether at least two marks of one list stand in the text: 1. 2. · 1、2、 · 一、二、 · (1) (2) · ① ② · bullets.

    Words that order (首先…其次, first … then) are spoken language and no marks.
    """
    if not _ANY_FIRST.search(text):
        return False
    for first, second in _LISTS:
        mark = first.search(text)
        if mark and second.search(text, mark.end()):
            return True
    return False


def first_paragraph(text: str) -> str:
    """Return the first line that is not blank, stripped; "" if there is none."""
    return next((line for part in text.splitlines() if (line := part.strip())), "")
