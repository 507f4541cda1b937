"""Whom a turn is about: how often it says I, and how often you."""

from __future__ import annotations

import re

from practicum.core import Language

_QUOTED = re.compile('“[^”]*”|"[^"]*"|「[^」]*」')
_MINE = re.compile(r"\b(?:i|me|my|mine|myself)\b(?!\?)")
_YOURS = re.compile(r"\byou(?:r|rs|rself)?\b")


def count_persons(text: str, language: Language) -> tuple[int, int, int]:
    """Count the first person singular, the second person and the first person plural of a turn; what stands in quotation marks is left out.

    自我 is no person, and an English "we" is not counted.
    """
    if language == "en":
        text = _QUOTED.sub("", text.lower().replace("’", "'"))
        return len(_MINE.findall(text)), len(_YOURS.findall(text)), 0
    if "“" in text or '"' in text or "「" in text:
        text = _QUOTED.sub("", text)
    ours = text.count("我们") + text.count("咱们")
    mine = text.count("我") - text.count("我们") - text.count("自我")
    return mine, text.count("你") + text.count("您"), ours
