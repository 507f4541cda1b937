from __future__ import annotations

import pytest

from practicum.measures import confides, count_persons, invites


@pytest.mark.parametrize(
    "text",
    [
        "其实我自己也失眠好几年了。",
        "我理解你，我也曾经有过类似的经历。",
        "我老公也总是这样，回家就躺着。",
        "谢谢你的建议，我今晚就试试。",
        "你能帮我出出主意吗？我也不知道该怎么办。",
        "I went through the same thing last summer.",
        "My ex also left me, so I know.",
        "Thanks for the advice.",
    ],
)
def test_a_counselor_who_tells_their_own_troubles_or_takes_advice_confides(text: str) -> None:
    assert confides(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "我能感受到你的难过，我会一直在这里。",
        "谢谢你的信任。我建议你先休息几天。",
        "你可以对他说：“我也曾经有过类似的经历。”",
        '你想说 "我也曾经有过类似的经历" 对吗？',
        "I hear how tired you are. What happened in June?",
        "You wrote that I went silent; what did you see?",
    ],
)
def test_empathy_offers_and_quoted_speech_are_no_confidence(text: str) -> None:
    assert confides(text) == ""


def test_a_client_who_leads_the_exercise_invites() -> None:
    assert invites("请你闭上眼睛，想一想海边。") == "请你闭上眼"
    assert invites("Let's explore that together.") == "let's explore"
    assert invites("您觉得我们可以一起制定计划吗？") == ""


@pytest.mark.parametrize(
    ("text", "language", "persons"),
    [
        ("我觉得你说得对，我们再试试，自我安慰罢了。", "zh", (1, 1, 1)),
        ("他说“你真没用”，我很难过。", "zh", (1, 0, 0)),
        ("您好。", "zh", (0, 1, 0)),
        ("I told her “you are late” and my hands shook.", "en", (2, 0, 0)),
        ("Your sister called you twice.", "en", (0, 2, 0)),
    ],
)
def test_persons_are_counted_outside_quotation_marks(text: str, language: str, persons: tuple[int, int, int]) -> None:
    assert count_persons(text, language) == persons  # type: ignore[arg-type]
