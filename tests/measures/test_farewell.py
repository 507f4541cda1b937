from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.measures import PAPER_ENDINGS, paper_ending, says_goodbye

Dialogue = list[tuple[str, str]]

GOODBYES = """
再见！|拜拜|好的，谢谢，再见。|那我们下周见。|回头见|下次见|下次再聊吧|改天聊|好的，我先走了|我得走了。|你也多保重|保重。|今天就到这里吧
那我们今天就先聊到这里。|我们下次再继续。|我们下次继续探讨如何与继母建立更好的关系。|再见，李琼小姐。祝你一切顺利。|祝您早日走出困境！
有需要随时来找我。|谢谢老师，再见老师|感谢您的帮助，我会努力的。|谢谢你，我会努力的。|再次感谢你！|那我们下周三同一时间再见。|那就先和你说再见了
不客气，期待下一次与您的交流。|时间差不多到了，我们下次再聊。|好，拜拜啦，谢谢你！|好的，bye bye~|欢迎随时回来。
Goodbye.|Bye!|Okay, thank you. Bye bye!|See you next week.|I'll see you next week.|Thanks, see you then!|Take care.
I’ll see you on Thursday.
Take care of yourself, and goodbye for now.|Until next time.|Talk to you later.|That's all for today.|That's all we have time for today.
Let's stop here for today.|I have to go now.|We'll continue next week.|Let's pick this up next time.|Good luck with everything.
Thank you for everything.|I wish you all the best.|I look forward to seeing you next week.|Have a good day.|My door is always open.
"""

NO_GOODBYES = """
他跟我说了再见|我想跟他说再见|我每次说再见都很难受。|我们再见面的时候他变了|我们再见面的时候|下次见面我想谈谈父亲。|你下次见他的时候会说什么？
再见？你是说要结束吗？|我怕她随时会离开我，我不知道该怎么办。|我觉得时间过得很慢|今天就到这里了吗？|谢谢他一直陪着我|加油！|谢谢你的建议。
他一生气我就先走了，后来我们再也没说话，我整个人都很乱，也不知道该怎么办，每天都在想这件事。|感谢您来寻求帮助。我们先聊聊近况。
能不能说说那天再见他的情形|我得走出来|我真的要走很远的路|下周我有考试|我下次还是会和他聊这个|我先说说我的情况|回头想想我挺后悔的
谢谢您的建议，我会试试。但是我还是担心他不理我，我不知道该怎么办才好。|请你随时向我倾诉你的想法
I couldn't say goodbye to my mother|saying goodbye is hard|I never said goodbye.|I have to take care of my kids.
I want to see you next to me
My mother takes care of me.|I see.|Goodbyes are hard for me.|He just left without a goodbye kiss.|Should I say goodbye?
He said "take care" and left.
I need to go back to that day.|I have to go to school every day and I hate it.|Thank you for asking about that. What did you feel?
"""


def cases(table: str) -> list[str]:
    return [text for line in table.strip().splitlines() for text in line.split("|")]


@pytest.mark.parametrize("text", cases(GOODBYES))
def test_a_goodbye_at_the_end_is_heard(text: str) -> None:
    assert says_goodbye(text)


@pytest.mark.parametrize("text", cases(NO_GOODBYES))
def test_talk_of_goodbyes_is_none(text: str) -> None:
    assert not says_goodbye(text)


def test_a_goodbye_counts_only_near_the_end() -> None:
    assert says_goodbye("再见！" + "祝" * 30)
    assert not says_goodbye("再见！" + "我其实还有一件事没有讲完" * 6)
    assert says_goodbye("Goodbye. " + "It was good to talk to you.")
    assert not says_goodbye("Goodbye. " + "There is one more thing that I never told anyone. " * 3)


@pytest.mark.parametrize("ending", PAPER_ENDINGS)
def test_each_of_the_papers_eleven_endings_fires_wherever_it_stands(ending: str) -> None:
    assert paper_ending(f"他说{ending}的时候我哭了")


@given(st.text(), st.sampled_from(["", *PAPER_ENDINGS]), st.text())
def test_the_papers_rule_is_a_plain_substring_test(before: str, ending: str, after: str) -> None:
    text = before + ending + after
    assert paper_ending(text) == any(listed in text for listed in PAPER_ENDINGS)


@given(st.text())
def test_any_text_can_be_asked(text: str) -> None:
    assert says_goodbye(text) in {True, False}


def share(dialogues: list[Dialogue], holds: Callable[[Dialogue], bool]) -> float:
    return sum(map(holds, dialogues)) / len(dialogues)


def said_by(dialogue: Dialogue, speaker: str) -> list[str]:
    return [text for who, text in dialogue if who == speaker]


def test_most_finished_dialogues_end_in_a_counselors_goodbye_and_few_hold_an_early_one(dialogues: list[Dialogue]) -> None:
    """The paper's keywords reach 0.34 to 0.44 and are early in 0.02 to 0.04 of these samples."""
    assert share(dialogues, lambda dialogue: says_goodbye(said_by(dialogue, "counselor")[-1])) > 0.55
    assert share(dialogues, lambda dialogue: any(map(says_goodbye, said_by(dialogue, "counselor")[:-2]))) < 0.05


def test_clients_goodbyes_are_found_and_rarely_early(dialogues: list[Dialogue]) -> None:
    assert share(dialogues, lambda dialogue: says_goodbye(said_by(dialogue, "client")[-1])) > 0.35
    assert share(dialogues, lambda dialogue: any(map(says_goodbye, said_by(dialogue, "client")[:-2]))) < 0.03


def test_mutual_goodbyes_almost_never_cut_a_dialogue_short(dialogues: list[Dialogue]) -> None:
    def cut_short(dialogue: Dialogue) -> bool:
        heard: set[str] = set()
        for index, (speaker, text) in enumerate(dialogue):
            if says_goodbye(text):
                heard.add(speaker)
            if len(heard) == 2:
                return len(said_by(dialogue[index + 1 :], "counselor")) >= 2
        return False

    assert share(dialogues, cut_short) < 0.02
