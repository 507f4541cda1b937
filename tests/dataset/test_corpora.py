from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from practicum import Session
from practicum.core import Ending, Profile, Source, Speaker
from practicum.dataset import Format, corpora, export_sessions, read_corpus
from practicum.dataset.conversation import Conversation
from practicum.errors import RowsError

ZH = [
    ("来访者", "最近总是睡不好，凌晨三点就醒，醒了就想工作。"),
    ("咨询师", "醒来的时候，最先想到的是什么？"),
    ("来访者", "怕。"),
    ("咨询师", "怕什么？"),
]
EN = [
    ("client", "I wake up at three every night and count."),
    ("counselor", "What do you count?"),
    ("client", "Days."),
    ("counselor", "Till?"),
]
CLIENT, COUNSELOR = Speaker.CLIENT, Speaker.COUNSELOR


def roles(talk: list[tuple[str, str]], client: str, counselor: str, role: str, text: str) -> list[dict[str, str]]:
    return [{role: (client, counselor)[index % 2], text: said} for index, (_, said) in enumerate(talk)]


def texts(conversation: Conversation) -> list[tuple[Speaker, str]]:
    return [(speaker, text) for speaker, text in conversation.lines]


def expected(talk: list[tuple[str, str]]) -> list[tuple[Speaker, str]]:
    return [((CLIENT, COUNSELOR)[index % 2], said) for index, (_, said) in enumerate(talk)]


def write(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), "utf-8")
    return path


SHAPES: dict[str, Callable[[list[tuple[str, str]]], Any]] = {
    "the origin's data.json": lambda talk: [{"messages": roles(talk, "user", "assistant", "role", "content")}],
    "ShareGPT": lambda talk: [{"id": "x", "conversations": roles(talk, "human", "gpt", "from", "value")}],
    "SmileChat's file": lambda talk: roles(talk, "client", "counselor", "role", "content"),
    "the sample's row": lambda talk: {"id": "7", "turns": roles(talk, "client", "counselor", "speaker", "text")},
    "OpenAI's parts": lambda talk: {
        "messages": [
            one | {"content": [{"type": "text", "text": one["content"]}]} for one in roles(talk, "user", "assistant", "role", "content")
        ]
    },
    "an instruction with history": lambda talk: [
        {"instruction": talk[2][1], "input": "", "output": talk[3][1], "history": [[talk[0][1], talk[1][1]]]}
    ],
    "a labelled text in JSON": lambda talk: [{"dialogue": "\n".join(f"{label}：{said}" for label, said in talk)}],
    "a labelled text": lambda talk: "\n\n".join(f"{label}: {said}" for label, said in talk),
    "labels in bold": lambda talk: "\r\n".join(f"**{label}**：{said}" for label, said in talk),
}


@pytest.mark.parametrize("talk", [ZH, EN], ids=["zh", "en"])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_a_conversation_is_told_from_its_content(shape: str, talk: list[tuple[str, str]], tmp_path: Path) -> None:
    (found,) = read_corpus(write(tmp_path / "corpus.data", SHAPES[shape](talk)))
    assert texts(found) == expected(talk)
    assert found.language == ("zh" if talk is ZH else "en")
    assert found.source == "corpus.data"


def test_a_folder_is_read_by_the_numbers_in_its_names(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        write(tmp_path / f"{number}.json", SHAPES["SmileChat's file"](ZH))
    write(tmp_path / "3.txt", SHAPES["a labelled text"](EN))
    write(tmp_path / "4.jsonl", json.dumps(SHAPES["the sample's row"](ZH) | {"id": None}) * 1 + "\n")
    (tmp_path / ".hidden.json").write_text("{")
    (tmp_path / "notes.md").write_text("?")
    (tmp_path / "dataset_info.json").write_text("{}")
    assert [one.id for one in read_corpus(tmp_path)] == ["1", "2", "3", "4-1", "10"]


def test_a_system_prompt_goes_along_from_the_first_message_or_from_the_row(tmp_path: Path) -> None:
    inner = [{"role": "system", "content": "你是咨询师。"}, *SHAPES["the origin's data.json"](ZH)[0]["messages"]]
    outer = {"system": "You listen.", **SHAPES["ShareGPT"](EN)[0]}
    first, second = read_corpus(write(tmp_path / "a.json", [{"messages": inner}, outer]))
    assert (first.system, second.system) == ("你是咨询师。", "You listen.")
    assert texts(first) == expected(ZH)


def test_a_row_may_say_licence_split_profile_and_risk(tmp_path: Path) -> None:
    row = SHAPES["the sample's row"](EN) | {"license": "MIT", "split": "test", "profile": {"text": "I sleep badly."}, "risk": ["suicide"]}
    (found,) = read_corpus(write(tmp_path / "a.jsonl", row))
    assert (found.id, found.licence, found.split, found.risk) == ("7", "MIT", "test", ("suicide",))
    assert found.profile == Profile.of("I sleep badly.")
    assert found.group == found.profile.digest
    story = SHAPES["the sample's row"](EN) | {"profile": "I sleep badly."}
    assert next(read_corpus(write(tmp_path / "b.jsonl", story))).group == found.group


def test_one_client_is_one_group_whatever_the_greeting(tmp_path: Path) -> None:
    hello = [("来访者", "你好"), ("咨询师", "你好"), *ZH]
    rows = [SHAPES["the sample's row"](talk) for talk in (ZH, hello, EN, [("a", "Hi"), ("b", "Hi")])]
    groups = [one.group for one in read_corpus(write(tmp_path / "a.json", rows))]
    assert groups[0] == groups[1]
    assert len(set(groups)) == 3


@pytest.mark.parametrize("form", [Format.SHAREGPT, Format.MESSAGES, Format.JSONL])
def test_our_own_exports_come_back(form: Format, make_session: Callable[..., Session], tmp_path: Path) -> None:
    profile = Profile(id="p", text="我总是睡不着", language="zh", facts={"年龄": "29"}, source=Source(licence="CC0-1.0"), split="dev")
    sessions = [make_session("c 你好", "k 请说", profile=profile), make_session("c Hello", "k Go on", key="s2", story="I sleep badly")]
    export_sessions(sessions, form=form, out=tmp_path, include_risk=False, system_prompt=lambda _: "听。")
    (file,) = [path for path in tmp_path.iterdir() if path.name != "dataset_info.json"]
    first, second = read_corpus(file)
    assert [line.text for line in first.lines + second.lines] == ["你好", "请说", "Hello", "Go on"]
    assert first.system == "听。"
    if form is Format.JSONL:
        assert (first.profile, first.split, first.ending, first.id) == (profile, "dev", "closed", "s1")


def test_sessions_of_our_export_that_failed_or_never_ended_are_left_out(make_session: Callable[..., Session], tmp_path: Path) -> None:
    sessions = [make_session("c 你好", "k 请说", ending=ending, key=str(ending)) for ending in (None, Ending.FAILED, Ending.CLOSED)]
    export_sessions(sessions, form=Format.JSONL, out=tmp_path, include_risk=False, system_prompt=lambda _: "")
    assert [one.id for one in read_corpus(tmp_path / "sessions.jsonl")] == ["closed"]


BAD = [
    ("[1]", "row 1: expected a conversation, got 1"),
    ("[{}]", "row 1: expected one of the keys messages, conversations, conversation, turns, dialogue, dialog, text, got none"),
    ('[{"messages": []}]', "row 1: nobody says anything"),
    ('[{"messages": [{"role": "tool", "content": "x"}]}]', "row 1: message 1: role 'tool' is neither"),
    ('[{"messages": ["x"]}]', "row 1: message 1: expected an object with role and content, got 'x'"),
    ('[{"messages": [{"role": "user"}]}]', "row 1: message 1: role and content must be texts, got 'user' and null"),
    (
        '[{"messages": [{"role": "user", "content": "x"}, {"role": "system", "content": "y"}]}]',
        "row 1: message 2 is the system's; only the first may be",
    ),
    ('[{"output": "x", "history": [["a"]]}]', "row 1: history must be a list of pairs of texts"),
    ('[{"text": "client: x", "split": "tset"}]', "row 1: split 'tset' is not one of train, dev, test"),
    ('[{"text": "client: x", "profile": {"txt": "y"}}]', "row 1: profile: text is missing"),
    ("[{]", "row 1: not JSON: "),
    ('[{"text": "client: x"}, 7', "row 2: expected a conversation, got 7"),
    ('{"a": 1}\nx\n', "row 2: not JSON: "),
    ('{"a": 1', "row 1: not JSON: "),
    ("没有标签的话", "file 'a.json': '没有标签的话' has no label before it; expected e.g. 来访者："),
    ("序言\nclient: x", "file 'a.json': '序言' has no label before it"),
]


@pytest.mark.parametrize(("text", "problem"), BAD, ids=[problem for _, problem in BAD])
def test_a_bad_row_is_named_with_what_was_expected(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(RowsError) as caught:
        list(read_corpus(write(tmp_path / "a.json", text)))
    assert any(line.startswith(problem) for line in caught.value.problems), caught.value.problems


def test_all_bad_rows_are_told_at_the_end_or_collected(tmp_path: Path) -> None:
    good = json.dumps(SHAPES["the sample's row"](ZH), ensure_ascii=False)
    path = write(tmp_path / "a.jsonl", f"{good}\n[]\n\n{good}\nnull\n")
    with pytest.raises(RowsError, match=r"2 of 4 rows cannot be used\n  row 2: .*\n  row 5: "):
        list(read_corpus(path))
    bad: list[str] = []
    assert len(list(read_corpus(path, bad=bad))) == 2
    assert [line.partition(":")[0] for line in bad] == ["row 2", "row 5"]


def test_a_list_longer_than_what_is_read_at_once_comes_out_whole(tmp_path: Path) -> None:
    rows = [
        {"id": number, "turns": roles([("", f"{said}{number}" * size) for _, said in ZH], "client", "counselor", "role", "content")}
        for number, size in enumerate([1, 2000, 1, 90_000, 3, 20_000])
    ]
    path = write(tmp_path / "a.json", "\ufeff" + json.dumps(rows, ensure_ascii=False, indent=1))
    assert path.stat().st_size > 4 * corpora.CHUNK
    found = list(read_corpus(path))
    assert [one.id for one in found] == ["0", "1", "2", "3", "4", "5"]
    assert found[5].lines[3].text == "怕什么？5" * 20_000


def test_nothing_below_a_broken_element_is_read_and_that_is_said(tmp_path: Path) -> None:
    good = json.dumps(SHAPES["the sample's row"](EN))
    bad: list[str] = []
    assert len(list(read_corpus(write(tmp_path / "a.json", f"[{good}, {{broken}}, {good}]"), bad=bad))) == 1
    assert bad == ["row 2: not JSON: Expecting property name enclosed in double quotes; nothing below it was read"]
    assert list(read_corpus(write(tmp_path / "b.json", f"[{good},"), bad=bad))
    assert bad[1] == "row 2: not JSON: the list does not end; nothing below it was read"


def test_bytes_that_are_no_utf8_are_a_bad_row_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("来访者：你好".encode("gb18030"))
    (tmp_path / "b.json").write_bytes(b'[{"text": "client: \xff"}]')
    bad: list[str] = []
    assert not [*read_corpus(tmp_path, bad=bad)]
    assert [line[:13] for line in bad] == ["file 'a.txt':", "file 'b.json'"]


def test_what_is_too_large_for_one_conversation_is_refused(tmp_path: Path) -> None:
    bad: list[str] = []
    with write(tmp_path / "a.txt", "client: x").open("r+b") as file:
        file.truncate(corpora.MAX_RECORD + 1)  # a hole: it takes no room
    assert not [*read_corpus(tmp_path / "a.txt", bad=bad)]
    assert bad[0].startswith("file 'a.txt': larger than 64 MiB, but no list of conversations")


@pytest.mark.parametrize("name", ["nowhere", ""], ids=["missing", "an empty folder"])
def test_what_is_not_there_is_said_with_what_is_read(name: str, tmp_path: Path) -> None:
    with pytest.raises(RowsError, match="expected a JSON list or JSON lines of conversations"):
        list(read_corpus(tmp_path / name))


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    assert list(read_corpus(write(tmp_path / "a.json", "\n"))) == []


def test_the_shipped_dialogues_are_sixty_and_say_their_licence() -> None:
    from practicum.dataset import example_dialogues

    found = list(read_corpus(example_dialogues()))
    assert len({one.id for one in found}) == len(found) == 60
    assert {(one.licence, one.language) for one in found} == {("CC0-1.0", "zh")}
    assert (example_dialogues().parent / "LICENCE.md").read_text("utf-8").count("CC0-1.0")
