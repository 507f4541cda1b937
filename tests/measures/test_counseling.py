from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.measures import counsels

Dialogue = list[tuple[str, str]]

COUNSELING = """
我是你的心理咨询师|我叫小安，是你的心理咨询师。|我是小安，你的咨询师。|作为咨询师，我会帮你|我理解你的感受|我能理解您现在的心情|你可以试着深呼吸|我会一直陪伴着你
我在这里支持你|感谢你的信任|谢谢你愿意和我分享|欢迎你来到这里|有什么可以帮你的吗|我建议你多运动|可以具体说说你的感受吗|这让你感到什么？|能谈谈你和父亲的关系吗
I'm your therapist.|As your counselor, I want you to feel safe.|I'm here to support you.|I am here to listen.|How does that make you feel?
I understand how you feel
I can hear that you are hurting... I understand what you're going through|It sounds like you're tired.|Have you considered talking to him?
You could try writing it down.
Could you tell me more about your family?|Thank you for sharing.|How can I help you today?|I’d suggest you rest.
"""
CLIENT = """
我理解你的意思|我想找一个心理咨询师|你可以试着帮我分析一下吗？|你能说说你的看法吗|我是来找咨询师的|我妈建议我多运动|他说他理解我的感受|我是一名心理咨询师，最近自己也撑不住了|谢谢你
你觉得我该怎么办？|我不知道怎么说|我能理解他的心情|您是心理咨询师吗？|我之前看过咨询师
Can you tell me what to do?|I feel tired.|My therapist said I should rest.|I'm here because I cannot sleep.|I see how you mean that
I am a counselor at a school and I am exhausted.|Can you help me?
"""


def cases(table: str) -> list[str]:
    return [text for line in table.strip().splitlines() for text in line.split("|")]


@pytest.mark.parametrize("text", cases(COUNSELING))
def test_the_counselors_work_is_noticed(text: str) -> None:
    assert counsels(text)


@pytest.mark.parametrize("text", cases(CLIENT))
def test_a_clients_words_are_not_taken_for_it(text: str) -> None:
    assert not counsels(text)


@given(st.text())
def test_any_text_can_be_asked(text: str) -> None:
    assert counsels(text) in {True, False}


def test_real_clients_pass_and_real_counselors_are_recognised(dialogues: list[Dialogue]) -> None:
    turns = {who: [text for dialogue in dialogues for speaker, text in dialogue if speaker == who] for who in ("client", "counselor")}
    assert sum(map(counsels, turns["client"])) <= len(turns["client"]) * 0.001
    assert sum(map(counsels, turns["counselor"])) >= len(turns["counselor"]) * 0.2
