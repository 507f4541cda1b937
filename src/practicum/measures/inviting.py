"""A client who does what the counselor should: what may pass in a reply, but not in what a model learns from."""

from __future__ import annotations

from practicum.measures.phrases import find_phrases
from practicum.measures.quotes import in_quotes


def invites(text: str) -> str:
    """Return where a client asks, leads or comforts "you" as a counselor does; "" if nowhere.

    Goes further than `counsels`, which refuses replies while a session runs and must hardly ever be wrong.
    """
    return next((found[0].strip() for found in find_phrases("invites", text) if not in_quotes(found)), "")
