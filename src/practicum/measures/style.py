"""The style of a reply as numbers: what may please a rater whoever the counselor is."""

from __future__ import annotations

import math
import re

from practicum.core import Language
from practicum.measures.cues import holds_any
from practicum.measures.layout import has_enumeration
from practicum.measures.length import chinese_characters, english_words

STYLE_FEATURES: tuple[str, ...] = ("log_length", "questions", "sentences", "list_marks", "advice")
"""Names of what `style_features` returns, in its order."""

_QUESTION = re.compile(r"[?？][?？!！]*")
# A full stop ends a sentence only before a space, a closing mark or the end: 3.5 and example.org are whole.
_SENTENCE_END = re.compile(r"""[。！？!?…\n]+|\.+(?=["'”’)\]\s]|$)""")
_WORD = re.compile(r"\w")

_LIST_MARK = re.compile(
    r"(?<![\da-zA-Z.])\d{1,2}[.．、)）](?!\d)|(?:^|(?<=[\s，。！？；：:]))[一二三四五六七八九十]、|[（(][一二三四五六七八九十][）)]"
    r"|[①-⑳⒈-⒛❶-❿]|^\s*[-*–]\s+(?=\S)|[•●▪]",
    re.MULTILINE,
)
_MARKDOWN = re.compile(r"^\s*#{1,6}\s+(?=\S)|\*\*(?=\S)[^*\n]+\*\*|__(?=\S)[^_\n]+__", re.MULTILINE)

_ZH_CUE = (
    r"不妨|(?<!什么)(?<![你您]的)建议|尝试|试着|试[一了]?试|推荐[你您]"
    r"|[你您](?:也|还|就|先|或许|其实|现在)*(?:可以|应该|需要|最好)(?!吗|[再多]?(?:具体|详细|和我|跟我|给我|向我)*(?:告诉|说|谈|讲|聊|描述|分享))"
)
_EN_HINTS = (
    "you could",
    "you should",
    "you must",
    "you can try",
    "you may",
    "you might",
    "ought to",
    "need to",
    "suggest",
    "recommend",
    "advise",
    "encourage",
    "try ",
    "consider",
    "have you tried",
    "why don't you",
    "how about",
    "it may",
    "it might",
    "it could",
    "it would",
    "it can",
)
_EN_CUE = (
    r"\byou (?:could|should|ought to|need to|must|can try|(?:might|may) (?:want|wish|like|try|find|consider))\b"
    r"(?! (?:tell|say|share|describe|explain|talk))"
    r"|\b(?:i|we)(?:'d| would)?(?: \w+ly)? (?:suggest|recommend|advise|encourage)\b"
    r"|(?<!\byou )(?<!\bi )(?<!\bwe )(?<!\bthey )\btry (?:to|this|it|some|an?|the|\w+ing)\b"
    r"|\bconsider \w+ing\b|\bhave you (?:tried|considered)\b|\bwhy don't you\b|\bhow about \w+ing\b"
    r"|\bit (?:may|might|could|would|can) (?:also )?(?:help|be (?:helpful|useful|good|worth))\b"
)
# Cues that follow at once on each other are one piece of advice: 建议你可以试试, "I suggest that you try to".
_ZH_ADVICE = re.compile(f"(?:{_ZH_CUE})(?:[^，。！？；\\s]{{0,3}}?(?:{_ZH_CUE}))*")
_EN_ADVICE = re.compile(f"(?:{_EN_CUE})(?:[^,.!?;\\n]{{0,10}}?(?:{_EN_CUE}))*")


def style_features(text: str, language: Language) -> tuple[float, ...]:
    """Describe a reply's style, one number for each of `STYLE_FEATURES`.

    Args:
        text: A counselor's reply; may be empty.
        language: The session's. The features read both languages in any session, for models slip from one into the other;
            so today it changes nothing.

    Returns:
        log_length: natural logarithm of 1 + Chinese characters + words in Latin script;
        questions: question marks, a run of them being one;
        sentences: pieces with a word in them, between full stops, question and exclamation marks, or line breaks;
        list_marks: marks of lists (1. 一、 ① •) if they enumerate, Markdown's headings and bold passages in any case;
        advice: pieces of advice (你可以, 建议, 试试, "you could", "I suggest", "try to"). What invites the client to tell more
        is none.
    """
    return (
        math.log1p(chinese_characters(text) + english_words(text)),
        float(len(_QUESTION.findall(text))),
        float(sum(_WORD.search(piece) is not None for piece in _SENTENCE_END.split(text))),
        float(_count_marks(text)),
        float(_count_advice(text)),
    )


def _count_marks(text: str) -> int:
    listed = len(_LIST_MARK.findall(text)) if has_enumeration(text) else 0
    return listed + len(_MARKDOWN.findall(text))


def _count_advice(text: str) -> int:
    chinese = 0 if text.isascii() else len(_ZH_ADVICE.findall(text))
    plain = text.lower().replace("’", "'")
    return chinese + (len(_EN_ADVICE.findall(plain)) if holds_any(plain, _EN_HINTS) else 0)
