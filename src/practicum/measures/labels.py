"""Role labels: 来访者：, **Counselor:** and their like, and stage directions in the place of speech."""

from __future__ import annotations

import re
from typing import Final

from practicum.core import Speaker

_NAMES: Final = {
    Speaker.CLIENT: r"来访者|求助者|咨客|当事人|用户|患者|client|user|patient|help-?seeker|seeker|visitor",
    Speaker.COUNSELOR: r"(?:心理)?咨询师|(?:心理)?治疗师|心理医生|心理辅导师|咨询员|助手|counsell?or|therapist|psychologist|assistant",
}

_ASIDE = r"(?:\s*[（(][^（）()\n]{0,20}[）)])?"


def _label(speaker: Speaker) -> str:
    """A label as models write it: bare or bracketed, bold or not, with an aside or not; a colon ends the bare ones."""
    name = f"(?:{_NAMES[speaker]})"
    return rf"[*_#>\s]{{0,8}}(?:{name}[*_]*{_ASIDE}\s*[:：]|[【\[]\s*{name}\s*[】\]][*_]*\s*[:：]?)[*_]*\s*"


_LEADING: Final = {speaker: re.compile(f"(?:{_label(speaker)})+", re.IGNORECASE) for speaker in Speaker}
_BEGINNING_ANYWHERE: Final = {
    speaker: re.compile(rf"(?:^|(?<=[\n。！？!?.…”\"）)*])){_label(speaker)}", re.IGNORECASE) for speaker in Speaker
}
_STAGE = re.compile(r"(?:（[^（）]*）|\([^()]*\)|【[^【】]*】|\[[^\[\]]*\]|\*[^*\n]+\*|[\s。.…])+")


def _may_hold_label(text: str) -> bool:
    return ":" in text or "：" in text or "【" in text or "[" in text


def strip_label(text: str, speaker: Speaker) -> str:
    """Return the text without the speaker's own label (or several) at its beginning."""
    if not _may_hold_label(text):
        return text
    label = _LEADING[speaker].match(text)
    return text[label.end() :] if label else text


def cut_other_side(text: str, speaker: Speaker) -> str:
    """Return what stands before the first line or sentence that begins with the other side's label."""
    if not _may_hold_label(text):
        return text
    label = _BEGINNING_ANYWHERE[speaker.other].search(text)
    return text[: label.start()] if label else text


def speaks_for_other(text: str, speaker: Speaker) -> bool:
    """Tell whether a line or sentence begins with the other side's label."""
    return _may_hold_label(text) and _BEGINNING_ANYWHERE[speaker.other].search(text) is not None


def is_stage_direction(text: str) -> bool:
    """Tell whether the whole text is in brackets or single asterisks: （沉默）, [sighs], *looks away*."""
    return text.startswith(("（", "(", "【", "[", "*")) and _STAGE.fullmatch(text) is not None
