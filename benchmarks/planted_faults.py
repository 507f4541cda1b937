"""Figure 25: the checks of curation on planted faults, and how often they alarm on corpora as they are.

For each check 50 conversations with a planted fault and 500 without. The latter are dialogues of SmileChat and CPsyCounD out of which
that fault was taken by a rule which is not the check's; the former are such dialogues with the fault put in, in several ways each, a
fifth of them in English (`planted_faults.toml`: written fresh). Of the corpora as they are, the alarms of each check are counted, and
those that were read by eye (`alarms_read.json`: up to 20 of each check, drawn with a fixed seed) say how many were right.
"""

from __future__ import annotations

import json
import random
import re
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.table import Row, Verdict
from practicum.core import Language, Profile, Speaker
from practicum.dataset.checks import Check, examine, mend
from practicum.dataset.conversation import Conversation, Line
from practicum.dataset.curate_config import ChecksConfig

FIGURE = 25
SHARED = Path(__file__).parents[2] / "shared" / "data"
WRITTEN: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
READ = Path(__file__).with_name("alarms_read.json")
PLANTED, ENGLISH, CLEAN, DRAWN = 50, 10, 500, 20
RECALL, FALSE_ALARMS = 0.95, 0.02
CLIENT, COUNSELOR = Speaker.CLIENT, Speaker.COUNSELOR

Lines = list[Line]
Clean = Callable[[Lines], Lines]


@dataclass(frozen=True, slots=True)
class Planted:
    """A conversation made for a check."""

    conversation: Conversation
    way: str
    """How the fault was put in; "" for one without."""


Plant = Callable[[Lines, Language, int, random.Random], tuple[Lines, str, str]]
"""Lines without the fault, their language, a number and a source of chance → lines with it, the profile ("" for none), the way."""


def measure_figure(bench: Bench) -> list[Row]:
    """Return a row for each check, one for the corpora as they are, one for the time."""
    corpora = read_corpora()
    if not corpora:
        return [
            Row(figure=FIGURE, measure="planted faults", reach="", ours="the shared dialogues are not here", verdict=Verdict.NOT_MEASURED)
        ]
    planted, clean = (10, 50) if bench.quick else (PLANTED, CLEAN)
    rows = [replace(row, verdict=bench.verdict(row.verdict is Verdict.REACHED)) for row in faults(corpora, planted, clean)]
    return [*rows, *alarms(corpora), speed(corpora)]


def read_corpora() -> list[Conversation]:
    """Return the samples of SmileChat and CPsyCounD as they are; none where they are not beside the repository."""
    found = []
    for name in ("smilechat", "cpsycound"):
        path = SHARED / "dialogues" / f"{name}-sample.jsonl"
        for text in path.read_text("utf-8").splitlines() if path.exists() else ():
            row = json.loads(text)
            lines = [Line(Speaker(turn["speaker"]), turn["text"]) for turn in row["turns"]]
            found.append(conversation(lines, "zh", id=row["id"], source=name))
    return found


def conversation(lines: Sequence[Line], language: Language, *, id: str, source: str = "planted", profile: str = "") -> Conversation:  # noqa: A002
    """Make a conversation."""
    story = Profile.of(profile, language) if profile else None
    return Conversation(id=id, source=source, licence="", language=language, lines=tuple(lines), profile=story, group=id)


# ── the fault, out ───────────────────────────────────────────────────────────────────────────────────────────────────


_SENTENCE = re.compile(r"[^。！？!?\n]+[。！？!?]*\n?")


def without(lines: Lines, fault: Callable[[Line, str], bool]) -> Lines:
    """Take sentences out; of a turn with nothing left only a nod (嗯，是这样的。) stays."""
    kept = []
    for line in lines:
        text = "".join(one for one in _SENTENCE.findall(line.text) if not fault(line, one))
        kept.append(Line(line.speaker, text or ("嗯，是这样的。" if line.speaker is CLIENT else "嗯，您接着说。")))
    return kept


def keep(lines: Lines) -> Lines:
    """Nothing has to be taken out."""
    return lines


def no_flip(lines: Lines) -> Lines:
    """Drop the counselor's sentences about themselves alone, the client's about the counselor alone, and labels."""
    bare = [Line(line.speaker, re.sub(r"(?:来访者|咨询师|求助者|支持者|\b[AB])[^：，。]{0,6}：", "", line.text)) for line in lines]
    return without(
        bare,
        lambda line, one: (
            (("我" in one and not re.search("[你您]", one)) if line.speaker is COUNSELOR else bool(re.search("[你您]", one)))
            or bool(re.search("我(?:也|以前|曾|之前|自己|当时)", one) and line.speaker is COUNSELOR)
        ),
    )


def no_model(lines: Lines) -> Lines:
    """Drop sentences with the names of machines, and apologies."""
    return without(lines, lambda line, one: bool(re.search("AI|人工智能|模型|机器人|程序|助手|抱歉|对不起", one)))


def no_praise(lines: Lines) -> Lines:
    """Let each of the counselor's turns but the last have a question."""
    asks = ["那一刻您心里想到了什么？", "这种情况大概持续多久了？", "当时身边有谁在？", "您希望先谈哪一部分？"]
    last = max(index for index, line in enumerate(lines) if line.speaker is COUNSELOR)
    return [
        Line(line.speaker, line.text + asks[index % 4]) if line.speaker is COUNSELOR and index < last and "？" not in line.text else line
        for index, line in enumerate(lines)
    ]


def no_repeats(lines: Lines) -> Lines:
    """Drop turns that begin as an earlier one does, with the turn that follows; and clauses that stand in a turn more than twice."""
    kept: Lines = []
    begun: set[tuple[Speaker, str]] = set()
    for line in lines:
        if (line.speaker, line.text[:6]) in begun or (kept and kept[-1].speaker is line.speaker):
            continue
        begun.add((line.speaker, line.text[:6]))
        counts = Counter(re.split("[，。！？、]", line.text))
        often = {clause for clause, count in counts.items() if clause and count > 2}
        kept.append(
            Line(line.speaker, "".join(part for part in re.split("(?<=[，。！？、])", line.text) if part.rstrip("，。！？、") not in often))
        )
    return [line for line in kept if line.text]


def no_lists(lines: Lines) -> Lines:
    """Take marks off and join lines."""
    return [
        Line(
            line.speaker,
            re.sub(
                r"[\d一二三四五六七八九十]{1,2}\s*[.．、)）】:：]|[（(【]\s*[\d一二三四五六七八九十]{1,2}|[^\w\s，。！？、；：“”‘’（）《》,.!?…—~～%]|\s*\n\s*",
                "",
                line.text,
            )
            or "嗯。",
        )
        for line in lines
    ]


def no_script(lines: Lines) -> Lines:
    """Keep Chinese, figures, punctuation and the first two words in Latin script."""
    kept = []
    for line in lines:
        text = re.sub(r"&\w+;|[^\u4e00-\u9fff\u3000-\u303f\uff00-\uffef\x20-\x7e“”‘’…—·\n]", "", line.text)
        words = iter(range(1_000))
        kept.append(Line(line.speaker, re.sub("[A-Za-z]+", lambda word: word[0] if next(words) < 2 else "", text) or "嗯。"))  # noqa: B023
    return kept


def no_early(lines: Lines) -> Lines:
    """Cut clauses of thanks, wishes and goodbyes out of all but the last four turns."""
    fault = re.compile("[^，。！？]*(?:谢|感激|再见|拜拜|祝|保重|晚安|随时|下次|下周|回头)[^，。！？]*[，。！？]*")
    return [
        Line(line.speaker, fault.sub("", line.text) or "嗯，是这样的。") if index < len(lines) - 4 else line
        for index, line in enumerate(lines)
    ]


def with_ending(lines: Lines) -> Lines:
    """End with a farewell."""
    whole = lines if lines[-1].speaker is COUNSELOR else lines[:-1]
    client, counselor = WRITTEN["endings"]["zh"][len(lines[0].text) % len(WRITTEN["endings"]["zh"])]
    return [*whole, Line(CLIENT, client), Line(COUNSELOR, counselor)]


def no_risk(lines: Lines) -> Lines:
    """Drop sentences with any word near violence, death or harm."""
    fault = re.compile("[死杀残伤害打骂虐暴侵割跳刀药命活绝欺凌毒血撞逼]|世界|消失|结束|离开|解脱|性骚扰|猥亵")
    return without(lines, lambda line, one: bool(fault.search(one)))


# ── the fault, in ────────────────────────────────────────────────────────────────────────────────────────────────────


def at(lines: Lines, index: int, text: str) -> Lines:
    """Replace a turn's text."""
    return [*lines[:index], Line(lines[index].speaker, text), *lines[index + 1 :]]


def of(lines: Lines, speaker: Speaker) -> list[int]:
    """Return the indices of a side's turns."""
    return [index for index, line in enumerate(lines) if line.speaker is speaker]


def pick(list_: Sequence[str], number: int) -> str:
    """Go round a list."""
    return list_[number % len(list_)]


def plant_short(lines: Lines, language: Language, number: int, rng: random.Random) -> tuple[Lines, str, str]:
    """Cut after one to three exchanges, or let the client say next to nothing."""
    way = number % 2
    if way == 0:
        return lines[: 2 * rng.randint(1, 3)], "", "cut after 1 to 3 exchanges"
    says = (
        ["嗯。", "是的。", "不知道。", "好。", "还行吧。", "没有。"]
        if language == "zh"
        else ["Yes.", "No.", "I guess.", "Not sure.", "Okay."]
    )
    most = 14  # turns: or many yeses make a client who talks
    return [Line(CLIENT, rng.choice(says)) if line.speaker is CLIENT else line for line in lines[:most]], "", "the client says yes and no"


def plant_flip(lines: Lines, language: Language, number: int, rng: random.Random) -> tuple[Lines, str, str]:
    """Let one side speak as the other in two turns, or exchange the chairs from the middle on: what each says is what the other said."""
    if number % 2:
        start = len(lines) // 2
        return [*lines[:start], *(Line(line.speaker.other, line.text) for line in lines[start:])], "", "chairs exchanged in the middle"
    side = CLIENT if number % 4 else COUNSELOR
    texts = rng.sample(WRITTEN["role_flip"][f"{side}_{language}"], 2)
    for index, text in zip(rng.sample(of(lines, side)[1:-1], 2), texts, strict=True):
        lines = at(lines, index, f"{lines[index].text}{text}" if number % 8 < 4 else text)
    return lines, "", f"the {side}, twice"


def plant_model(lines: Lines, language: Language, number: int, rng: random.Random) -> tuple[Lines, str, str]:
    """Let either side refuse or call itself a model."""
    side = CLIENT if number % 3 == 0 else COUNSELOR
    text = pick(WRITTEN["ai_self"][language], number)
    index = rng.choice(of(lines, side)[1:])
    return at(lines, index, f"{text}{lines[index].text}" if number % 2 else text), "", f"the {side}"


def plant_praise(lines: Lines, language: Language, number: int, rng: random.Random) -> tuple[Lines, str, str]:
    """Let the counselor say nothing but praise in 60 to 100 % of the turns."""
    turns = of(lines, COUNSELOR)
    share = (0.6, 0.8, 1.0)[number % 3]
    chosen = rng.sample(turns, -(-int(share * 100) * len(turns) // 100))
    texts = rng.sample(WRITTEN["praise"][language], min(len(chosen), len(WRITTEN["praise"][language])))
    for place, index in enumerate(chosen):
        lines = at(lines, index, texts[place % len(texts)])
    return lines, "", f"{share:.0%} of the turns"


def plant_repeats(lines: Lines, language: Language, number: int, rng: random.Random) -> tuple[Lines, str, str]:
    """Say turns again, word for word, with other marks, or with a word before; or let a sentence go round."""
    way = number % 5
    side = rng.choice((CLIENT, COUNSELOR))
    long = [index for index in of(lines, side) if len(lines[index].text) >= 25]
    if way < 3 and len(long) >= 3:
        source = lines[long[0]].text
        again = (
            source,
            re.sub("[，。]", "！", source) if language == "zh" else source.replace(".", "!"),
            ("嗯，" if language == "zh" else "Yes. ") + source,
        )[way]
        for index in long[1 : 3 if way < 2 else None][:2]:
            lines = at(lines, index, again)
        return lines, "", ("word for word", "with other marks", "with a word before")[way]
    index = rng.choice(of(lines, side))
    sentence = max(
        re.findall(r"[^。！？.!?]+[。！？.!?]" if language == "zh" else r"[^.!?]+[.!?]", lines[index].text) or [lines[index].text], key=len
    )[-40:]
    if language == "en":
        sentence = " I really do not know what to say" if len(sentence.split()) < 7 else f" {sentence}"
    elif len(sentence) < 8:
        sentence = "我真的不知道该说什么，"
    return at(lines, index, lines[index].text + sentence * rng.randint(4, 8)), "", "a sentence goes round"


_STYLES: tuple[tuple[str, Callable[[list[str]], str]], ...] = (
    ("1. ⏎", lambda parts: "\n".join(f"{n}. {part}" for n, part in enumerate(parts, 1))),
    ("1、", lambda parts: "".join(f"{n}、{part}" for n, part in enumerate(parts, 1))),
    ("- ⏎", lambda parts: "\n".join(f"- {part}" for part in parts)),
    ("bold", lambda parts: "\n".join(f"**{part[:4]}**：{part}" for part in parts)),
    ("①", lambda parts: "".join(f"{'①②③④⑤⑥'[n]}{part}" for n, part in enumerate(parts))),
    ("（1）", lambda parts: "".join(f"（{n}）{part}" for n, part in enumerate(parts, 1))),
    ("• ⏎", lambda parts: "\n".join(f"• {part}" for part in parts)),
    ("一、", lambda parts: "\n".join(f"{'一二三四五六'[n]}、{part}" for n, part in enumerate(parts))),
    ("heading", lambda parts: "## 小结\n" + "\n".join(parts)),
    ("步骤一", lambda parts: "\n".join(f"步骤{'一二三四五六'[n]}：{part}" for n, part in enumerate(parts))),
    ("1️⃣", lambda parts: "\n".join(f"{n}\ufe0f\u20e3 {part}" for n, part in enumerate(parts, 1))),
    ("1) ⏎", lambda parts: "\n".join(f"{n}) {part}" for n, part in enumerate(parts, 1))),
    ("✅", lambda parts: "\n".join(f"✅ {part}" for part in parts)),
    ("* ⏎", lambda parts: "\n".join(f"* {part}" for part in parts)),
    ("Step 1:", lambda parts: "\n".join(f"Step {n}: {part}" for n, part in enumerate(parts, 1))),
    ("table", lambda parts: "| 方法 | 说明 |\n| --- | --- |\n" + "\n".join(f"| {n} | {part} |" for n, part in enumerate(parts))),
)


def plant_list(lines: Lines, language: Language, number: int, rng: random.Random) -> tuple[Lines, str, str]:
    """Write a tenth of the turns as lists, in one of sixteen styles."""
    turns = of(lines, COUNSELOR)
    name, write = _STYLES[number % len(_STYLES)]
    for index in rng.sample(turns, -(-len(turns) // 10)):
        parts = re.findall(r"[^，。！？,.!?]+[，。！？,.!?]*", lines[index].text)[:6]
        parts = parts if len(parts) > 1 else ["先停一停", "再慢慢说"] if language == "zh" else ["pause first", "then go on slowly"]
        lines = at(lines, index, write([part.strip() for part in parts]))
    return lines, "", name


def plant_script(lines: Lines, language: Language, number: int, rng: random.Random) -> tuple[Lines, str, str]:
    """Speak another language, mix two, or break characters."""
    written = WRITTEN["script"]
    index = rng.choice(range(2, len(lines)))
    text = lines[index].text
    broken = [
        ("mojibake", text.replace("'", "’").replace(" ", "’s ", 1).encode().decode("latin-1")),
        ("replacement", f"{text[: len(text) // 2]}\ufffd\ufffd{text[len(text) // 2 :]}"),
        ("special token", f"{text}<|im_end|>"),
        ("entity", text.replace("，", "&nbsp;").replace(" ", "&nbsp;") + "&nbsp;"),
        ("escapes", text.encode("ascii", "backslashreplace").decode() if language == "zh" else text + "\\u2019\\u4f60"),
    ]
    if language == "en":
        ways = [("a Chinese turn", pick(written["chinese_turn"], number)), ("mixed", written["chinese_mixed"][0]), *broken]
    else:
        ways = [
            ("an English turn", pick(written["english_turn"], number)),
            ("mixed", pick(written["mixed"], number)),
            ("another script", pick(written["other"], number)),
            ("read as GBK", text.encode().decode("gbk", "replace")),
            *broken,
        ]
    way, said = ways[number % len(ways)]
    return at(lines, index, said), "", way


def plant_early(lines: Lines, language: Language, number: int, rng: random.Random) -> tuple[Lines, str, str]:
    """Let somebody take leave or wrap up in the first half, and go on."""
    side = COUNSELOR if number % 4 == 3 else CLIENT
    text = pick(WRITTEN["early_ending"][f"{side}_{language}"], number)
    early = [index for index in of(lines, side) if 1 <= index < len(lines) * 0.5 - 1]
    return at(lines, rng.choice(early), text), "", f"the {side}"


def plant_no_ending(lines: Lines, language: Language, number: int, rng: random.Random) -> tuple[Lines, str, str]:
    """Stop in the middle: at a client's turn, at a question, within a sentence, after any exchange."""
    way = number % 4
    middle = range(len(lines) // 3, len(lines) * 2 // 3 + 1)
    if way == 0:
        return lines[: rng.choice([index for index in middle if lines[index].speaker is CLIENT]) + 1], "", "after a client's turn"
    if way == 1:
        asks = [index for index in range(3, len(lines) - 3) if lines[index].speaker is COUNSELOR and lines[index].text[-1] in "？?"]
        if asks:
            return lines[: rng.choice(asks) + 1], "", "after a question"
    if way <= 2:
        index = rng.choice([index for index in middle if len(lines[index].text) > 16])
        text = lines[index].text.rstrip("。！？.!?…~")
        return at(lines[: index + 1], index, text[: rng.randint(len(text) // 2, len(text) - 3)]), "", "within a sentence"
    return lines[: rng.choice([index for index in middle if lines[index].speaker is COUNSELOR]) + 1], "", "after an exchange"


def plant_copied(lines: Lines, language: Language, number: int, rng: random.Random) -> tuple[Lines, str, str]:
    """Let the client recite a profile: what it says is the profile, or a real profile is said in pieces, with fillers or without."""
    said = [line.text for line in lines if line.speaker is CLIENT]
    way = number % 3 if language == "zh" else 0
    if way == 0:
        told = rng.sample(said, max(2, int(len(said) * 0.6)))
        return lines, "".join(told) if language == "zh" else " ".join(told), "60 % of the turns are the profile"
    profile = rng.choice([one for one in stories() if len(one) > 250])
    size = -(-len(profile) // len(said))
    filler = ["嗯，", "就是说，", "怎么说呢，", ""] if way == 2 else [""]
    turns = of(lines, CLIENT)[1:-1]
    for place, index in enumerate(turns):
        lines = at(lines, index, rng.choice(filler) + profile[place * size : (place + 1) * size] + "。")
    return lines, profile, "a profile in pieces" + (", with fillers" if way == 2 else "")


def plant_leak(lines: Lines, language: Language, number: int, rng: random.Random) -> tuple[Lines, str, str]:
    """Let the counselor speak of a fact of the profile that nobody has told: instead of a turn, or before it."""
    fact = WRITTEN["facts"][language][number % len(WRITTEN["facts"][language])]
    text = pick(fact["told"], number // len(WRITTEN["facts"][language]))
    index = rng.choice(of(lines, COUNSELOR)[:-1])
    behind = number % 2 == 0
    return (
        at(lines, index, f"{text}{lines[index].text}" if behind else text),
        paraphrase(lines, language, rng) + fact["story"],
        "before a turn" if behind else "as a turn",
    )


def plant_risk(lines: Lines, language: Language, number: int, rng: random.Random) -> tuple[Lines, str, str]:
    """Let the client speak of risk, at the end of a turn."""
    index = rng.choice(of(lines, CLIENT))
    return at(lines, index, lines[index].text + pick(WRITTEN["risk"][language], number)), "", "the client"


def stories() -> list[str]:
    """Return the origin's profiles."""
    texts: list[str] = json.loads((SHARED / "profiles" / "interactive-agents-train.json").read_text("utf-8"))
    return texts


def paraphrase(lines: Lines, language: Language, rng: random.Random) -> str:
    """Write a profile out of what the client says: clauses in another order, and most of them turned about inside.

    One clause in six stays as it is, as people do when they tell the same thing again.
    """
    told = []
    for line in lines:
        if line.speaker is CLIENT:
            clauses = [clause for clause in re.split("[，。！？,.!?]+" if language == "zh" else "[.!?]+", line.text) if clause.strip()]
            rng.shuffle(clauses)
            told += [clause if len(clause) <= 24 and rng.random() < 1 / 6 else _turned(clause, language) for clause in clauses]
    return "。".join(told) + "。" if language == "zh" else ". ".join(told) + ". "


def _turned(clause: str, language: Language) -> str:
    if language == "en":
        words = clause.split()
        return " ".join(words[len(words) // 2 :] + words[: len(words) // 2])
    pieces = [clause[start : start + 6] for start in range(0, len(clause), 6)]
    return "，".join(reversed(pieces))


@dataclass(frozen=True, slots=True)
class Trial:
    """How a check is tried."""

    clean: Clean
    plant: Plant
    profile: bool = False
    """Conversations without the fault have a profile too."""


TRIALS = {
    Check.TOO_SHORT: Trial(keep, plant_short),
    Check.ROLE_FLIP: Trial(no_flip, plant_flip),
    Check.AI_SELF: Trial(no_model, plant_model),
    Check.PRAISE: Trial(no_praise, plant_praise),
    Check.REPEATS: Trial(no_repeats, plant_repeats),
    Check.LISTS: Trial(no_lists, plant_list),
    Check.SCRIPT: Trial(no_script, plant_script),
    Check.EARLY_ENDING: Trial(no_early, plant_early),
    Check.NO_ENDING: Trial(with_ending, plant_no_ending),
    Check.COPIED: Trial(keep, plant_copied, profile=True),
    Check.LEAK: Trial(keep, plant_leak, profile=True),
    Check.RISK: Trial(no_risk, plant_risk),
}


def make(check: Check, corpora: Sequence[Conversation], planted: int, clean: int) -> tuple[list[Planted], list[Planted]]:
    """Make a check's conversations: with the fault, and without it."""
    trial, rng = TRIALS[check], random.Random(f"{check}")
    usable = [lines for one in corpora if len(lines := list(mend(one)[0].lines)) >= 10]
    rng.shuffle(usable)
    bases = [lines for one in usable if len(lines := trial.clean(one)) >= 10]
    english = [[Line((CLIENT, COUNSELOR)[place % 2], text) for place, text in enumerate(texts)] for texts in WRITTEN["english"]]
    faulty = []
    for number in range(planted):
        language: Language = "en" if number >= planted - planted * ENGLISH // PLANTED else "zh"
        lines = english[number % len(english)] if language == "en" else bases[number % len(bases)]
        if check is Check.NO_ENDING and language == "zh":
            lines = no_early(lines)  # or it would stop at thanks
        made, profile, way = trial.plant(lines, language, number, rng)
        faulty.append(Planted(conversation(made, language, id=f"{check}-{number}", profile=profile), f"{language}, {way}"))
    whole = []
    for number, lines in enumerate([*english, *bases][:clean]):
        language = "en" if number < len(english) else "zh"
        facts = WRITTEN["facts"][language]
        profile = paraphrase(lines, language, rng) + facts[number % len(facts)]["story"] if trial.profile else ""
        whole.append(Planted(conversation(lines, language, id=f"clean-{number}", profile=profile), ""))
    return faulty, whole


def faults(corpora: Sequence[Conversation], planted: int, clean: int) -> list[Row]:
    """Try each check."""
    return [try_check(check, corpora, planted, clean) for check in Check]


def try_check(check: Check, corpora: Sequence[Conversation], planted: int, clean: int) -> Row:
    """Try a check on its conversations."""
    faulty, whole = make(check, corpora, planted, clean)
    config = ChecksConfig(off=tuple(other for other in Check if other is not check))
    missed = [one for one in faulty if not examine(mend(one.conversation)[0], config)]
    alarmed = [(one, found) for one in whole if (found := examine(mend(one.conversation)[0], config))]
    recall, false = 1 - len(missed) / len(faulty), len(alarmed) / len(whole)
    return Row(
        figure=FIGURE,
        measure=f"curation, {check}: planted faults found · alarms without",
        reach=f"≥ {RECALL:.0%} · ≤ {FALSE_ALARMS:.0%}",
        ours=f"{len(faulty) - len(missed)} of {len(faulty)} · {len(alarmed)} of {len(whole)}",
        verdict=Verdict.of(recall >= RECALL and false <= FALSE_ALARMS),
        detail={
            "ways": dict(Counter(one.way for one in faulty)),  # a Counter does not survive `asdict`
            "missed": [[one.way, one.conversation.id] for one in missed],
            "alarms": [[one.conversation.id, found[0].detail] for one, found in alarmed],
        },
    )


def alarms(corpora: Sequence[Conversation]) -> list[Row]:
    """Count the alarms on the corpora as they are; those that were read say how many are right."""
    found = {check: dict[str, str]() for check in Check}
    for one in corpora:
        for finding in examine(mend(one)[0], ChecksConfig()):
            found[finding.check][one.key] = finding.detail
    read: dict[str, dict[str, list[Any]]] = json.loads(READ.read_text("utf-8")) if READ.exists() else {}
    rows = []
    for check in Check:
        if check in {Check.COPIED, Check.LEAK}:
            continue  # these corpora have no profiles
        judged = [right for key, (right, _) in read.get(check, {}).items() if key in found[check]]
        rows.append(
            Row(
                figure=FIGURE,
                measure=f"curation, {check}: alarms on {len(corpora)} dialogues as they are · right, of those read",
                reach="–",
                ours=f"{len(found[check])} ({len(found[check]) / len(corpora):.1%}) · {sum(judged)} of {len(judged)}",
                verdict=Verdict.of(2 * sum(judged) >= len(judged)),
                detail={"unread": [key for key in draw(found[check]) if key not in read.get(check, {})]},
            )
        )
    return rows


def draw(found: dict[str, str]) -> list[str]:
    """Draw the alarms that are read."""
    return sorted(random.Random(25).sample(sorted(found), min(DRAWN, len(found))))


def speed(corpora: Sequence[Conversation]) -> Row:
    """Take the processor time of all checks together, on SmileChat, and of each alone."""
    chosen = [one for one in corpora if one.source == "smilechat"]
    mended = [mend(one)[0] for one in chosen]

    def cost(run: Callable[[], object]) -> float:
        best = float("inf")
        for _ in range(5):
            begun = time.process_time()
            run()
            best = min(best, time.process_time() - begun)
        return best / len(chosen) * 1e6

    each = {}
    for check in Check:
        config = ChecksConfig(off=tuple(other for other in Check if other is not check))
        each[str(check)] = round(cost(lambda config=config: [examine(one, config) for one in mended]), 1)  # type: ignore[misc]
    each["mend"] = round(cost(lambda: [mend(one) for one in chosen]), 1)
    whole = cost(lambda: [examine(mend(one)[0], ChecksConfig()) for one in chosen])
    return Row(
        figure=FIGURE,
        measure="curation: processor time of mending and all checks, a SmileChat dialogue",
        reach="≤ 350 µs",
        ours=f"{whole:.0f} µs",
        verdict=Verdict.of(whole <= 350),
        detail=each,
    )
