from __future__ import annotations

import pytest

from practicum.measures import speaks_as_model


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("抱歉，作为一个人工智能语言模型，我没有情感。", "作为一个人工智能"),
        ("您好，我是您的智能心理助手。", "我是您的智能心理助手"),
        ("我毕竟是个机器人，有些情绪我学不会。", "我毕竟是个机器人"),
        ("对不起，我不能继续讨论这个话题。", "对不起，我不能继续讨论"),
        ("我无法满足您的这个要求。", "我无法满足您"),
        ("As an AI language model, I have no feelings.", "as an ai"),
        ("Oh. I’m sorry, but I can’t help with that.", "sorry, but i can't help with that"),
        ("I'm not a real person, but I can listen.", "i'm not a real person"),
        ("他说“我是AI”，可是我是一个AI。", "我是一个ai"),
    ],
)
def test_a_speaker_who_calls_themselves_a_model_or_refuses_as_one_is_quoted(text: str, said: str) -> None:
    assert speaks_as_model(text).lower() == said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "我是学人工智能专业的，天天写程序。",
        "我是一名程序员，作为一个女孩子压力很大。",
        "很抱歉，我不能替你做决定。",
        "I work on language models and I feel like a machine.",
        "I'm sorry, I can't stop crying.",
        "As an adult I should know better.",
        "我同桌说：“作为一个机器人，你会难过吗？”",
    ],
)
def test_talk_of_machines_and_honest_limits_are_no_refusal(text: str) -> None:
    assert speaks_as_model(text) == ""
