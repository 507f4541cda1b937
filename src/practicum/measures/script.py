"""The wrong language or script: turns in another language, both mixed, broken characters."""

from __future__ import annotations

import re

from practicum.core import Language
from practicum.measures.length import chinese_characters

# Mojibake (UTF-8 read as Latin-1 or GBK), escapes, entities, a model's special tokens, characters that no text has.
_BROKEN = re.compile(
    "\ufffd|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ue000-\uf8ff]|锟斤|斤拷|烫烫烫|屯屯屯|[ÃÂâåäæçèéï][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|鈥|銆|锛|鐨勶?|"
    r"\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|&(?:nbsp|lt|gt|amp|quot|#\d{2,5});|<0x[0-9A-F]{2}>|<\|[a-z_]+\|>|</?s>|\[/?INST\]|<unk>|\[UNK\]|<pad>|Ġ|▁[a-zA-Z]"
)
_BROKEN_CUE = re.compile("[\ufffd\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ue000-\uf8ff锟斤烫屯鈥銆锛鐨ÃÂâåäæçèéï\\\\&<\\[Ġ▁]")
_OTHER = re.compile(
    "[\u0370-\u0377\u0386-\u03c8\u03ca-\u03ff\u0400-\u052f\u0590-\u06ff\u0900-\u0dff\u0e00-\u0e7f\u3041-\u3096\u30a1-\u30fa\u1100-\u11ff\uac00-\ud7af]"
)
_OTHER_RUN = re.compile(
    "[\u0370-\u03ff]{4}|[\u0400-\u052f]{3}|[\u0590-\u06ff]{3}|[\u0900-\u0dff]{3}|[\u0e00-\u0e7f]{4}|[\u3041-\u3096\u30a1-\u30fa\u30fc]{3}|[\uac00-\ud7af]{2}"
)
_WORD = re.compile("[A-Za-z][a-z'’]+")
_LETTER = re.compile(r"[^\W\d_]")

FOREIGN_WORDS = 4
"""English words in a Chinese turn from which on it can be mixed; names and abbreviations in capitals (KTV, PPT) are none."""
FOREIGN_CHARACTERS = 4
"""Chinese characters in an English turn from which on it can be mixed."""


_UNUSUAL = re.compile("[^\u4e00-\u9fff0-9，。！？…、“”‘’：；（）《》—～\n ,.!?:;~+%-]|锟|烫|屯|鈥|銆|锛|鐨")


def is_plain_chinese(text: str) -> bool:
    """Tell whether a text has nothing but Chinese characters, digits and common punctuation: the other rules need not read it."""
    return _UNUSUAL.search(text) is None


def broken_characters(text: str) -> str:
    """Return the first broken piece of a text (mojibake, escapes, special tokens, control characters); "" if it is whole."""
    found = _BROKEN.search(text) if _BROKEN_CUE.search(text) else None
    return found[0] if found else ""


def other_script(text: str) -> str:
    """Return a run of letters in a script that is neither Chinese nor Latin; "" if there is none. Faces (´･ω･`) and の are none."""
    found = _OTHER_RUN.search(text) if not text.isascii() and _OTHER.search(text) else None
    return found[0] if found else ""


def foreign_share(text: str, language: Language) -> float:
    """Return the share of a turn's letters that are of the other language: Latin in Chinese, Chinese in English.

    Single borrowed words do not count: 0 below `FOREIGN_WORDS` words in small letters, or `FOREIGN_CHARACTERS` characters.
    """
    if language == "en":
        chinese = chinese_characters(text)
        return chinese / len(_LETTER.findall(text)) if chinese >= FOREIGN_CHARACTERS else 0.0
    words = _WORD.findall(text)
    if len(words) < FOREIGN_WORDS:
        return 0.0
    return sum(map(len, words)) / len(_LETTER.findall(text))
