"""Taking a model's thoughts out of what it says."""

from __future__ import annotations

_OPEN, _CLOSE = "<think>", "</think>"


def split_reasoning(text: str) -> tuple[str, str]:
    """Return the reasoning and what is said, both stripped.

    Reasoning is everything before the last `</think>`: a server may send the opening mark with the prompt and show only
    the closing one. A `<think>` at the start that is never closed makes the whole text reasoning; marks elsewhere in
    the text are speech.
    """
    thought, closed, said = text.rpartition(_CLOSE)
    if closed:
        return thought.strip().removeprefix(_OPEN).strip(), said.strip()
    if text.lstrip().startswith(_OPEN):
        return text.strip().removeprefix(_OPEN).strip(), ""
    return "", text.strip()
