"""A reply made presentable while it comes: the role label at its beginning taken off, what follows its first paragraph left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Protocol

from practicum.core import Speaker
from practicum.measures import strip_label

LONGEST = 96
"""Characters at the beginning that are looked at for labels; whatever a model writes there, it is not held back for longer."""
_BREAK = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")  # what str.splitlines splits at
_NAMES = (
    *("咨询师", "心理咨询师", "心理治疗师", "治疗师", "心理医生", "心理辅导师", "咨询员", "助手"),
    *("counselor", "counsellor", "therapist", "psychologist", "assistant"),
)
"""How `practicum.measures.strip_label` knows a counselor to be called; a test holds the two together."""
_MARKS = re.compile(r"[*_#>\s]*")
_BRACKET = re.compile(r"[【\[]?\s*")
"""What may stand before the name in a label."""


class Polished(Protocol):
    """What a bot says of its replies."""

    @property
    def strip_label(self) -> bool:
        """Take off a role label at the beginning."""
        ...

    @property
    def first_paragraph(self) -> bool:
        """Keep the first line that is not blank."""
        ...

    @property
    def own_labels(self) -> Sequence[str]:
        """What stands before the bot's words in a transcript, and the line that asks for them."""
        ...


class Polish:
    """One reply on its way.

    Fed in any pieces, it gives out the same text: what the whole would become at once, nothing before or after it.
    """

    __slots__ = ("_first", "_held", "_labels", "_open", "done")

    def __init__(self, bot: Polished) -> None:
        self.done = False
        """Nothing that comes from now on will be said."""
        self._first = bot.first_paragraph
        self._labels = _labels_of(tuple(bot.own_labels)) if bot.strip_label else None
        self._open = False
        """The first word is out; what is held is a blank that the reply may end with."""
        self._held = ""

    def feed(self, text: str) -> str:
        """Take the next piece; return what can be said by now."""
        if self._open:
            if self._first and (self.done or _BREAK.search(text)):
                return self._close(text)
            if self._held:
                text = self._held + text
                self._held = ""
            if text[-1:].isspace():
                said = text.rstrip()
                self._held = text[len(said) :]
                return said
            return text
        return self._begin(text, last=False)

    def end(self) -> str:
        """Return what was held back; nothing more comes."""
        if self._open or self.done:
            return ""  # only blanks are held
        return self._begin("", last=True)

    def _begin(self, text: str, *, last: bool) -> str:
        held = (self._held + text).lstrip()
        start = 0
        if self._labels is not None:
            found = self._labels.find_start(held, last=last)
            if found is None:
                self._held = held
                return ""
            start = found
        held = held[start:].lstrip()
        self._held = ""
        if not held:
            # Nothing but labels so far: whatever comes is speech, and no label is looked for a second time.
            self._labels = None
            return ""
        self._open = True
        return self.feed(held)

    def _close(self, text: str) -> str:
        if self.done:
            return ""
        self.done = True
        at = _BREAK.search(text)
        line = self._held + (text[: at.start()] if at else text)
        self._held = ""
        return line.rstrip()


def polish(bot: Polished, text: str) -> str:
    """Return a whole reply as it is said; "" if nothing is left of it."""
    one = Polish(bot)
    return one.feed(text) + one.end()


class _Labels:
    """The labels that a bot's reply may begin with."""

    def __init__(self, own: Sequence[str]) -> None:
        written = sorted({label.strip() for label in own} - {""}, key=len, reverse=True)
        self._own = re.compile("|".join(map(_pattern, written)) or "(?!)")
        self._names = {name.casefold() for name in (*_NAMES, *map(_name_in, written))}
        # What might still come to make a label of what is there: the rest of a name, and what ends it.
        rests = sorted({name[cut:] for name in self._names for cut in range(len(name) + 1)})
        self._rests = (*(rest + end for rest in rests for end in ("：", "】", "")), "）：")

    def find_start(self, text: str, *, last: bool) -> int | None:
        """Return where speech begins, whatever comes after; None if that cannot be told yet.

        Args:
            text: The reply so far, without the blanks before it.
            last: Nothing more comes.
        """
        window = text[:LONGEST]
        start = self._measure(window)
        if last or len(text) >= LONGEST:
            return start
        if start == len(window):
            return None
        bare = _MARKS.sub("", window[start:], count=1).casefold()
        begun = (bare, _BRACKET.sub("", bare, count=1))
        if not any(name.startswith(one) or one.startswith(name) for name in self._names for one in begun):
            return start
        grown = any(self._measure(window + rest) > len(window) for rest in self._rests)
        return None if grown else start

    def _measure(self, text: str) -> int:
        """Return the length of the labels at the beginning of a text."""
        start = 0
        while True:
            rest = text[start:]
            own = self._own.match(rest)
            taken = own.end() if own else len(rest) - len(strip_label(rest, Speaker.COUNSELOR))
            if not taken:
                return start
            start += taken


def _name_in(label: str) -> str:
    return label.rstrip("：:").rstrip()


def _pattern(label: str) -> str:
    """Return the expression for a label of the bot's own: bold or not, with either colon where it has one."""
    colon = r"[*_]*\s*[:：]" if label.endswith((":", "：")) else ""
    return rf"[*_#>\s]{{0,8}}{re.escape(_name_in(label))}{colon}[*_]*\s*"


@cache
def _labels_of(own: tuple[str, ...]) -> _Labels:
    return _Labels(own)
