"""`practicum arena`, and what `show` and `demo --arena` tell of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from practicum.arena import read_log
from practicum.cli.arena import read_share
from practicum.core import Outcome
from practicum.errors import ConfigError
from practicum.store import Store
from tests.cli.conftest import Outcome as Left
from tests.cli.conftest import Practicum

MEMBERS = {"甲": "是从什么时候开始的？", "乙": "你应该早点睡。", "丙": "嗯，我在听，你慢慢说。"}
DB = "sqlite:///practicum.db"

Arena = Callable[..., Left]


@pytest.fixture
def arena(practicum: Practicum) -> Arena:
    """Runs `practicum arena` with three scripted counselors, and a supervisor who never gives a verdict, as run `a`."""
    Path("p.json").write_text('["我二十九岁，最近升职以后一直睡不好。", "我和妈妈又吵架了，心里很乱。"]', "utf-8")

    def run(*args: str, members: dict[str, str] = MEMBERS, supervisor: str = "script:always 结论：none", client: bool = True) -> Left:
        people = [part for name, said in members.items() for part in ("--member", f"{name}=script:always {said}")]
        clients = ("--profiles", "p.json", "--client", "script:always 我睡不着。") if client else ()
        fixed = ("--run", "a", "--max-exchanges", "2", "--set", "check.ask_again=0", "--canaries", "0", "--split", "test")
        return practicum("arena", *clients, *people, "--supervisor", supervisor, *fixed, *args)

    return run


def test_an_arena_is_held_and_told_of_and_an_undecided_one_has_a_card_and_no_table(arena: Arena) -> None:
    left = arena()
    assert left.status == 0
    assert "1 combination × 2 clients × 1, turns" in left.out
    assert "2 of 2 done (2 turn_limit)" in left.out
    assert "judge card" in left.out
    assert "no table yet" in left.err
    log = read_log(["a"], db=DB)
    assert [row.outcome for row in log.rows] == [Outcome.NONE] * 4
    assert {row.rater for row in log.rows} == {"script:always 结论：none"}
    assert all(row.drawn and row.offered and set(row.offered) == set(MEMBERS) for row in log.rows)


def test_the_same_command_asks_nobody_again_and_a_changed_one_is_refused(arena: Arena) -> None:
    arena()
    before = read_log(["a"], db=DB)
    assert arena().status == 0
    assert read_log(["a"], db=DB) == before
    left = arena("--orders", "one")
    assert left.status == 2
    assert 'orders: stored "cyclic", given "one"' in left.err


def test_an_arena_as_json_is_one_object(arena: Arena) -> None:
    left = arena("--json")
    assert left.json()["endings"] == {"turn_limit": 2}


def test_show_tells_what_was_offered_and_what_was_chosen(arena: Arena, practicum: Practicum) -> None:
    arena("--set", "repeats=0")
    shown = practicum("show", "a", "1").out
    for name, said in MEMBERS.items():
        assert f" {name}: {said}" in shown
    assert shown.count("▸") == 2
    assert "→ script:always 结论：none: none (majority, 3 ballots)" in shown
    assert "→ what went on was drawn by lot" in shown


def test_show_names_who_failed_and_why_there_is_no_verdict(arena: Arena, practicum: Practicum) -> None:
    left = arena(members={**MEMBERS, "丁": "!fail"}, supervisor="script:always 我说不好。")
    assert left.status == 0
    shown = practicum("show", "a", "2").out
    assert "丁: (failed: the script says nothing)" in shown or "丁" not in shown
    assert "unscored: expected a last line" in shown


def test_whole_sessions_are_compared_once(arena: Arena, practicum: Practicum) -> None:
    left = arena("--mode", "sessions", "--set", "repeats=0")
    assert left.status == 0
    assert "3 combinations × 2 clients × 1, sessions" in left.out
    log = read_log(["a"], db=DB)
    assert len(log.rows) == 6
    assert {row.turn for row in log.rows} == {-1}
    assert len({row.session for row in log.rows}) == 6
    arena("--mode", "sessions", "--set", "repeats=0")
    assert read_log(["a"], db=DB) == log
    assert "→ script:always 结论：none: none (majority, 2 ballots)" in practicum("show", "a", "1").out


def test_stored_sessions_are_replayed_without_a_client(arena: Arena) -> None:
    arena()
    left = arena("--continue", "fixed:a", "--run", "f", client=False)
    assert left.status == 0
    with Store.open(DB) as store:
        texts = {run: {tuple(turn.text for turn in session.turns) for session in store.sessions(run)} for run in ("a", "f")}
    assert texts["f"] == texts["a"]
    assert {row.went_on for row in read_log(["f"], db=DB).rows} == {""}


def test_a_papers_design_is_one_flag(arena: Arena) -> None:
    left = arena("--preset", "interactive-agents", members={**MEMBERS, "丁": "那你怎么想？"})
    assert left.status == 0
    assert "3 combinations × 2 clients × 1, turns" in left.out
    assert "orders one, winner goes on" in left.out
    with Store.open(DB) as store:
        info = store.run("a")
    assert info.identity["ending"]["policy"] == "paper"
    assert info.identity["client"]["sampling"]["max_tokens"] == 100
    assert all("甲" in row.offered for row in read_log(["a"], db=DB).rows)


def test_supervisors_of_one_model_are_told_apart(arena: Arena) -> None:
    prompt = Path("mine.txt")
    prompt.write_text("请选一个。最后一行写结论。", "utf-8")
    left = arena("--supervisor", f"script:always 结论：none;prompt={prompt}")
    assert left.status == 0
    assert {row.rater for row in read_log(["a"], db=DB).rows} == {"script:always 结论：none", "script:always 结论：none (2)"}


WRONG = [
    (["--member", "甲=script:echo"], "--member '甲' is there twice"),
    (["--member", "nobody"], "expected NAME=MODEL"),
    (["--canaries", "3"], "--canaries '3': expected a share from 0 to 1"),
    (["--size", "7"], "size: 7 counselors are to meet, but there are 3 members"),
    (["--combinations", "with:戊"], "names nobody"),
    (["--continue", "fixed:b"], "--profiles: the clients are those of the run"),
    (["--continue", "sideways"], "go_on: 'sideways' will not do"),
    (["--mode", "sessions", "--continue", "random"], "whole sessions go on by themselves"),
    (["--db", "sqlite://"], "lives in memory"),
    (["--set", "members.甲.temprature=1"], "unknown key"),
]


@pytest.mark.parametrize(("args", "said"), WRONG, ids=lambda value: str(value)[:30])
def test_a_mistake_is_one_line_and_starts_nothing(arena: Arena, args: list[str], said: str) -> None:
    left = arena(*args)
    assert left.status == 2
    assert said in left.err
    assert len(left.err.splitlines()) == 1
    assert not Path("practicum.db").exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "members is missing; give --member NAME=MODEL"),
        (["--member", "a=script:echo", "--member", "b=script:always 嗯", "--supervisor", "script:echo"], "client is missing"),
        (
            ["--member", "a=script:echo", "--member", "b=script:always 嗯", "--supervisor", "script:echo", "--client", "script:echo"],
            "--profiles is missing",
        ),
    ],
)
def test_what_is_missing_is_named(practicum: Practicum, args: list[str], said: str) -> None:
    left = practicum("arena", *args)
    assert left.status == 2
    assert said in left.err


def test_profiles_marked_for_training_are_refused(arena: Arena) -> None:
    rows: list[dict[str, Any]] = [{"text": "我睡不好。", "split": "train"}, {"text": "我很烦。"}]
    Path("p.json").write_text(json.dumps(rows), "utf-8")
    assert "marked for training" in arena().err
    assert arena("--allow-train").status == 0


@pytest.mark.parametrize(("text", "share"), [("2%", 0.02), ("0.5", 0.5), ("100%", 1.0), ("0", 0.0)])
def test_a_share_is_a_number_or_a_percentage(text: str, share: float) -> None:
    assert read_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "much", "-1", "101%", "nan"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected a share"):
        read_share(text)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_demo_arena_tells_who_was_chosen(practicum: Practicum, language: str) -> None:
    models = ("--client", "script:always 我睡不着。", "--counselor", "script:always 结论：none")
    left = practicum("demo", "--arena", "--language", language, "--max-exchanges", "2", *models)
    assert left.status == 0
    assert "2 of 2 done" in left.out
    assert "judge card" in left.out
    assert "[1 " in left.out
    assert {"zh": "掷骰子", "en": "dice"}[language] in left.out
