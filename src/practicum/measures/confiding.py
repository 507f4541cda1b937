"""A counselor who has slipped into the client's chair."""

from __future__ import annotations

from practicum.measures.phrases import find_phrases
from practicum.measures.quotes import in_quotes


def confides(text: str) -> str:
    """Return where a counselor tells their own troubles or life, asks for help or takes advice; "" if nowhere.

    The counterpart of `counsels`. What is put into the client's mouth in quotation marks does not count.
    """
    return next((found[0].strip() for found in find_phrases("confides", text) if not in_quotes(found)), "")
