"""The reply check: what is asked again, and what can be mended without asking (Qiu & Lan 2024; missing from their code)."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from enum import StrEnum

from practicum.core import Language, Speaker
from practicum.measures.counseling import counsels
from practicum.measures.farewell import says_goodbye
from practicum.measures.labels import cut_other_side, is_stage_direction, speaks_for_other, strip_label
from practicum.measures.layout import first_paragraph, has_enumeration, has_line_break
from practicum.measures.length import too_long
from practicum.measures.repeats import can_repeat, normal_form
from practicum.measures.thanks import says_thanks


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRules:
    """The limits of the check."""

    limit_zh: int = 200
    """Most Chinese characters of a counselor's reply."""
    limit_en: int = 120
    """Most words of a counselor's reply."""
    early_exchanges: int = 3
    """A client neither thanks nor says goodbye in this many first exchanges; 0 allows both at once."""


class Fault(StrEnum):
    """Why a reply is refused, in the order in which `check_reply` gives them."""

    EMPTY = "empty"
    """Nothing but punctuation and space."""
    LABEL = "label"
    """Begins with the speaker's own role label."""
    STAGE_DIRECTION = "stage_direction"
    """All in brackets instead of speech."""
    REPEAT = "repeat"
    """The speaker has said it before, word for word."""
    OTHER_SIDE = "other_side"
    """Writes the other side's words."""
    TOO_LONG = "too_long"
    LINE_BREAK = "line_break"
    ENUMERATION = "enumeration"
    EARLY_THANKS = "early_thanks"
    EARLY_GOODBYE = "early_goodbye"
    COUNSELS = "counsels"
    """A client does the counselor's work."""


def check_reply(
    text: str, *, speaker: Speaker, language: Language, exchange: int, said: Container[str], rules: CheckRules
) -> tuple[Fault, ...]:
    """Return the faults of a reply, in the order of `Fault`; none if it may stand.

    Args:
        text: The reply, stripped.
        speaker: Who says it.
        language: The session's language.
        exchange: The exchange that the reply belongs to, from 1.
        said: Normal forms (`normal_form`) of the speaker's own earlier turns.
        rules: The limits.
    """
    form = normal_form(text)
    if not form:
        return (Fault.EMPTY,)
    faults = []
    if strip_label(text, speaker) != text:
        faults.append(Fault.LABEL)
    if is_stage_direction(text):
        faults.append(Fault.STAGE_DIRECTION)
    if form in said and can_repeat(text):
        faults.append(Fault.REPEAT)
    if speaks_for_other(text, speaker):
        faults.append(Fault.OTHER_SIDE)
    faults += _counselor_faults(text, language, rules) if speaker is Speaker.COUNSELOR else _client_faults(text, exchange, rules)
    return tuple(faults)


def _counselor_faults(text: str, language: Language, rules: CheckRules) -> list[Fault]:
    faults = []
    if too_long(text, language, rules.limit_zh, rules.limit_en):
        faults.append(Fault.TOO_LONG)
    if has_line_break(text):
        faults.append(Fault.LINE_BREAK)
    if has_enumeration(text):
        faults.append(Fault.ENUMERATION)
    return faults


def _client_faults(text: str, exchange: int, rules: CheckRules) -> list[Fault]:
    faults = []
    if exchange <= rules.early_exchanges:
        if says_thanks(text):
            faults.append(Fault.EARLY_THANKS)
        if says_goodbye(text):
            faults.append(Fault.EARLY_GOODBYE)
    if counsels(text):
        faults.append(Fault.COUNSELS)
    return faults


def repair(text: str, speaker: Speaker) -> str:
    """Mend what is mechanical: own labels, the other side's words, and (counselor only, as in the check) all but the first paragraph.

    Returns:
        What is left, stripped; "" if nothing is. To repair it again changes nothing.
    """
    text = cut_other_side(strip_label(text.strip(), speaker), speaker)
    return first_paragraph(text) if speaker is Speaker.COUNSELOR else text.strip()
