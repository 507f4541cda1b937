"""Lists and Markdown in what should be speech, beyond what `has_enumeration` knows."""

from __future__ import annotations

import re

from practicum.measures.cues import holds_any
from practicum.measures.layout import has_enumeration

# First what is quick, one class of characters; then what they must stand beside.
_CUE = re.compile("[*#`|>▲◆►▶➤★✅✔→√\u20e30-9①-⑳⒈❶•●▪【（(\\[_\\-–·—]")
_MARK = re.compile(
    "[*#`|▲◆►▶➤★✅✔→√①-⑳⒈❶•●▪【]|[0-9][.．、)）\ufe0f\u20e3]|[（(\\[][0-9一二三四五六七八九十]|__|\\]\\(|(?:^|\n)\\s*[-–—·>]"
)
_CUES = (
    "一、",
    "一）",
    "一)",
    "骤一",
    "法一",
    "议一",
    "一步：",
    "一步:",
    "一点：",
    "一点:",
    "一条：",
    "一条:",
    "tep ",
    "b)",
    "B)",
    "b. ",
    "B. ",
)
_FACE = re.compile("•[\u0300-\u036f]")  # the eyes of (ง•̀_•́)ง
_MARKDOWN = re.compile(
    r"^\s{0,3}#{1,6}\s+\S|\*\*(?=\S)[^*\n]+\*\*|__(?=\S)[^_\n]+__|```|^\s*\|.+\|\s*$|\[[^\]\n]+\]\(https?:|^\s*>\s+\S|^\s*(?:---+|\*\*\*+)\s*$",
    re.MULTILINE,
)
# A turn that begins with a mark goes on with a list from the turn before: （2）在闲暇时…
_ITEM = re.compile(r"\s*(?:[（(【\[]\s*(?:\d{1,2}|[一二三四五六七八九十])\s*[）)】\]]|\d{1,2}\s*[.．、)）](?!\d)|[①-⑳•●▪])")
_PAIRS = tuple(
    (re.compile(first, re.MULTILINE), re.compile(second, re.MULTILINE))
    for first, second in (
        (r"[▲◆►▶➤★✅✔→√]\s*\S", r"[▲◆►▶➤★✅✔→√]\s*\S"),
        (r"1\ufe0f?\u20e3", r"2\ufe0f?\u20e3"),
        (r"(?:^|[。；\n]\s*)(?:步骤|方法|建议)[一1](?=[:：、.，])", r"(?:步骤|方法|建议)[二2](?=[:：、.，])"),
        (r"第[一1](?:步|点|条)\s*[:：]", r"第[二2](?:步|点|条)\s*[:：]"),
        (r"\b[Ss]tep (?:1|one)\s*[:.)—-]", r"\b[Ss]tep (?:2|two)\s*[:.)—-]"),
        (r"【[一1]】|(?<![\d\w])[一1][）)】]", r"【[二2]】|(?<![\d\w])[二2][）)】]"),
        (r"(?:^|\s)[aA][.)]\s", r"\s[bB][.)]\s"),
        (r"^\s*[-*–—·]\s*\S[^\n]*\n", r"^\s*[-*–—·]\s*\S"),
    )
)


def is_list(text: str) -> str:
    """Return what makes a turn written rather than spoken, a mark of a list or of Markdown; "" if nothing does.

    Besides `has_enumeration`: bold, headings, tables, links, code; arrows and ticks; 步骤一：, "Step 1:", a) b); a turn that begins as an
    item of a list. Words that order (首先…其次, 第一，第二) are speech.
    """
    if not may_list(text):
        return ""
    text = _FACE.sub("", text)
    if found := _MARKDOWN.search(text) or _ITEM.match(text):
        return found[0].strip()
    for first, second in _PAIRS:
        mark = first.search(text)
        if mark and second.search(text, mark.end()):
            return mark[0].strip()
    mark = _ENUMERATED.search(text) if has_enumeration(text) else None
    return mark[0].strip() if mark else ""


def may_list(text: str) -> bool:
    """Tell whether a text holds anything that `is_list` looks for; cheap, and good for many turns at once."""
    return (_CUE.search(text) is not None and _MARK.search(text) is not None) or holds_any(text, _CUES)


_ENUMERATED = re.compile(r"(?<![\da-zA-Z.])1[.．、)）](?!\d)|一、|[（(]一[）)]|[①⒈❶•●▪]|^\s*[-*–]\s+\S", re.MULTILINE)
