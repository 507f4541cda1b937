from __future__ import annotations

import csv
import resource
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import orjson
import pytest
from inline_snapshot import snapshot

from practicum.core import Ending, Profile, Session
from practicum.dataset import Cut, ExportReport, Format, LeftOut, export_sessions
from practicum.errors import ExportError

Make = Callable[..., Session]


def system_prompt(session: Session) -> str:
    return {"zh": "你是咨询师小天", "en": "Listen well"}[session.profile.language]


def export(sessions: Iterable[Session], form: Format, out: Path, *, include_risk: bool = False) -> ExportReport:
    return export_sessions(sessions, form=form, out=out, include_risk=include_risk, system_prompt=system_prompt, name="run_1")


@pytest.fixture
def two(make_session: Make) -> list[Session]:
    return [
        make_session("c 你好", "k 想聊\n什么？", "c 再见", key="zh1", started_at=1.0, finished_at=2.0),
        make_session("c Hello", 'k "Yes?", so', story="I cannot sleep", key="en1", ending=Ending.TURN_LIMIT),
    ]


# ── what the files say ───────────────────────────────────────────────────────────────────────────────────────────────


def test_sharegpt_is_a_list_and_a_registry_for_llama_factory(two: list[Session], tmp_path: Path) -> None:
    report = export(two, Format.SHAREGPT, tmp_path)
    assert report.files == (tmp_path / "data.json", tmp_path / "dataset_info.json")
    assert report.files[0].read_text("utf-8") == snapshot("""\
[
{"messages":[{"role":"system","content":"你是咨询师小天"},{"role":"user","content":"你好"},{"role":"assistant","content":"想聊\\n什么？"}]},
{"messages":[{"role":"system","content":"Listen well"},{"role":"user","content":"Hello"},{"role":"assistant","content":"\\"Yes?\\", so"}]}
]
""")
    assert orjson.loads(report.files[0].read_bytes())[1]["messages"][1] == {"role": "user", "content": "Hello"}
    assert report.files[1].read_text("utf-8") == snapshot("""\
{
  "run_1": {
    "file_name": "data.json",
    "formatting": "sharegpt",
    "columns": {
      "messages": "messages"
    },
    "tags": {
      "role_tag": "role",
      "content_tag": "content",
      "user_tag": "user",
      "assistant_tag": "assistant",
      "system_tag": "system"
    }
  }
}
""")


def test_messages_are_lines(two: list[Session], tmp_path: Path) -> None:
    assert export(two, Format.MESSAGES, tmp_path).files == (tmp_path / "messages.jsonl",)
    assert (tmp_path / "messages.jsonl").read_text("utf-8") == snapshot("""\
{"messages":[{"role":"system","content":"你是咨询师小天"},{"role":"user","content":"你好"},{"role":"assistant","content":"想聊\\n什么？"}]}
{"messages":[{"role":"system","content":"Listen well"},{"role":"user","content":"Hello"},{"role":"assistant","content":"\\"Yes?\\", so"}]}
""")


def test_jsonl_has_everything(two: list[Session], tmp_path: Path) -> None:
    assert export(two, Format.JSONL, tmp_path).files == (tmp_path / "sessions.jsonl",)
    lines = (tmp_path / "sessions.jsonl").read_bytes().splitlines()
    assert orjson.loads(lines[0]) == snapshot(
        {
            "key": "zh1",
            "run": "r",
            "profile": {
                "id": "624882a353f6a7a2",
                "text": "我总是睡不着",
                "language": "zh",
                "facts": {},
                "source": {"origin": "", "licence": ""},
                "split": None,
            },
            "case": "case",
            "number": 1,
            "client": "cl",
            "counselor": "co",
            "seed": 1,
            "turns": [
                {
                    "index": 0,
                    "speaker": "client",
                    "text": "你好",
                    "call": None,
                    "state": {},
                    "prompt_tokens": 0,
                    "completion_tokens": 0,
                    "at": 1000.0,
                },
                {
                    "index": 1,
                    "speaker": "counselor",
                    "text": """\
想聊
什么？\
""",
                    "call": {
                        "model": "m",
                        "finish": "stop",
                        "prompt_tokens": 9,
                        "completion_tokens": 2,
                        "cached_tokens": 0,
                        "seconds": 0.5,
                        "attempts": 1,
                        "request_id": "",
                        "seed": 7,
                        "reasoning": "",
                    },
                    "state": {},
                    "prompt_tokens": 9,
                    "completion_tokens": 2,
                    "at": 1001.0,
                },
                {
                    "index": 2,
                    "speaker": "client",
                    "text": "再见",
                    "call": {
                        "model": "m",
                        "finish": "stop",
                        "prompt_tokens": 9,
                        "completion_tokens": 2,
                        "cached_tokens": 0,
                        "seconds": 0.5,
                        "attempts": 1,
                        "request_id": "",
                        "seed": 7,
                        "reasoning": "",
                    },
                    "state": {},
                    "prompt_tokens": 9,
                    "completion_tokens": 2,
                    "at": 1002.0,
                },
            ],
            "ending": "closed",
            "failure": "",
            "risk": [],
            "started_at": 1.0,
            "finished_at": 2.0,
            "system": "你是咨询师小天",
        }
    )
    assert orjson.loads(lines[1])["profile"]["text"] == "I cannot sleep"


def test_csv_is_a_row_a_turn_that_excel_can_read(two: list[Session], tmp_path: Path) -> None:
    assert export(two, Format.CSV, tmp_path).files == (tmp_path / "turns.csv",)
    assert (tmp_path / "turns.csv").read_bytes().decode("utf-8") == snapshot('''\
\ufeffsession,run,profile,language,split,number,index,speaker,text,prompt_tokens,completion_tokens,ending,risk\r
zh1,r,624882a353f6a7a2,zh,,1,0,client,你好,0,0,closed,\r
zh1,r,624882a353f6a7a2,zh,,1,1,counselor,"想聊
什么？",9,2,closed,\r
zh1,r,624882a353f6a7a2,zh,,1,2,client,再见,9,2,closed,\r
en1,r,080675cd3c6fc7ea,en,,1,0,client,Hello,0,0,turn_limit,\r
en1,r,080675cd3c6fc7ea,en,,1,1,counselor,"""Yes?"", so",9,2,turn_limit,\r
''')
    with (tmp_path / "turns.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows] == [turn.text for session in two for turn in session.turns]


def test_a_state_that_is_not_a_dict_is_still_json(make_session: Make, tmp_path: Path) -> None:
    session = make_session("c 1")
    turn = replace(session.turns[0], state=MappingProxyType({"stage": "insight"}))
    export([replace(session, turns=(turn,))], Format.JSONL, tmp_path)
    assert orjson.loads((tmp_path / "sessions.jsonl").read_bytes())["turns"][0]["state"] == {"stage": "insight"}


# ── what is left out, and said ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def mixed(make_session: Make) -> list[Session]:
    return [
        make_session("c 1", "k 2", "c 3", key="good"),
        make_session("c 1", "k 2", key="risk1", risk=("self_harm", "suicide")),
        make_session("c 1", "k 2", key="risk2", risk=("suicide",)),
        make_session("c 1", "k 2", key="failed", ending=Ending.FAILED, failure="budget"),
        make_session("c 1", "k 2", key="open", ending=None),
        make_session("c 1", key="alone", ending=Ending.CLIENT_LEFT),
        make_session(key="silent", ending=None),
        make_session("c 1", "k 2", key="held out", profile=Profile(id="t", text="t", language="en", split="test")),
    ]


@pytest.mark.parametrize("form", [Format.SHAREGPT, Format.MESSAGES])
def test_training_rows_are_finished_unflagged_and_not_for_testing(mixed: list[Session], tmp_path: Path, form: Format) -> None:
    report = export(mixed, form, tmp_path)
    assert report == ExportReport(
        written=1,
        turns=2,
        left_out={LeftOut.RISK: 2, LeftOut.FAILED: 1, LeftOut.UNFINISHED: 2, LeftOut.NO_EXCHANGE: 1, LeftOut.TEST_SPLIT: 1},
        risks={"suicide": 2, "self_harm": 1},
        cut={Cut.LAST_WORD: 1},
        trained=("good",),
        files=report.files,
    )
    assert report.lines()[1:] == snapshot(
        [
            "2 sessions left out: unfinished; the command that began them goes on with them",
            "1 session left out: failed; the command that began them tries them again",
            "1 session left out: no exchange",
            "1 session left out: test profile; --format jsonl keeps them",
            "2 sessions left out: risk (suicide 2, self_harm 1); --include-risk keeps them",
            "1 turn left out: the client's last, without an answer",
        ]
    )
    assert export(mixed, form, tmp_path, include_risk=True).written == 3


@pytest.mark.parametrize(
    ("form", "file", "kept"),
    [
        (Format.JSONL, "sessions.jsonl", ["good", "failed", "open", "alone", "silent", "held out"]),
        (Format.CSV, "turns.csv", ["good", "failed", "open", "alone", "held out"]),
    ],
)
def test_archives_keep_all_but_the_flagged_unless_asked(
    mixed: list[Session], tmp_path: Path, form: Format, file: str, kept: list[str]
) -> None:
    report = export(mixed, form, tmp_path)
    text = (tmp_path / file).read_text("utf-8-sig")
    assert [session.key for session in mixed if session.key in text] == kept
    assert report.written == len(kept)
    assert report.left_out[LeftOut.RISK] == 2
    assert report.left_out.get(LeftOut.NO_EXCHANGE, 0) == (form is Format.CSV)
    assert export(mixed, form, tmp_path, include_risk=True).written == len(kept) + 2


def test_the_report_speaks_of_one_session_in_the_singular(make_session: Make, tmp_path: Path) -> None:
    report = export([make_session("c 1", "k 2")], Format.MESSAGES, tmp_path)
    assert report.lines() == [f"1 session, 2 turns written to {tmp_path / 'messages.jsonl'}"]


# ── whole, or not at all ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", Format)
def test_a_repeated_export_has_the_same_bytes(two: list[Session], tmp_path: Path, form: Format) -> None:
    first = {path.name: path.read_bytes() for path in export(two, form, tmp_path / "a").files}
    again = {path.name: path.read_bytes() for path in export(iter(two), form, tmp_path / "b").files}
    over = {path.name: path.read_bytes() for path in export(two, form, tmp_path / "a").files}
    assert first == again == over


@pytest.mark.parametrize("form", Format)
def test_an_export_that_breaks_leaves_the_old_one(two: list[Session], tmp_path: Path, form: Format) -> None:
    def breaking() -> Iterator[Session]:
        yield two[1]
        raise KeyboardInterrupt

    before = {path: path.read_bytes() for path in export(two, form, tmp_path).files}
    with pytest.raises(KeyboardInterrupt):
        export(breaking(), form, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_export_of_nothing_is_refused_with_the_reasons(mixed: list[Session], two: list[Session], tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in export(two, Format.SHAREGPT, tmp_path).files}
    with pytest.raises(ExportError, match=r"nothing to export: 1 session left out: risk \(self_harm 1, suicide 1\); --include-risk keeps"):
        export(mixed[1:2], Format.SHAREGPT, tmp_path)
    with pytest.raises(ExportError, match="nothing to export: the run has no sessions yet"):
        export([], Format.SHAREGPT, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_sessions_are_let_go_and_rows_written_as_they_come(make_session: Make, tmp_path: Path) -> None:
    class Traced(str):  # a session cannot be referred to weakly, its text can
        __slots__ = ("__weakref__",)

    alive: weakref.WeakSet[Traced] = weakref.WeakSet()
    most = on_disk = 0

    def many() -> Iterator[Session]:
        nonlocal most, on_disk
        for number in range(200):
            failure = Traced(number)
            alive.add(failure)
            most = max(most, len(alive))
            yield make_session("c 1", "k 2", failure=failure)
        on_disk = sum(path.stat().st_size for path in tmp_path.iterdir())

    assert export(many(), Format.SHAREGPT, tmp_path).written == 200
    assert most <= 3
    assert on_disk > 200 * 50


def test_a_folder_that_cannot_be_written_is_one_line(two: list[Session], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ExportError, match="cannot be written"):
            export(two, Format.CSV, out)
    (tmp_path / "turns.csv").mkdir()
    with pytest.raises(ExportError, match=r"turns\.csv: cannot be written"):
        export(two, Format.CSV, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "turns.csv"]


@pytest.mark.parametrize("exchanges", [1, 5_000])
def test_a_full_disk_is_one_line_and_leaves_the_old_export(make_session: Make, tmp_path: Path, exchanges: int) -> None:
    before = {path: path.read_bytes() for path in export([make_session("c 1", "k 2")], Format.MESSAGES, tmp_path).files}
    longer = make_session(*["c 1", "k 2"] * exchanges)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))  # a file may have 64 bytes: the same as a disk with 64 left
    try:
        with pytest.raises(ExportError, match="cannot be written") as caught:
            export([longer], Format.MESSAGES, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"a": []}', b'{"alpaca": {"file_name": "a.json"}, "hub": {"hf_hub_url": "x"}}'])
def test_a_registry_of_others_is_never_replaced(two: list[Session], tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dataset_info.json").write_bytes(content)
    with pytest.raises(ExportError, match="choose another --out"):
        export(two, Format.SHAREGPT, tmp_path)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [content]
