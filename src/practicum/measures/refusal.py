"""A speaker who drops the part: calls themselves a model or an assistant, or refuses in a model's words."""

from __future__ import annotations

from practicum.measures.phrases import find_phrases
from practicum.measures.quotes import in_quotes


def speaks_as_model(text: str) -> str:
    """Return where a speaker calls themselves a model, an assistant or a program, or refuses as one does; "" if nowhere.

    Talk of such things (我学的是人工智能专业, "my job is training language models") is none, nor is what stands in quotation marks.
    """
    return next((found[0].strip() for found in find_phrases("ai_self", text) if not in_quotes(found)), "")
