"""Taking a model's thoughts out of what it says."""

from __future__ import annotations

_OPEN, _CLOSE = "<think>", "</think>"


def ends_thoughts(text: str) -> bool:
    """Whether a closing mark stands in what was taken for speech."""
    return _CLOSE in text


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


class Listener:
    """Takes thoughts and the blank space at both ends out of a text while it grows.

    What is not yet known to be speech is held back, so that all that was returned, joined, is what is said. Unlike
    `split_reasoning`, which sees the whole, it takes the first closing mark for the end of the thoughts.
    """

    __slots__ = ("_held", "_speaking", "_thinking", "_thought", "_unmarked")

    def __init__(self, *, unmarked: bool = False) -> None:
        """Begin.

        Args:
            unmarked: The opening mark was sent with the prompt: up to a closing one all is thought; without any, all is said.
        """
        self._unmarked = self._thinking = unmarked
        self._speaking = False
        self._held = ""
        self._thought: list[str] = []

    @property
    def thought(self) -> str:
        """What was thought so far."""
        return "".join(self._thought).strip().removeprefix(_OPEN).strip()

    def hear(self, piece: str) -> str:
        """Add a piece; return what can be said now."""
        if not self._speaking:
            piece = self._begin(piece)
            if not self._speaking:
                return ""
        if self._held:
            piece = self._held + piece
        said = piece.rstrip()
        self._held = piece[len(said) :]
        return said

    def end(self) -> str:
        """Return what is left to say."""
        held, self._held = self._held, ""
        if self._speaking:
            return ""
        self._speaking = True
        if not self._thinking:
            return held.strip()
        self._thought.append(held)
        if not self._unmarked:
            return ""
        held, self._thought = "".join(self._thought), []
        if not held.lstrip().startswith(_OPEN):
            return held.strip()
        self._thought.append(held)
        return ""

    def _begin(self, piece: str) -> str:
        """Return what comes behind the thoughts and the blank space before the first word."""
        held = self._held + piece
        self._held = ""
        if self._thinking:
            thought, closed, behind = held.partition(_CLOSE)
            if not closed:  # the mark may have come in part
                self._thought.append(held[: 1 - len(_CLOSE)])
                self._held = held[1 - len(_CLOSE) :]
                return ""
            self._thought.append(thought)
            self._thinking = False
            held = behind
        said = held.lstrip()
        if not self._thought and said.startswith(_OPEN):
            self._thinking = True
            return self._begin(said)
        if not said or (not self._thought and _OPEN.startswith(said)):
            self._held = said
            return ""
        self._speaking = True
        return said
