"""Long names made short, so that they can still be told apart."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence


def columns_of(text: str) -> int:
    """Return how wide a text is in half-width characters: two for a Chinese one, none for a combining mark."""
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def shorten(names: Sequence[str], width: int) -> list[str]:
    """Return names of at most so many columns, different where the full ones are.

    What is too long loses its middle: models and prompts differ at their ends as often as at their beginnings. Where that is
    not enough, the name's place in the sequence is its ending.

    Args:
        names: On one line each or not; order is kept.
        width: 8 or more.
    """
    plain = [" ".join(name.split()) for name in names]
    short = [_without_middle(name, width) for name in plain]
    taken = Counter(short)
    return [
        one if taken[one] == 1 else _without_middle(one, width - len(f" #{place}")) + f" #{place}"
        for place, one in enumerate(short, start=1)
    ]


def _without_middle(name: str, width: int) -> str:
    if columns_of(name) <= width:
        return name
    head, tail = _fitting(name, (width - 1) // 2), _fitting(name[::-1], width - 1 - (width - 1) // 2)
    return f"{head}…{tail[::-1]}"


def _fitting(text: str, width: int) -> str:
    end = len(text)
    while columns_of(text[:end]) > width:
        end -= 1
    return text[:end]
