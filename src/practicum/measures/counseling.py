"""A client who has slipped into the counselor's chair."""

from __future__ import annotations

import re

from practicum.measures.cues import holds_any

_COUNSELOR = "(?:心理)?(?:咨询师|治疗师|辅导师|医生|顾问)"
_FEELING = "(?:感受|感觉|心情|情绪|痛苦|困扰|困惑|难受|焦虑|压力|担忧|担心|处境|无助|悲伤|不容易|难过)"
_ZH_CUE = re.compile("[你您]")
_ZH = re.compile(
    # says so; a client may well be a counselor by profession, so "yours" it must be
    rf"我(?:是|叫)(?:[^，。！？]{{1,6}}[，,]?\s*(?:我)?(?:也)?是?)?(?:你们?|您|这里)的?(?:一[名位个]|专属|专业的?)*{_COUNSELOR}(?!吗)"
    rf"|作为(?:你的?|您的?|专业的?)*{_COUNSELOR}[，,]?我(?!的)"
    # comforts, welcomes
    rf"|我(?:完全|非常|很|真的|也|都)*(?:能|可以|能够)?(?:够)?(?:很|完全)?(?:理解|体会|感受)(?:到|得到)?[你您](?:现在|此刻|内心|目前|一定|的|正|所|经历|这种|那种)*{_FEELING}"
    r"|我会(?:一直|始终)?(?:在(?:这里|你身边|您身边))?(?:陪伴|支持|陪着|倾听|帮助)(?:着)?[你您]"
    r"|我(?:会)?(?:一直)?在这里(?:陪伴?|支持|倾听|帮助?)(?:着)?[你您]"
    r"|(?:谢谢|感谢)[你您](?:的信任|(?:能|愿意|这么)(?:信任|告诉|坦诚|(?:和我|跟我|与我|向我)?(?:分享|倾诉)))"
    r"|(?:欢迎|感谢)[你您](?:来到|来|前来)(?:这里|咨询|我的|心理|寻求)"
    r"|(?:有什么|请问)(?:我)?(?:可以|能|能够)?(?:帮到|帮助|帮)(?:到)?[你您](?:的|吗|呢)?"
    # advises, questions
    r"|我(?:会)?建议[你您]"
    r"|[你您](?:也|还)?(?:可以|不妨)(?:先)?(?:试着|尝试|试试|考虑)(?![^。！？?]*(?:我|吗|[？?]))"
    r"|(?:可以|能|能否|能不能|愿意|方便|请)(?:再|多|具体|详细|跟我|和我|给我|向我)*(?:说说|谈谈|聊聊|讲讲|描述一?下?|分享一?下?)[你您](?!的?(?:看法|意见|建议|想法|经验|方法))"
    r"|(?:这|那)(?:件事|种感觉|样)?(?:让|使|给)[你您](?:感到|感觉|觉得|带来)(?:了)?(?:什么|怎么|如何|怎样)"
)
_EN_CUES = (
    "therapist",
    "counsel",
    "here to",
    "here for you",
    "you feel",
    "how you",
    "that you",
    "sounds like you",
    "you could",
    "you might",
    "you can",
    "you tell me",
    "you considered",
    "you tried",
    "for sharing",
    "help you",
    "suggest you",
    "encourage you",
    "recommend you",
    "your feelings",
)
_EN = re.compile(
    r"\b(?:i'm|i am|as) your (?:\w+ )?(?:therapist|counsell?or|psychologist)\b"
    r"|\bi(?:'m| am)(?: always| just)? here (?:to (?:support|help|listen|guide)|for) you\b|\bi(?:'m| am) here to (?:listen|support|help)\b"
    r"|\bhow (?:does|did|do) (?:that|this|it) make you feel\b"
    r"|\bi (?:can )?(?:completely |fully |really )?(?:understand|hear) (?:how|that|what) you(?:'re| are)? (?:feel|going through|must|been)"
    r"|\bi understand your feelings\b"
    r"|\bit sounds like you(?:'re|'ve| are| have| feel)\b"
    r"|\b(?:you (?:could|might|may|can) (?:want to )?(?:try|consider)|have you (?:considered|tried)) (?:to |some |a |\w+ing\b)"
    r"|\b(?:can|could|would) you (?:like to )?tell me (?:a (?:bit|little) )?more about (?:what|how|your)"
    r"|\bthank(?:s| you) for (?:sharing|opening up|trusting me)\b"
    r"|\bhow can i (?:help|support) you\b"
    r"|\bi(?:'d| would)? (?:suggest|encourage|recommend) you\b"
)


def counsels(text: str) -> bool:
    """Tell whether a client's turn does the counselor's work: introduces itself as one, comforts, advises or questions "you".

    Made for precision: what a client may well say (我理解你的意思, "can you tell me what to do?") does not count.
    """
    if not text.isascii() and _ZH_CUE.search(text) and _ZH.search(text):
        return True
    plain = text.lower().replace("’", "'")
    return holds_any(plain, _EN_CUES) and _EN.search(plain) is not None
