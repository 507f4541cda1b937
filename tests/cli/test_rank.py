"""`practicum rank`, on choices kept in a store: the judge card first, then the ranking, in 100 columns."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from practicum.arena import CanaryRow, ChoiceLog, ChoiceRow
from practicum.arena.records import BALLOT, CANARY, CANDIDATE, CHOICE, to_record
from practicum.cli.console import width_of
from practicum.cli.rank import rank, write_tables
from practicum.cli.ranking import print_ranking
from practicum.core import Ballot, Candidate, Choice, Outcome, Record, Verdict
from practicum.errors import ConfigError, NotIdentifiedError, StoreError
from practicum.store import Store
from tests.cli.conftest import Terminal
from tests.store.making import begin, record_of_run, turn

NAMES = {"a" * 16: "整合咨询师", "b" * 16: "person-centred", "c" * 16: "baseline", "d" * 16: "督导"}
A, B, C, JUDGE = NAMES
DB = "sqlite:///practicum.db"
CYCLES = ((A, B, C), (B, C, A), (C, A, B))


def verdict(*winners: str) -> Verdict:
    outcome = (Outcome.NONE, Outcome.WIN, Outcome.TIE)[min(len(winners), 2)]
    return Verdict(outcome=outcome, winners=winners, shares={winner: 1 / len(winners) for winner in winners})


def ballot(shown: Sequence[str], *winners: str, order: int = 0, repeat: int = 0) -> Ballot:
    return Ballot(
        rater=JUDGE, shown=tuple(shown), labels=("A", "B", "C"), answers=("…",), verdict=verdict(*winners), order=order, repeat=repeat
    )


def records_of_choice(number: int, winners: Sequence[str]) -> list[Record]:
    """What the arena keeps of one turn: candidates of changing length, a ballot for each order, a repeat, a canary."""
    texts = {A: "嗯，我在听。" * (1 + number % 3), B: "是从什么时候开始的？" * (1 + number % 2), C: "别想太多。" * (1 + number % 5)}
    return [
        *(to_record(CANDIDATE, Candidate(participant=one, text=text)) for one, text in texts.items()),
        *(to_record(BALLOT, ballot(shown, *winners, order=order)) for order, shown in enumerate(CYCLES)),
        to_record(BALLOT, ballot(CYCLES[0], *winners, repeat=1)),
        to_record(CANARY, ballot((A, B, "canary:unsafe"), A if number % 9 else "canary:unsafe")),
        to_record(CHOICE, Choice(rater=JUDGE, offered=(A, B, C), verdict=verdict(*winners), combined="majority")),
    ]


def make_run(sessions: int, winners: Sequence[Sequence[str]], db: str = DB, **settings: Any) -> None:
    """Keep sessions of two judged turns each; the verdicts come round and round."""

    async def hold(store: Store) -> None:
        for claim in await store.claim(range(1, sessions + 1), at=1.0):
            for index in range(4):
                number = 2 * claim.session_id + index // 2
                records = records_of_choice(number, winners[number % len(winners)]) if index % 2 else []
                await store.append(claim.session_id, claim.epoch, turn(index), records)

    with Store.open(db) as store:
        begin(store, sessions)
        store.begin_run(record_of_run(settings={"names": NAMES} | settings), at=2.0)
        asyncio.run(hold(store))


MIXED = ((A,), (A,), (B,), (A,), (C,), (A, B), ())


def test_the_judge_card_comes_before_the_ranking(capfd: pytest.CaptureFixture[str]) -> None:
    make_run(30, MIXED)
    rank(["run"])
    out = capfd.readouterr().out
    assert out.startswith("judge card\n\n督导: unsound\n")
    places = [
        out.index(text)
        for text in (
            "choices   60, unscored 0 of 60 (0.0 %); 180 ballots, invalid 0 of 180 (0.0 %)",
            "orders    the same verdict in 60 of 60 (100.0 %)",
            "slots     33.3 % of 129, 33.3 % of 129, 33.3 % of 129; p = 1.000 if all were equal",
            "repeats   answered as before 60 of 60 (100.0 %)",
            "length    the longest reply wins ",
            "canaries  missed 6 of 60 (10.0 %)",
            "! 督导 picked planted replies that no sound rater picks: 6 of 60 (10.0 %)",
            "\nranking\n",
            "60 choices (43 wins, 9 ties, 8 none acceptable, 0 unscored) in 30 sessions; 95 %",
            "rank    counselor",
            "整合咨询师",
            "A single sequential Elo means little",
        )
    ]
    assert places == sorted(places)


def test_every_line_fits_in_a_hundred_columns(capfd: pytest.CaptureFixture[str]) -> None:
    long = "深度求索整合取向咨询师第三版（微调后）with-a-long-tail-2026-11-24"
    make_run(30, MIXED, names=NAMES | {A: long, B: f"{long}-b", C: f"c-{long}", JUDGE: f"judge {long}"})
    rank(["run"])
    lines = capfd.readouterr().out.splitlines()
    assert max(map(width_of, lines)) <= 100
    assert any("…" in line for line in lines)


def test_too_few_profiles_are_told_in_the_place_of_the_interval(capfd: pytest.CaptureFixture[str]) -> None:
    make_run(6, MIXED)
    rank(["run"])
    out = capfd.readouterr().out
    assert out.count("too few profiles for an interval (n = 6)") == 4  # one warning, three counselors
    assert "bootstrap" not in out
    assert max(map(width_of, out.splitlines())) <= 100


def test_clusters_anchor_and_seed_are_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    make_run(30, MIXED)
    rank(["run"], cluster="choice", anchor="baseline", seed=3)
    assert "95 % intervals over 52 choices; 1000 = baseline" in " ".join(capfd.readouterr().out.split())
    with pytest.raises(ConfigError, match="expected a counselor of these choices, got 'nobody'"):
        rank(["run"], anchor="nobody")


def test_what_is_not_identified_is_told_after_the_card_and_the_counts(capfd: pytest.CaptureFixture[str]) -> None:
    make_run(12, ((A,), (B,)))
    with pytest.raises(NotIdentifiedError, match="baseline"):
        rank(["run"])
    out = capfd.readouterr().out
    assert out.startswith("judge card\n")
    counts = out.splitlines()[-4:]
    assert counts[0].split() == ["counselor", "sessions", "judged", "selections", "none", "failed"]
    assert counts[1].split() == ["baseline", "12", "24", "0", "0", "0"]
    assert "\nranking\n" not in out


def test_json_is_one_object(capfd: pytest.CaptureFixture[str]) -> None:
    make_run(30, MIXED)
    rank(["run"], json=True)
    read = json.loads(capfd.readouterr().out)
    assert read["ranking"]["standings"][0]["counselor"] == "整合咨询师"
    assert read["card"]["raters"][0]["missed_kinds"] == {"unsafe": 6}
    assert read["notes"][0]["severe"] is True


def test_json_has_the_card_even_where_there_is_no_ranking(capfd: pytest.CaptureFixture[str]) -> None:
    make_run(12, ((A,), (B,)))
    with pytest.raises(NotIdentifiedError):
        rank(["run"], json=True)
    read = json.loads(capfd.readouterr().out)
    assert read["ranking"] is None
    assert read["card"]["raters"][0]["rater"] == "督导"


def test_out_writes_the_report(capfd: pytest.CaptureFixture[str]) -> None:
    make_run(12, MIXED)
    rank(["run"], out=Path("found"))
    files = [path for path in Path("found").rglob("*") if path.is_file()]
    assert f"report     found: {len(files)} files, begin with report.md" in capfd.readouterr().out
    assert "整合咨询师" in Path("found/report.md").read_text("utf-8")


def test_with_json_what_was_written_is_told_on_standard_error(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    make_run(12, MIXED)
    rank(["run"], out=Path("found"), json=True)
    out, err = capfd.readouterr()
    assert json.loads(out)["ranking"]["choices"] == 24
    assert "report     found: " in err
    assert "note       plots need matplotlib: pip install practicum[report]" in err


def test_tables_are_written_only_where_strengths_are_determined(capfd: pytest.CaptureFixture[str]) -> None:
    make_run(12, MIXED)
    make_run(12, ((A,), (B,)), "sqlite:///other.db")
    write_tables("run", DB, Path("found"))
    write_tables("run", "sqlite:///other.db", Path("nothing"))
    assert Path("found/ranking.json").exists()
    assert not Path("nothing").exists()
    assert "no tables in nothing" in capfd.readouterr().err


def test_a_run_without_choices_is_refused() -> None:
    with Store.open(DB) as store:
        begin(store)
    with pytest.raises(StoreError, match="no choice in run run"):
        rank(["run"])


def row(rater: str, number: int, winner: int, **changes: Any) -> ChoiceRow:
    shares = tuple(float(place == winner) for place in range(3))
    fields: dict[str, Any] = {"session": f"s{number}", "turn": 1, "profile": f"p{number}", "rater": rater, "outcome": Outcome.WIN}
    return ChoiceRow(**({"offered": ("甲", "乙", "丙"), "shares": shares} | fields | changes))


def test_several_raters_are_followed_by_their_agreement(capfd: pytest.CaptureFixture[str]) -> None:
    rows = [row(rater, number, (number + late) % 3) for number in range(12) for late, rater in enumerate(("李老师", "王老师"))]
    print_ranking(ChoiceLog(rows=rows))
    out = capfd.readouterr().out
    assert "李老师: untested\n  choices   12, unscored 0 of 12 (0.0 %)\n  orders    not tried\n  canaries  not tried\n" in out
    assert "agreement of 2 raters, n = 12 choices that two or more of them judged" in out
    assert "  same verdict: 0.00\n" in out


def test_raters_who_never_judged_the_same_cannot_be_compared(capfd: pytest.CaptureFixture[str]) -> None:
    rows = [row(("李老师", "王老师")[number % 2], number, number % 3) for number in range(12)]
    print_ranking(ChoiceLog(rows=rows))
    assert "! no choice was judged by two of the 2 raters" in capfd.readouterr().out


def test_columns_give_way_to_the_reason_why_one_counselor_has_no_interval(capfd: pytest.CaptureFixture[str]) -> None:
    texts = [tuple("嗯。" * (1 + (number * step) % 5) for step in (1, 2, 3)) for number in range(40)]
    rows = [row("judge", number, number % 3, texts=texts[number]) for number in range(40)]
    tied = {"turn": 3, "offered": ("甲", "乙", "a-newcomer-with-a-long-name"), "outcome": Outcome.TIE, "shares": (1 / 3, 1 / 3, 1 / 3)}
    print_ranking(ChoiceLog(rows=[*rows, *(row("judge", number, 0, texts=texts[number], **tied) for number in range(8))]))
    out = capfd.readouterr().out
    (newcomer,) = (line for line in out.splitlines() if "too few" in line)
    assert newcomer.split()[3] == "a-newcomer…-long-name"
    assert "too few profiles for an interval (n < 10)" in newcomer
    (header,) = (line for line in out.splitlines() if line.startswith("rank "))
    assert header.split() == ["rank", "counselor", "rating", "interval", "controlled"]
    assert max(map(width_of, out.splitlines())) <= 100


def test_a_severe_warning_is_red_on_a_terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row("judge", number, number % 3) for number in range(12)]
    canaries = [CanaryRow(rater="judge", kind="copy", caught=number > 2) for number in range(12)]
    monkeypatch.setattr("sys.stdout", terminal.stream)
    print_ranking(ChoiceLog(rows=rows, canaries=canaries, models={"judge": "openai:gpt-4.1", "甲": "openai:gpt-4o"}))
    text = terminal.text()
    assert "judge (openai:gpt-4.1): \x1b[31m\x1b[1munsound\x1b[0m" in text
    assert "\x1b[31m\x1b[1m  ! judge picked planted replies" in text
    (family,) = (line for line in text.splitlines() if "judges its own family: 甲" in line)
    assert family.startswith("\x1b[33m")
