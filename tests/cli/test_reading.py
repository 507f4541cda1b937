"""runs, show, export, profiles, prompts: what reads what is there."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from practicum.cli.transcript import marks_of, print_turn
from practicum.core import Speaker, Turn
from tests.cli.conftest import Practicum, Terminal, masked


def test_runs_are_listed(simulate: Practicum, practicum: Practicum) -> None:
    simulate("zh")
    assert masked(practicum("runs").out) == snapshot("""\
store sqlite:///practicum.db
run  sessions  done  failed  open  exchanges  flagged  begun
r           2     2       0     0          8        1  TIME
""")
    assert practicum("runs", "--json").json()[0]["name"] == "r"


def test_a_store_without_runs_says_so(practicum: Practicum) -> None:
    from practicum.store import Store

    Store.open("sqlite:///new.db").close()
    assert practicum("runs", "--db", "sqlite:///new.db").out == snapshot("""\
store sqlite:///new.db
no runs yet; `practicum simulate` makes one
""")


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        (
            "zh",
            snapshot("""\
run r in sqlite:///practicum.db, practicum 0.1.0
  client      script:client.zh.txt#DIGEST (chat: client.plain.en.chat, client.plain.zh.chat)
  counselor   script:counselor.zh.txt#DIGEST (chat: counselor.integrative.en.chat, counselor.integrative.zh.chat)
#  key       profile           exchanges  ending      risk     first words
1  KEY  DIGEST          4  turn_limit  -        最近总是睡不好，凌晨三点就醒。
2  KEY  DIGEST          4  turn_limit  suicide  最近总是睡不好，凌晨三点就醒。

practicum show r 1  shows the first one word for word
"""),
        ),
        (
            "en",
            snapshot("""\
run r in sqlite:///practicum.db, practicum 0.1.0
  client      script:client.en.txt#DIGEST (chat: client.plain.en.chat, client.plain.zh.chat)
  counselor   script:counselor.en.txt#DIGEST (chat: counselor.integrative.en.chat, counselor.integrative.zh.chat)
#  key       profile           exchanges  ending      risk  first words
1  KEY  DIGEST          4  turn_limit  -     I have been waking at three every night.
2  KEY  DIGEST          4  turn_limit  -     I have been waking at three every night.

practicum show r 1  shows the first one word for word
"""),
        ),
    ],
)
def test_sessions_are_listed(simulate: Practicum, practicum: Practicum, language: str, shown: str) -> None:
    simulate(language)
    assert masked(practicum("show", "r").out) == shown


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        (
            "zh",
            snapshot("""\
session DIGEST of run r
profile DIGEST (zh), session 1 of this client
story   我父亲去世了，我觉得活着没意思，想死。
risk    suicide

来访者：你好
咨询师：你好，今天想从哪里说起？
来访者：最近总是睡不好，凌晨三点就醒。
咨询师：是从什么时候开始的？
来访者：醒了以后脑子停不下来，想着开会要说的话。
咨询师：醒来的时候，心里最先冒出来的是什么？
来访者：我妈觉得我挺好的，我也没跟她讲。
咨询师：不告诉妈妈，是担心什么呢？

ending turn_limit, 4 exchanges, 0 + 0 tokens, 0 s of model time
"""),
        ),
        (
            "en",
            snapshot("""\
session DIGEST of run r
profile DIGEST (en), session 1 of this client
story   My father died last year and I have not cried.

Client: Hello
Counselor: Hello, where would you like to begin?
Client: I have been waking at three every night.
Counselor: When did it start?
Client: My head goes over every meeting again.
Counselor: What comes to mind first when you wake?
Client: My mother thinks that I am fine.
Counselor: What keeps you from telling her?

ending turn_limit, 4 exchanges, 0 + 0 tokens, 0 s of model time
"""),
        ),
    ],
)
def test_a_session_is_readable(simulate: Practicum, practicum: Practicum, language: str, shown: str) -> None:
    simulate(language)
    assert masked(practicum("show", "r", "2").out) == shown


def test_a_planned_session_has_no_words_yet(practicum: Practicum, simulate: Practicum) -> None:
    Path("counselor.en.txt").write_text("!fail out of order\n", "utf-8")
    simulate("en", "--limit", "1")
    assert "Hello" in practicum("show", "r").out


def test_json_holds_the_refused_replies(simulate: Practicum, practicum: Practicum) -> None:
    Path("client.zh.txt").write_text("咨询师：你先说说看。\n", "utf-8")
    simulate("zh", "--limit", "1", "--set", "check.ask_again=1")
    session = practicum("show", "r", "1", "--json").json()
    assert session["records"][0]["kind"] == "refused"
    assert session["records"][0]["turn"] == 2
    assert session["session"]["turns"][2]["state"]["check"]["faults"]


def test_marks_are_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert marks_of({}) == []
    assert marks_of({"risk": ["abuse", "suicide"]}) == ["risk: abuse, suicide"]
    assert marks_of({"check": {"faults": ["too_long"]}}) == ["taken although: too_long"]
    assert marks_of({"check": {"faults": ["label"], "left": [], "as_said": ["来访者：嗯"]}}) == ["mended: label"]
    print_turn(Turn(index=0, speaker=Speaker.CLIENT, text="我不想活了", state={"risk": ["suicide"]}), "zh")
    assert capsys.readouterr().out == "来访者：我不想活了\n    [risk: suicide]\n"


def test_a_terminal_gets_colours_and_lines_that_fit(
    simulate: Practicum, practicum: Practicum, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate("zh")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys, "stdout", terminal.stream)
    assert practicum("show", "r").status == 0
    text = terminal.text()
    assert "\x1b[1m" in text
    assert "…\n" in text


def test_no_color_is_obeyed(simulate: Practicum, practicum: Practicum, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate("zh")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", terminal.stream)
    assert practicum("show", "r", "1").status == 0
    assert "\x1b[" not in terminal.text()


def test_flagged_sessions_stay_out_of_an_export_unless_asked_for(simulate: Practicum, practicum: Practicum) -> None:
    simulate("zh")
    outcome = practicum("export", "r", "--format", "sharegpt", "--out", "out")
    assert outcome.out == snapshot("""\
1 session, 8 turns written to out/data.json, out/dataset_info.json
1 session left out: risk (suicide 1); --include-risk keeps them
""")
    assert len(json.loads(Path("out/data.json").read_text("utf-8"))) == 1
    assert practicum("export", "r", "--format", "sharegpt", "--out", "out", "--include-risk").status == 0
    rows = json.loads(Path("out/data.json").read_text("utf-8"))
    assert [[message["role"] for message in row["messages"]] for row in rows] == [["system", *["user", "assistant"] * 4]] * 2


def test_an_export_carries_the_users_own_prompt(simulate: Practicum, practicum: Practicum) -> None:
    Path("mine.txt").write_text("You counsel in {{ language }} for {{ max_exchanges }} exchanges.", "utf-8")
    simulate("en", "--counselor-prompt", "mine.txt")
    assert practicum("export", "r", "--format", "messages", "--out", "out").status == 0
    for line in Path("out/messages.jsonl").read_text("utf-8").splitlines():
        assert json.loads(line)["messages"][0] == {"role": "system", "content": "You counsel in en for 4 exchanges."}


def test_a_csv_export_has_a_row_a_turn(simulate: Practicum, practicum: Practicum) -> None:
    simulate("en")
    assert practicum("export", "r", "--format", "csv", "--out", "out").status == 0
    with Path("out/turns.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16
    assert rows[1]["text"] == "Hello, where would you like to begin?"


def test_profiles_are_described(practicum: Practicum) -> None:
    assert practicum("profiles", "check", "zh.json").out == snapshot("""\
zh.json: 2 profiles, all usable
languages   zh 2
characters  18 to 19, median 19
splits      none 2
risk        1 flagged (suicide 1)
""")
    assert practicum("profiles", "check", "en.json").out == snapshot("""\
en.json: 2 profiles, all usable
languages   en 2
characters  46 to 46, median 46
splits      none 2
risk        0 flagged
""")
    assert practicum("profiles", "check", "en.json", "--json", "--language", "zh").json()["languages"] == {"zh": 2}


def test_prompts_are_listed_and_printed(practicum: Practicum) -> None:
    from practicum.roles import bundled_prompts

    listed = practicum("prompts").out
    for prompt in bundled_prompts():
        assert f"{prompt.id} " in listed
        assert prompt.digest in listed
        assert practicum("prompts", prompt.id).out == f"{prompt.text}\n"
