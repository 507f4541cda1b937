"""What is looked for in a conversation before a model may learn from it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain, pairwise
from typing import Final

from practicum.core import Language, Speaker
from practicum.dataset.conversation import Conversation, Line
from practicum.dataset.curate_config import ChecksConfig
from practicum.measures import (
    breaks_off,
    broken_characters,
    chinese_characters,
    confides,
    copied_share,
    counsels,
    count_persons,
    count_repeats,
    cut_stage_directions,
    english_words,
    find_loop,
    find_risks,
    foreign_share,
    invites,
    is_closed,
    is_empty_praise,
    is_list,
    is_plain_chinese,
    may_list,
    may_loop,
    other_script,
    says_goodbye,
    says_thanks,
    speaks_as_model,
    speaks_for_other,
    strip_label,
    untold_words,
    wraps_up,
)


class Check(StrEnum):
    """A fault that costs a conversation its place (or, for `RISK`, sets it apart)."""

    TOO_SHORT = "too_short"
    """Fewer exchanges than asked for, or the client never says anything of substance."""
    ROLE_FLIP = "role_flip"
    """The client counsels, or the counselor confides."""
    AI_SELF = "ai_self"
    """A refusal, or a speaker who calls themselves a model or an assistant."""
    PRAISE = "praise"
    """The counselor's turns are mostly empty praise or stock comfort."""
    REPEATS = "repeats"
    """One side says the same again, or a text goes round in a loop."""
    LISTS = "lists"
    """The counselor writes enumerations or Markdown."""
    SCRIPT = "script"
    """Another language or script than the conversation's, broken characters, or both languages mixed."""
    EARLY_ENDING = "early_ending"
    """Thanks or goodbye long before the end."""
    NO_ENDING = "no_ending"
    """It breaks off: nobody says goodbye, thanks, or sums up."""
    COPIED = "copied"
    """The client recites its profile: too large a share of its 8-grams stands there word for word."""
    LEAK = "leak"
    """The counselor knows what it was not told: words of the profile that the client has not said yet."""
    RISK = "risk"
    """Kept apart, not thrown away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One reason against a conversation."""

    check: Check
    detail: str
    """What was found, in a few words of the text itself; one line, at most 120 characters."""
    line: int | None = None
    """Which turn, from 0; None: the whole."""


class Mend(StrEnum):
    """What can be put right without changing what was said."""

    LABEL = "a role label taken off"
    STAGE_DIRECTION = "a stage direction taken out"
    WHITESPACE = "white space put in order"
    JOINED = "turns of one speaker joined"
    EMPTY = "an empty turn left out"


_DISORDER = re.compile("[\r\t\u00a0\u200b-\u200f\u2028\u2029\u2060\ufeff\v\f]|  |[ \u3000]\n|\n[ \u3000\n]|\u3000\u3000")
_SPEECH = re.compile(r"[^\W_]")
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff]")
_LINE_END = re.compile("[ \t\u3000]*(?:\r\n?|[\n\v\f\u2028\u2029])\\s*")
_SPACES = re.compile("[ \t\u00a0]{2,}|[\t\u00a0]|\u3000{2,}")


def mend(conversation: Conversation) -> tuple[Conversation, dict[Mend, int]]:
    """Return the conversation put in order, and how many turns were mended in each way."""
    mended: Counter[Mend] = Counter()
    lines: list[Line] = []
    for line in conversation.lines:
        text = _mend_text(line, mended)
        if not _SPEECH.search(text):
            mended[Mend.EMPTY] += 1
        elif lines and lines[-1].speaker is line.speaker:
            mended[Mend.JOINED] += 1
            lines[-1] = Line(line.speaker, f"{lines[-1].text}\n{text}")
        else:
            lines.append(line if text == line.text else Line(line.speaker, text))
    return (replace(conversation, lines=tuple(lines)) if mended else conversation), dict(mended)


def _mend_text(line: Line, mended: Counter[Mend]) -> str:
    """Return a turn's text in order; what was done is counted."""
    text = line.text
    if _DISORDER.search(text) or text.strip() != text:
        text = _SPACES.sub(" ", _LINE_END.sub("\n", _INVISIBLE.sub("", text))).strip()
        mended[Mend.WHITESPACE] += 1
    bare = strip_label(text, line.speaker)
    if bare is not text:
        mended[Mend.LABEL] += 1
    spoken = cut_stage_directions(bare)
    if spoken is not bare:
        mended[Mend.STAGE_DIRECTION] += 1
    return spoken


class _Heard:
    """A conversation as the checks read it: both sides apart, and each of them as one text."""

    __slots__ = ("client", "client_text", "conversation", "counselor", "counselor_text", "whole")

    def __init__(self, conversation: Conversation) -> None:
        self.conversation: Final = conversation
        self.client: Final = [line.text for line in conversation.lines if line.speaker is Speaker.CLIENT]
        self.counselor: Final = [line.text for line in conversation.lines if line.speaker is Speaker.COUNSELOR]
        self.client_text: Final = "\n".join(self.client)
        self.counselor_text: Final = "\n".join(self.counselor)
        self.whole: Final = f"{self.client_text}\n{self.counselor_text}"

    def first(self, holds: Callable[[str], object], speaker: Speaker | None = None) -> int | None:
        """Return the first turn, of one side or of any, for which a rule holds; None if only the whole text does."""
        lines = enumerate(self.conversation.lines)
        return next((index for index, line in lines if speaker in {None, line.speaker} and holds(line.text)), None)


Rule = Callable[[_Heard, ChecksConfig], Finding | None]


def examine(conversation: Conversation, config: ChecksConfig) -> list[Finding]:
    """Return every reason against a conversation, in the order of `Check`; at most one for each check. Checks that are off are not run."""
    heard = _Heard(conversation)
    found = (rule(heard, config) for check, rule in RULES.items() if check not in config.off)
    return [finding for finding in found if finding is not None]


def _finding(check: Check, detail: str, line: int | None = None) -> Finding:
    detail = " ".join(detail.split())
    return Finding(check=check, detail=detail if len(detail) <= MOST else f"{detail[: MOST - 1]}…", line=line)


MOST: Final = 120
"""Characters of a detail."""


_ENOUGH: Final = 400
"""Characters of a client's turn that are counted: whoever says more has said something."""


def _too_short(heard: _Heard, config: ChecksConfig) -> Finding | None:
    lines = heard.conversation.lines
    exchanges = sum(a.speaker is Speaker.CLIENT and b.speaker is Speaker.COUNSELOR for a, b in pairwise(lines))
    if exchanges < config.min_exchanges:
        return _finding(Check.TOO_SHORT, f"{exchanges} exchanges")
    said = 0
    for text in heard.client:
        begun = text[:_ENOUGH]
        said += chinese_characters(begun) or 3 * english_words(begun)
        if said >= config.min_client_chars:
            return None
    return _finding(Check.TOO_SHORT, f"the client says little: {' / '.join(heard.client)}")


def _role_flip(heard: _Heard, config: ChecksConfig) -> Finding | None:
    lines = heard.conversation.lines
    if counsels(heard.client_text) and (index := heard.first(counsels, Speaker.CLIENT)) is not None:
        return _finding(Check.ROLE_FLIP, f"the client counsels: {lines[index].text}", index)
    if said := invites(heard.client_text):
        return _finding(Check.ROLE_FLIP, f"the client counsels: {said}", heard.first(invites, Speaker.CLIENT))
    if said := confides(heard.counselor_text):
        return _finding(Check.ROLE_FLIP, f"the counselor confides: {said}", heard.first(confides, Speaker.COUNSELOR))
    if (index := _wrong_person(heard)) is not None:
        whose = "the client speaks of the counselor" if lines[index].speaker is Speaker.CLIENT else "the counselor speaks of themselves"
        return _finding(Check.ROLE_FLIP, f"{whose}: {lines[index].text}", index)
    for index, line in enumerate(lines if _COLON.search(heard.whole) else ()):
        if speaks_for_other(line.text, line.speaker) or ("：" in line.text and _SCRIPTED.search(line.text)):
            return _finding(Check.ROLE_FLIP, f"speaks for the other side: {line.text}", index)
    return None


def _wrong_person(heard: _Heard) -> int | None:
    """Return the first turn that is about the wrong person; None if there is none.

    A client speaks of "you" alone, a counselor of "me" alone; or both sides do so mostly, in three turns and more.
    """
    language = heard.conversation.language
    least = _PERSONS[language]
    mostly: dict[Speaker, list[int]] = {Speaker.CLIENT: [], Speaker.COUNSELOR: []}
    for index, (speaker, text) in enumerate(heard.conversation.lines):
        mine, yours, ours = count_persons(text, language)
        own, others = (mine, yours) if speaker is Speaker.COUNSELOR else (yours, mine + ours)
        if not index or own <= others or (speaker is Speaker.CLIENT and says_thanks(text)):
            continue
        if own >= least and not others:
            return index
        mostly[speaker].append(index)
    turns = sorted(chain.from_iterable(mostly.values()))
    return turns[0] if all(mostly.values()) and len(turns) >= _EXCHANGED else None


_EXCHANGED: Final = 3
"""Turns about the wrong person from which on the chairs are exchanged."""
_PERSONS: Final[Mapping[Language, int]] = {"zh": 2, "en": 3}
"""How often the wrong person stands in a turn that has no other."""
_COLON = re.compile("[:：【\\[]")
# Labels of peer support, and dialogues written out within one turn.
_SCRIPTED = re.compile("(?:^|[\n。！？])(?:支持者|倾听者|求助者|[AB])：")


def _ai_self(heard: _Heard, config: ChecksConfig) -> Finding | None:
    if said := speaks_as_model(heard.whole):
        return _finding(Check.AI_SELF, said, heard.first(speaks_as_model))
    return None


def _praise(heard: _Heard, config: ChecksConfig) -> Finding | None:
    turns, language = heard.counselor, heard.conversation.language
    empty, example = 0, ""
    for spoken, text in enumerate(turns):
        if is_empty_praise(text, language, heard.client_text):
            empty += 1
            example = example or text
        elif empty + len(turns) - spoken - 1 < config.praise_share * len(turns):
            return None  # too few are left
    if empty and empty >= config.praise_share * len(turns):
        return _finding(Check.PRAISE, f"{empty} of {len(turns)} counselor turns, as: {example}")
    return None


def _repeats(heard: _Heard, config: ChecksConfig) -> Finding | None:
    language = heard.conversation.language
    for turns in (heard.client, heard.counselor):
        repeats, first = count_repeats(turns, language)
        if repeats and repeats >= config.repeat_share * len(turns):
            return _finding(Check.REPEATS, f"{repeats} of {len(turns)} turns of one side, as: {first}")
    if language == "zh" and not may_loop(heard.whole, config.loop_ngram, config.loop_times):
        return None
    for index, line in enumerate(heard.conversation.lines):
        if run := find_loop(line.text, language, config.loop_ngram, config.loop_times):
            return _finding(Check.REPEATS, f"goes round: {run}", index)
    return None


def _lists(heard: _Heard, config: ChecksConfig) -> Finding | None:
    if not may_list(heard.counselor_text):
        return None
    marks = [mark for text in heard.counselor if (mark := is_list(text))]
    if marks and len(marks) >= config.list_share * len(heard.counselor):
        index = heard.first(is_list, Speaker.COUNSELOR)
        text = "" if index is None else heard.conversation.lines[index].text
        return _finding(Check.LISTS, text[max(0, text.find(marks[0]) - 20) :], index)
    return None


def _script(heard: _Heard, config: ChecksConfig) -> Finding | None:
    language = heard.conversation.language
    if language == "zh" and is_plain_chinese(heard.whole):
        return None
    for name, find in (("broken", broken_characters), ("another script", other_script)):
        if found := find(heard.whole):
            return _finding(Check.SCRIPT, f"{name}: {found!r}", heard.first(find))
    if foreign_share(heard.whole, language):
        for index, line in enumerate(heard.conversation.lines):
            if foreign_share(line.text, language) >= config.other_script_share:
                return _finding(Check.SCRIPT, f"another language: {line.text}", index)
        if (share := foreign_share(heard.whole, language)) >= config.other_script_share:
            return _finding(Check.SCRIPT, f"another language: {share:.0%} of the letters")
    return None


AFTER: Final = 4
"""Turns after a goodbye from which on it came long before the end."""


def _early_ending(heard: _Heard, config: ChecksConfig) -> Finding | None:
    lines, language = heard.conversation.lines, heard.conversation.language
    early = min(int(config.early_share * len(lines)), len(lines) - AFTER)
    for index, line in enumerate(lines[: max(0, early)]):
        if says_goodbye(line.text):
            return _finding(Check.EARLY_ENDING, f"goodbye in turn {index + 1} of {len(lines)}: …{line.text[-60:]}", index)
        if index and line.speaker is Speaker.CLIENT and wraps_up(line.text, language):
            return _finding(Check.EARLY_ENDING, f"thanks in turn {index + 1} of {len(lines)}: {line.text}", index)
    return None


def _no_ending(heard: _Heard, config: ChecksConfig) -> Finding | None:
    lines = heard.conversation.lines
    if not heard.client or not heard.counselor:
        return None  # too short, in any case
    last = lines[-1]
    closed = is_closed(heard.client[-1], heard.counselor[-1], heard.conversation.language, counselor_last=last.speaker is Speaker.COUNSELOR)
    # Who hardly ever sets full stops has not broken off.
    if closed and not (breaks_off(last.text) and sum(breaks_off(line.text) for line in lines[:-1]) * 5 < len(lines)):
        return None
    return _finding(Check.NO_ENDING, f"…{last.text[-80:]}", len(lines) - 1)


def _copied(heard: _Heard, config: ChecksConfig) -> Finding | None:
    profile = heard.conversation.profile
    if profile is None:
        return None
    share, longest = copied_share(heard.client, profile.text, heard.conversation.language)
    if longest and share >= config.copied_share:
        return _finding(Check.COPIED, f"{share:.0%} of the client's 8-grams, as: {longest}")
    return None


def _leak(heard: _Heard, config: ChecksConfig) -> Finding | None:
    profile = heard.conversation.profile
    if profile is None:
        return None
    story = "\n".join((profile.text, *profile.facts.values()))
    for index, words in untold_words(heard.conversation.lines, story, heard.conversation.language):
        if len(words) >= config.leak_words:
            return _finding(Check.LEAK, f"not told before: {', '.join(words)}", index)
    return None


def _risk(heard: _Heard, config: ChecksConfig) -> Finding | None:
    kinds: Iterable[str] = sorted({*heard.conversation.risk, *find_risks(heard.whole)})
    if not kinds:
        return None
    index = heard.first(find_risks)
    said = "" if index is None else f": {heard.conversation.lines[index].text}"
    return _finding(Check.RISK, f"{', '.join(kinds)}{said}", index)


RULES: Final[Mapping[Check, Rule]] = {
    Check.TOO_SHORT: _too_short,
    Check.ROLE_FLIP: _role_flip,
    Check.AI_SELF: _ai_self,
    Check.PRAISE: _praise,
    Check.REPEATS: _repeats,
    Check.LISTS: _lists,
    Check.SCRIPT: _script,
    Check.EARLY_ENDING: _early_ending,
    Check.NO_ENDING: _no_ending,
    Check.COPIED: _copied,
    Check.LEAK: _leak,
    Check.RISK: _risk,
}
"""Each check's rule, in the order of `Check`."""
