"""Quotation marks: what stands between them is said by somebody else."""

from __future__ import annotations

import re

_PAIRS = (("“", "”"), ("「", "」"), ("‘", "’"), ("《", "》"))


def in_quotes(found: re.Match[str]) -> bool:
    """Tell whether a match stands between quotation marks: more are opened than closed before it, or a straight one is open."""
    text, start = found.string, found.start()
    if any(text.rfind(opening, 0, start) > text.rfind(closing, 0, start) for opening, closing in _PAIRS):
        return True
    return text.count('"', 0, start) % 2 == 1
