"""Goodbyes: the origin's eleven substrings, and a reading of how a turn ends.

`says_goodbye` counts what real sessions end with (SmileChat and CPsyCounD, last turns read by eye): goodbyes, meeting
again, leaving, the hour being over, wishes at parting, the door left open, thanks for the whole, thanks with a
resolution (谢谢你，我会努力的). Encouragement (加油) and thanks for one answer are not goodbyes.
"""

from __future__ import annotations

import re
from typing import Final

from practicum.measures.cues import holds_any

PAPER_ENDINGS: Final[tuple[str, ...]] = (
    "再见",
    "加油",
    "保重",
    "欢迎回来",
    "一切顺利",
    "祝你好运",
    "期待听到",
    "期待再次",
    "期待你",
    "下一次",
    "下次见",
)
"""Any of these, anywhere in the counselor's turn, ends a session in the origin (`interactive_agents.py`)."""

_PAPER = re.compile("|".join(PAPER_ENDINGS))

# A goodbye counts where a clause begins with it and little follows: two short sentences at most, none of them a question.
_ZH_TAIL, _ZH_REST = 72, 40
_EN_TAIL, _EN_REST = 180, 90

# What no goodbye is without. Every alternative begins with a plain character: that lets the search skip.
_ZH_CUE = re.compile(
    r"再[见会一次聊]|拜拜|保重|告辞|晚安|祝|下[一次周回个星]|[明后改]天|回头|周[一二三四五六日末]|到[这此]|时间|随时|先|得走|该走|谢|感谢"
)
_EN_CUES = (
    "bye",
    "see you",
    "see ya",
    "seeing",
    "take care",
    "until",
    "talk",
    "speak",
    "meet",
    "have a",
    "today",
    "for now",
    "next",
    "to go",
    "to leave",
    "get going",
    "head out",
    "must go",
    "must leave",
    "should go",
    "should leave",
    "gotta",
    "better go",
    "wish",
    "luck",
    "good night",
    "goodnight",
    "farewell",
    "all the best",
    "thank",
    "reach",
    "come back",
    "contact",
    "door",
)

_YOU = "(?:你们?|您|大家)"
_NEXT = "(?:下一?[次周回]|下个?(?:星期|礼拜|周)|[明后改]天|回头|下?(?:周|星期|礼拜)[一二三四五六日天末])"
_TAIL_SOUND = "[了啦吧哦呀哈咯喽的]*"
_WITHIN = "[^，。！？,!?]"
_ZH_EDGE = r"[，。！,!;；~～…\s—]"
_ZH = re.compile(
    rf"(?:^|{_ZH_EDGE})"
    r"(?:(?:那么?|好[的了吧]?|嗯+|行|最后|也|再次|在此|真心|衷心|我们?|咱们|就|先|老师|医生|小\w)[，,]?){0,4}"
    r"(?:"
    # goodbye itself, and whoever it is said to
    rf"(?:[跟和向与]{_YOU}(?:说|道))?(?:再见|拜拜|再会|晚安|告辞){_TAIL_SOUND}(?:老师|医生|咨询师|小姐|先生|女士|朋友们?|小\w|[你您])?"
    # another time
    rf"|{_NEXT}[^，。！？,!?说想没不他她]{{0,8}}?(?:见面?|再?聊|再谈|再?继续(?:聊|谈|探讨|讨论)?{_WITHIN}{{0,20}}){_TAIL_SOUND}(?:再见)?"
    rf"|期待(?:着)?{_WITHIN}{{0,8}}(?:下一?次|下周|再次){_WITHIN}{{0,12}}"
    # the hour is over, or the speaker leaves
    rf"|(?:今天|这次|本次){_WITHIN}{{0,6}}到(?:这里?|这儿|此)(?:为止|结束)?{_TAIL_SOUND}"
    rf"|(?:今天的?)?时间(?:也)?(?:差不多)?(?:到|不早){_TAIL_SOUND}"
    rf"|(?:得|该|要)(?:先)?(?:走|下线|挂){_TAIL_SOUND}|先(?:走|下线|挂|告辞){_TAIL_SOUND}"
    # wishes at parting, and the door left open
    rf"|(?:请|{_YOU}|多多?|也|要|一定|照顾好自己)*保重(?:身体|自己)?{_TAIL_SOUND}"
    rf"|祝(?:愿|福)?(?:{_YOU}|愿|一切|早日|好运){_WITHIN}*"
    rf"|(?!请[你您]){_WITHIN}{{0,14}}随时(?:都|可以|能|欢迎|再|来|回来|向|找|跟|和|与|给|联系|告诉|私信)+(?:我|聊聊|咨询){_WITHIN}{{0,12}}"
    rf"|{_WITHIN}{{0,14}}随时(?:都|可以|能|欢迎|再)*(?:回来|再来){_WITHIN}{{0,12}}"
    # thanks for the whole, or thanks and a resolution
    rf"|(?:非常|真的|十分|很)?(?:感谢|谢谢){_YOU}?[^，。！？,!?他她寻来]{{0,8}}(?:帮助|陪伴|倾听)"
    rf"|再一?次(?:感谢|谢谢){_WITHIN}*"
    rf"|(?:非常|真的|十分|很)?(?:感谢|谢谢)(?!他|她|我){_WITHIN}{{0,14}}[，。！](?:好的?|嗯|那)*我会[^。！？?但]{{0,30}}(?=[。！]?$)"
    rf")(?=$|{_ZH_EDGE})"
    rf"[^？?]{{0,{_ZH_REST}}}$"
)

_EN_EDGE = r"[.,!;:~…\n，。！—–-]"
_DAY = r"(?:next (?:time|week|session|month|\w+day)|then|soon|later|again(?: soon)?|around|tomorrow|on \w+day|in (?:a|two) \w+)"
_EN = re.compile(
    rf"(?:^|{_EN_EDGE})\s*"
    r"(?:(?:and|so|well|okay|ok|alright|all right|then|now|anyway|for now|thanks|thank you|i'll|i will|we can|we'll|we will|i'm|i am|let's|"
    r"please|but|until then),?\s+){0,4}"
    r"(?:"
    # goodbye itself, and whoever it is said to
    r"(?:say )?(?:good ?-?bye|bye(?:[ -]?bye)?|farewell|good ?night)(?: (?:for now|then|now|everyone|doctor|(?:dr|mr|ms|mrs)\.? \w+))?"
    r"|take care(?: of yourself)?"
    # another time
    r"|(?:(?:i|we) look forward to |looking forward to )?(?:see(?:ing)?|talk(?:ing)?|speak(?:ing)?|meet(?:ing)?)"
    rf"(?: (?:you|ya|to you|with you|with you again))? {_DAY}"
    r"|until (?:next (?:time|week)|then|we meet again)"
    # the hour is over, or the speaker leaves
    r"|that's (?:all|it)(?: (?:the time )?(?:we have|i have|i've got))?(?: time)?(?: for)? (?:today|now)"
    r"|(?:stop|end|leave it|wrap up|pause|finish|pick (?:this|it) up|continue)(?: (?:here|there|this|it|our session|again|up))*"
    r" (?:for )?(?:today|now|next (?:time|week|session))"
    r"|(?:i )?(?:have to|need to|should|must|gotta|better|got to) (?:go|leave|head out|get going)(?: now)?"
    # wishes at parting, and the door left open
    r"|(?:i hope you )?have a (?:good|great|nice|lovely|safe|wonderful|restful|peaceful) (?:\w+ )?"
    r"(?:day|one|evening|week|weekend|night|afternoon)"
    r"|(?:(?:i )?wish(?:ing)? you|good luck|best of luck|all the best|best wishes)[^.!?]*"
    r"|(?:my|the) door is always open"
    r"|(?:feel free to |you can (?:always )?)?(?:reach out|come back|contact me)[^.!?]{0,20} (?:any ?time|whenever)[^.!?]{0,30}"
    # thanks for the whole
    r"|(?:thanks?(?: you)?)(?: (?:so|very) much)?(?: again)? for "
    r"(?:all (?:your|of your)|everything|listening|your (?:help|time|support)|being here|today)[^.!?]*"
    rf")(?=$|{_EN_EDGE})"
    rf"[^?]{{0,{_EN_REST}}}$"
)
_LATIN = re.compile("[A-Za-z]{2}")


def paper_ending(text: str) -> bool:
    """Tell whether one of `PAPER_ENDINGS` stands anywhere in the text: the origin's rule, bit for bit."""
    return _PAPER.search(text) is not None


def says_goodbye(text: str) -> bool:
    """Tell whether the speaker takes leave at the end of the turn; both languages are tried, whatever the session's.

    Only the last 72 characters (180, where the text is all ASCII) are read. Reported or negated speech ("he said goodbye", 我想跟他说再见)
    is no goodbye: one must begin a clause, and at most 40 (90) characters without a question may follow it.
    """
    if not text.isascii():
        start = max(0, len(text) - _ZH_TAIL)
        if _ZH_CUE.search(text, start) and _ZH.search(text, start):
            return True
        if not _LATIN.search(text):
            return False
    plain = text.lower().replace("’", "'")
    start = max(0, len(plain) - _EN_TAIL)
    return holds_any(plain, _EN_CUES) and _EN.search(plain, start) is not None
