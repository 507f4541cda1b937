"""What a client may say too early: thanks to the counselor."""

from __future__ import annotations

import re

from practicum.measures.cues import holds_any

_ZH_CUE = re.compile("[谢激]")
_ZH_EDGE = r"[，。！？,!?;；~～…\s—]"
_ZH = re.compile(
    rf"(?:^|{_ZH_EDGE})"
    r"(?:好的?|嗯+|真的|真心|衷心|非常|十分|特别|太|很|也|还是|再次|再一?次|先|我|想|要|得|必须|一定|那|就|但|不过|总之|实在)*"
    r"(?:(?:谢谢|感谢|多谢|感激)[了啦啊呀]?(?:你|您|老师|(?:心理)?(?:咨询师|医生)|\w老师|有你|有您)"
    rf"|(?:谢谢|感谢|多谢|感激不尽)[了啦啊呀]?(?=$|{_ZH_EDGE})"
    r"|对[你您](?:真的|非常|十分|很|特别)*(?:感谢|感激))"
)
_EN_CUES = ("thank", "thx", "grateful", "appreciate")
_EN = re.compile(
    r"(?:^|[.,!?;:~…\n，。！—–-])\s*"
    r"(?:(?:oh|okay|ok|well|and|so|yes|yeah|no|really|but|just|i|i'm|am|i'd|do|want to|wanted to|would like to|can't|cannot|very|truly|"
    r"deeply|many|first|again|wow|great|good|right|all right|alright|sure|please|my|sincere)\s+)*"
    r"(?:thank(?:s| you| u)(?! (?:to|god|goodness|heavens?|them|him|her|my)\b)|thx\b|appreciate (?:it|you|your|that|this)\b"
    r"|grateful (?:to you|for your|for this|for all your)\b)"
)


def says_thanks(text: str) -> bool:
    """Tell whether the speaker thanks whoever they talk to, anywhere in the turn, in either language.

    Thanks to others (我很感谢我妈妈, "thanks to my mom") and thanks told of (他都没说过谢谢) do not count.
    """
    if not text.isascii() and _ZH_CUE.search(text) and _ZH.search(text):
        return True
    plain = text.lower()
    return holds_any(plain, _EN_CUES) and _EN.search(plain.replace("’", "'")) is not None
