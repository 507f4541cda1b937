from __future__ import annotations

import re
import tomllib
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.core import LANGUAGES, Language
from practicum.measures import Risk, find_risks
from practicum.measures.risk import _lexicon

Dialogue = list[tuple[str, str]]

RISKS = {
    Risk.SUICIDE: """
我真的想死|死了算了|活着没意思|不想活了|想结束生命|我去跳楼|我不敢死|我特别想自杀|这已经不是第一次自杀了|我一直想轻生|老师，我想消失|活着有什么意义|还不如死了
我不是不想死|我没有自杀的勇气|你有没有自杀的念头|是不是想自杀|我不得不想死|你怎么还不去死|我已经决定好离开这个世界|我写了遗书|朋友自杀了|我想suicide
I want to die.|I've been thinking about killing myself.|I don't want to live anymore.|Sometimes I feel suicidal.
I’m not scared, I just want to end my life.
They would be better off without me.|I just want to end it all.|I can't stop thinking about killing myself.
It's not that I don't want to die.
My friend killed himself last year.|I tried to hang myself.|Why not kill myself?|There is no point in living.
I don't have the courage to kill myself.
I took an overdose once.|Have you ever thought of suicide?|I wish I was dead.|I never wanted to live, I want to die
""",
    Risk.SELF_HARM: """
我割腕了|用小刀划自己|我会自残|我老是扇自己耳光|拿刀割手|用头撞墙|想做伤害自己的事|我有自伤行为
I cut myself last night.|I've been hurting myself.|I started self-harming in school.|I keep cutting my arms.
""",
    Risk.HARM_TO_OTHERS: """
我想杀了他|我想杀人|恨不得掐死他们|想拿刀砍我妈|巴不得他们都死掉|想要报复社会|希望她死
I want to kill him.|I keep having thoughts of hurting someone.|I could stab him.|I want to hurt people.
""",
    Risk.ABUSE: """
他家暴|我小时候被性侵|爸爸打我|我被妈妈打|他动手打了我一巴掌|从小挨打|他掐着我的脖子打我|老师性骚扰我|在学校被霸凌|他们叫我去死
My dad beats me when he is drunk.|He hit me again.|I was raped.|My stepfather touched me inappropriately.|It's domestic violence.
He slapped me.
Kids at school bully me.|My husband is abusive.
""",
}

NO_RISKS = """
我不想死|没有自杀的想法|我没有自杀的念头|从没想过自杀|不会伤害自己|累死了|气死我了|想死你了|笑死我了|热死了|并没有想自杀也不是想跳楼|从来没有过轻生的念头
我没有不想活|无聊死了|他打我电话我没接|我想好好活着|我不想活在过去|规划自己的人生|减轻身心压力|把生活过好|死板的人|我对他死心了|我不会自杀的|别自杀
不想活得这么累|他从来没打过我|我被他打动了|请不要伤害自己|我算是被打败了|他骂我小气
I don't want to die.|I never thought of killing myself.|I have no suicidal thoughts.|I'm not suicidal.|I wouldn't hurt myself.
It hit me that I was alone.
I'm dying to see you.|I laughed so hard I nearly died.|I spend my life at work.|I cut myself shaving.|He beat me at chess.
This job is killing me.|I burned myself out.
I'm killing time.|It was to die for.|I would never kill anyone.|I do not have any thoughts of suicide.
I haven't had any thoughts of harming myself.|He never hit me.
I DON’T want to die.|Let's move on to the next question about school.
"""


def cases(table: str) -> list[str]:
    return [text for line in table.strip().splitlines() for text in line.split("|")]


@pytest.mark.parametrize(("risk", "text"), [(risk, text) for risk, table in RISKS.items() for text in cases(table)])
def test_speech_of_risk_is_labelled(risk: Risk, text: str) -> None:
    assert risk in find_risks(text)


@pytest.mark.parametrize("text", cases(NO_RISKS))
def test_denials_and_idioms_are_no_risks(text: str) -> None:
    assert find_risks(text) == ()


def test_kinds_are_sorted_and_named_once_whatever_the_language() -> None:
    assert find_risks("他打我，我想死，我自残。I want to die, he hits me") == (Risk.ABUSE, Risk.SELF_HARM, Risk.SUICIDE)


def test_what_follows_a_denial_is_still_read() -> None:
    assert find_risks("我不想死，但是活着没意思") == (Risk.SUICIDE,)
    assert find_risks("我没想过自杀，可是有时候会自残") == (Risk.SELF_HARM,)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phrase_begins_with_a_character_of_its_own(language: Language) -> None:
    """The search groups phrases by their first character: it must be plain, and what follows must not repeat it."""
    for phrase in phrases_of(language):
        assert phrase[0].isalpha()
        assert phrase[1] not in "?*+{"


def phrases_of(language: Language) -> list[str]:
    data = tomllib.loads(files("practicum.measures").joinpath("instruments", f"risk.{language}.toml").read_text("utf-8"))
    assert set(data["phrases"]) == set(Risk)
    return [phrase for kind in data["phrases"].values() for phrase in kind]


@pytest.mark.parametrize("language", LANGUAGES)
@given(data=st.data())
def test_every_phrase_passes_the_pre_filters(language: Language, data: st.DataObject) -> None:
    phrase = data.draw(st.sampled_from(phrases_of(language)))
    # Lookbehinds look before the phrase, where a test string has nothing.
    text = data.draw(st.from_regex(re.compile(phrase, re.ASCII), fullmatch=True))
    lexicon = _lexicon(language)
    assert lexicon.may_hold(text)
    assert lexicon.any.search(text)


@given(st.text())
def test_any_text_can_be_asked(text: str) -> None:
    assert list(find_risks(text)) == sorted(set(find_risks(text)))


def test_the_origins_profiles_are_labelled_at_least_as_widely_as_by_a_word_list(profiles: list[str]) -> None:
    words = re.compile("自杀|自残|想死|不想活(?!在)|轻生|割腕|跳楼|自伤|结束生命|去死|寻死|自尽|活不下去")
    found = {text for text in profiles if {Risk.SUICIDE, Risk.SELF_HARM} & set(find_risks(text))}
    assert not [text for text in profiles if words.search(text) and text not in found]
    assert 0.13 <= len(found) / len(profiles) <= 0.16  # 147 of 1,000; read by eye, about 6 of them are no risk


def test_most_real_turns_speak_of_no_risk(dialogues: list[Dialogue]) -> None:
    turns = [text for dialogue in dialogues for _, text in dialogue]
    assert 0 < sum(bool(find_risks(text)) for text in turns) < len(turns) * 0.03
