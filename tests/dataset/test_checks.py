"""Each check on a conversation that it must drop, and on the same one without the fault."""

from __future__ import annotations

from typing import Any

import pytest

from practicum.core import Profile, Speaker
from practicum.dataset.checks import MOST, RULES, Check, Finding, Mend, examine, mend
from practicum.dataset.conversation import Conversation, Line
from practicum.dataset.curate_config import ChecksConfig

SPEAKERS = {"c": Speaker.CLIENT, "k": Speaker.COUNSELOR}
ZH = (
    "c 我换了新工作以后总觉得自己跟不上，白天开会脑子一片空白。",
    "k 您说的跟不上，最近一次是什么时候？",
    "c 上周二经理问我进度，我说快好了，其实还差一大半。",
    "k 说快好了的那一刻，您在担心什么？",
    "c 怕他觉得我慢，怕被换掉，回家以后就一直睡不着。",
    "k 睡不着的时候，您通常做些什么？",
    "c 刷手机到两三点，第二天更没精神，越来越慢。",
    "k 听起来怕慢反而让您更慢了，要是周二直接说还要两天呢？",
    "c 有点吓人，可也比熬到三点强，我先发消息试试吧。",
    "k 发消息是一个很实在的开始，下周我们一起看看他怎么回。",
    "c 好的，谢谢您，那我们下周见。",
    "k 下周见，路上小心。",
)
EN = (
    "c I have been putting off everything at my new job and I feel like a fraud.",
    "k What goes through your head on a usual morning?",
    "c That somebody will find out I learned it all from videos, so I clean the kitchen.",
    "k And what happens with the ticket while you clean?",
    "c It gets older. My manager asked about it and my stomach dropped.",
    "k What did you answer when he asked?",
    "c I said it was nearly done. It was not, and I stayed up until three.",
    "k Suppose you tell him on Tuesday that you need two more days?",
    "c Less scary than three in the morning. I could write it in the chat.",
    "k A message in the chat is a start. See you next week.",
    "c Thank you, see you next week.",
    "k Take care.",
)


def make(*lines: str, language: str = "zh", **fields: Any) -> Conversation:
    given: dict[str, Any] = {"id": "1", "source": "run", "licence": "", "group": "g", "language": language, **fields}
    return Conversation(lines=tuple(Line(SPEAKERS[line[0]], line[2:]) for line in lines), **given)


def say(lines: tuple[str, ...], **said: str) -> tuple[str, ...]:
    """Replace turns: `say(ZH, t3="…")`."""
    return tuple(f"{line[:2]}{said.get(f't{index}', line[2:])}" for index, line in enumerate(lines))


def checks_of(conversation: Conversation, **config: Any) -> list[Check]:
    return [finding.check for finding in examine(conversation, ChecksConfig(**config))]


@pytest.mark.parametrize("conversation", [make(*ZH), make(*EN, language="en")], ids=["zh", "en"])
def test_a_sound_conversation_passes_and_needs_no_mending(conversation: Conversation) -> None:
    assert mend(conversation) == (conversation, {})
    assert mend(conversation)[0] is conversation
    assert examine(conversation, ChecksConfig()) == []


FAULTS = {
    Check.TOO_SHORT: (make(*ZH[:4], *ZH[-2:]), make(*EN[:2], *EN[-2:], language="en")),
    Check.ROLE_FLIP: (
        make(*say(ZH, t4="我理解你的感受，你可以试着把担心写下来。")),
        make(*say(ZH, t4="请你闭上眼睛，告诉我你看到了什么。")),
        make(*say(ZH, t5="我以前也失眠过，我老公也总说我。")),
        make(*say(ZH, t5="那会儿我天天加班，后来我辞职了，我很难受。")),
        make(*say(ZH, t6="你这样不行。你太要强了，你的方法不对。")),
        make(*say(ZH, t4="我怕他。咨询师：你怕什么呢？来访者：怕丢人。")),
        make(*say(ZH, t4="我怕他。\n支持者：那就别去。")),
        make(*say(EN, t5="My own divorce nearly broke me, I went through the same."), language="en"),
        make(*EN[:6], *(("k" if line[0] == "c" else "c") + line[1:] for line in EN[6:]), language="en"),
    ),
    Check.AI_SELF: (
        make(*say(ZH, t5="抱歉，作为一个人工智能语言模型，我不能给您建议。")),
        make(*say(EN, t4="I'm sorry, but I can't help with that request."), language="en"),
    ),
    Check.PRAISE: (
        make(*say(ZH, t1="你真棒，加油！", t3="别难过，一切都会好的！", t5="我为你感到骄傲。", t7="相信自己，你可以的！")),
        make(
            *say(EN, t1="You are amazing!", t3="I am so proud of you.", t5="You've got this!", t7="Everything will be okay."),
            language="en",
        ),
    ),
    Check.REPEATS: (
        make(*say(ZH, t6=ZH[2][2:].replace("，", "！"))),
        make(*say(ZH, t6="我真的不知道该说什么，" * 5)),
        make(*say(EN, t7="It may help to say what you need. " * 1 + "I do not know what to tell you. " * 5), language="en"),
    ),
    Check.LISTS: (
        make(*say(ZH, t5="您可以：1. 早睡。2. 散步。")),
        make(*say(EN, t5="Try this:\n- stop\n- breathe\n- go on"), language="en"),
    ),
    Check.SCRIPT: (
        make(*say(ZH, t5="I understand how you feel, please tell me more about the nights.")),
        make(*say(ZH, t5="睡不着\ufffd\ufffd的时候呢？")),
        make(*say(ZH, t5="眠れないときは何をしますか。")),
        make(*say(EN, t5="睡不着的时候，您通常做些什么？"), language="en"),
    ),
    Check.EARLY_ENDING: (
        make(*say(ZH, t2="谢谢您，我明白了，我会试试的。")),
        make(*say(ZH, t3="时间到了，我们下周见。")),
        make(*say(EN, t2="I have to go now. See you next week."), language="en"),
    ),
    Check.NO_ENDING: (
        make(*ZH[:10], "c 我还是很担心，不知道怎么跟他说。"),
        make(*ZH[:-2], "c 好的，谢谢您。", "k 不客气，下周我们接着谈谈您和经理的"),
        make(*EN[:9], language="en"),
    ),
    Check.RISK: (
        make(*say(ZH, t4="我有时候真的不想活了。")),
        make(*say(EN, t4="Sometimes I think about killing myself."), language="en"),
    ),
}


@pytest.mark.parametrize(("check", "faulty"), [(check, one) for check, all_ in FAULTS.items() for one in all_])
def test_a_fault_is_found_by_its_check_alone_and_quoted(check: Check, faulty: Conversation) -> None:
    found = {finding.check: finding for finding in examine(faulty, ChecksConfig())}
    assert check in found
    finding = found[check]
    assert 0 < len(finding.detail) <= MOST
    assert "\n" not in finding.detail
    assert finding.line is None or 0 <= finding.line < len(faulty.lines)
    assert check not in checks_of(faulty, off=(check,))


STORY = "父亲三年前得肝癌走了。我养的橘猫被邻居的货车压死，埋在桂花树底下，从那以后我一听到卡车声就发抖。"


def test_a_client_who_recites_the_profile_is_found_and_one_who_tells_it_is_not() -> None:
    recites = make(*ZH, profile=Profile.of("".join(line[2:] for line in ZH if line[0] == "c")))
    assert checks_of(recites) == [Check.COPIED]
    assert checks_of(make(*ZH, profile=Profile.of("我在新公司怕慢，常常熬夜刷手机，经理一问就慌。"))) == []
    assert checks_of(recites, copied_share=1.0) == [Check.COPIED]


def test_a_counselor_who_knows_what_was_not_told_is_found() -> None:
    leaking = make(*say(ZH, t3="橘猫埋在桂花树下，货车声还让您发抖吗？"), profile=Profile.of(STORY))
    (finding,) = examine(leaking, ChecksConfig())
    assert (finding.check, finding.line) == (Check.LEAK, 3)
    assert "橘猫" in finding.detail
    told = make(*say(ZH, t2="我的橘猫被货车压死，埋在桂花树下。", t3="橘猫埋在桂花树下，货车声还让您发抖吗？"), profile=Profile.of(STORY))
    assert checks_of(told) == []
    facts = Profile(id="p", text="我很累。", language="zh", facts={"经历": STORY})
    assert checks_of(make(*say(ZH, t3="橘猫埋在桂花树下，货车声还让您发抖吗？"), profile=facts)) == [Check.LEAK]
    english = make(
        *say(EN, t3="And the quarry, the tractor, the coffin?"),
        language="en",
        profile=Profile.of("My brother drowned in the quarry; a tractor paid for the coffin."),
    )
    assert checks_of(english) == [Check.LEAK]


def test_risk_that_the_store_knows_counts_without_words() -> None:
    assert examine(make(*ZH, risk=("suicide",)), ChecksConfig()) == [Finding(check=Check.RISK, detail="suicide")]


def test_a_client_who_only_says_yes_is_too_short_however_many_turns_there_are() -> None:
    silent = make(*(f"c {'嗯。' if line[0] == 'c' else ''}" if line[0] == "c" else line for line in ZH))
    (finding,) = [one for one in examine(silent, ChecksConfig()) if one.check is Check.TOO_SHORT]
    assert finding.detail.startswith("the client says little")


def test_findings_come_in_the_order_of_the_checks_one_for_each() -> None:
    found = checks_of(make("c 我真的不想活了。", "k 作为一个人工智能，我不能回答。"))
    assert found == sorted(found, key=list(Check).index)
    assert {Check.TOO_SHORT, Check.AI_SELF, Check.RISK} <= set(found)
    assert list(RULES) == list(Check)
    assert checks_of(make("c 你好")) == [Check.TOO_SHORT]
    assert checks_of(make()) == [Check.TOO_SHORT]


def test_thresholds_are_the_configurations() -> None:
    listed = make(*say(ZH, t5="您可以：1. 早睡。2. 散步。"))
    assert checks_of(listed, list_share=0.5) == []
    repeated = make(*say(ZH, t6=ZH[2][2:]))
    assert checks_of(repeated, repeat_share=0.5) == []
    mixed = make(*say(ZH, t5="睡不着的时候，您会不会觉得 empty and tired and lost，想找个人说说话，又怕打扰到他们呢？"))
    assert Check.SCRIPT in checks_of(mixed)
    assert checks_of(mixed, other_script_share=0.9) == []
    sprinkled = make(*(f"{line}，completely exhausted" for line in ZH[:-2]), *ZH[-2:])
    (finding,) = examine(sprinkled, ChecksConfig())
    assert (finding.check, finding.line) == (Check.SCRIPT, None)  # no turn has four words of it, but together …
    assert checks_of(sprinkled, other_script_share=0.6) == []


def test_labels_directions_and_white_space_are_mended_and_counted_by_turn() -> None:
    rough = make(
        "c 来访者：我很累\u200b。",
        "k  （沉默）\r\n您说。 ",
        "k **咨询师**：慢慢说。",
        "c （哭泣）",
        "c 嗯，  好。",
        "k ……",
        "k 再见。",
        "k Bye\tnow.",
    )
    mended, counts = mend(rough)
    assert mended.lines == (
        Line(Speaker.CLIENT, "我很累。"),
        Line(Speaker.COUNSELOR, "您说。\n慢慢说。"),
        Line(Speaker.CLIENT, "嗯， 好。"),
        Line(Speaker.COUNSELOR, "再见。\nBye now."),
    )
    assert counts == {Mend.LABEL: 2, Mend.STAGE_DIRECTION: 2, Mend.WHITESPACE: 4, Mend.JOINED: 2, Mend.EMPTY: 2}
    assert mend(mended) == (mended, {})


def test_words_are_never_mended() -> None:
    said = make("c 我爸（装修公司的）说：“来访者：不行”。\n我没说话。", "k I *really* mean (her sister) it.", language="en")
    assert mend(said) == (said, {})
