"""Cheap pre-filters: most turns hold nothing that a rule looks for, and should cost next to nothing."""

from __future__ import annotations

from collections.abc import Iterable


def holds_any(text: str, cues: Iterable[str]) -> bool:
    """Tell whether any of the cues is in the text; for Latin script five times as fast as one alternation."""
    for cue in cues:  # noqa: SIM110 -- a generator would double the cost
        if cue in text:
            return True
    return False
