from __future__ import annotations

import json
import sys
from pathlib import Path
from threading import Thread

import pytest
from inline_snapshot import snapshot

from benchmarks.fakeserver import FakeServer
from practicum.cli.options import DEFAULT_DB
from practicum.store import DEFAULT_URL
from tests.cli.conftest import Practicum, Terminal, masked


def test_a_run_is_told_before_and_after(simulate: Practicum) -> None:
    outcome = simulate("zh")
    assert outcome.status == 0
    assert outcome.err == ""
    assert masked(outcome.out) == snapshot("""\
store      sqlite:///practicum.db
run        r
client     script:client.zh.txt#DIGEST (chat)
counselor  script:counselor.zh.txt#DIGEST (chat)
profiles   2, 1 flagged for risk; 1 session each

sessions   2 of 2 done (2 turn_limit)
exchanges  8
tokens     0 read, 0 written
replies    0 refused by the check and asked for anew, 0 mended or marked this time
risk       1 session flagged

next
  practicum show r 1
  practicum export r --format sharegpt --out practicum-export
""")


def test_an_english_run_reads_the_same(simulate: Practicum) -> None:
    outcome = simulate("en", "--db", "sqlite:///other.db", "--set", "prices.completion=2", "--per-profile", "2")
    assert outcome.status == 0
    assert masked(outcome.out) == snapshot("""\
store      sqlite:///other.db
run        r
client     script:client.en.txt#DIGEST (chat)
counselor  script:counselor.en.txt#DIGEST (chat)
profiles   2; 2 sessions each

sessions   4 of 4 done (4 turn_limit)
exchanges  16
tokens     0 read, 0 written
cost       0.00 USD
replies    0 refused by the check and asked for anew, 0 mended or marked this time
risk       0 sessions flagged

next
  practicum show r 1 --db sqlite:///other.db
  practicum export r --format sharegpt --out practicum-export --db sqlite:///other.db
""")


def test_the_same_command_does_nothing_twice(simulate: Practicum) -> None:
    simulate("zh")
    first = simulate("zh", "--json").json()
    assert first == simulate("zh", "--json").json()
    assert (first["planned"], first["endings"], first["exchanges"]) == (2, {"turn_limit": 2}, 8)


def test_json_is_all_that_stands_on_standard_output(simulate: Practicum) -> None:
    outcome = simulate("zh", "--json")
    assert outcome.status == 0
    assert outcome.json() == snapshot(
        {
            "run": "r",
            "store": "sqlite:///practicum.db",
            "complete": True,
            "stopped": False,
            "planned": 2,
            "unfinished": 0,
            "endings": {"turn_limit": 2},
            "exchanges": 8,
            "prompt_tokens": 0,
            "completion_tokens": 0,
            "cost": None,
            "refused": 0,
            "mended_or_marked_this_time": 0,
            "flagged": 1,
            "notes": [],
            "failed_because": {},
        }
    )


def test_options_a_file_and_settings_come_together(practicum: Practicum) -> None:
    Path("run.toml").write_text(
        'max_exchanges = 9\nseed = 5\n[client]\nmodel = "script:client.en.txt"\n[counselor]\nmodel = "script:counselor.en.txt"\n', "utf-8"
    )
    options = ("--config", "run.toml", "--set", "max_exchanges=8", "--max-exchanges", "2", "--limit", "1", "--run", "r", "--stop-on-risk")
    assert practicum("simulate", "--profiles", "en.json", *options).status == 0
    info = practicum("show", "r", "--json").json()["run"]
    assert (info["identity"]["max_exchanges"], info["identity"]["seed"], info["identity"]["stop_on_risk"]) == (2, 5, True)
    assert info["settings"]["profiles"] == "en.json"
    assert info["totals"]["planned"] == 1


def test_a_failed_session_is_owed_again(simulate: Practicum, practicum: Practicum) -> None:
    good = Path("counselor.zh.txt").read_text("utf-8")
    Path("counselor.zh.txt").write_text(good.replace("是从什么时候开始的？", "!fail 机器坏了"), "utf-8")
    outcome = simulate("zh", "--limit", "1")
    assert outcome.status == 1
    assert outcome.err == "practicum: 1 session still owed, 1 failed (practicum show r tells why); the same command tries them again\n"
    assert "failed     1 × 机器坏了\n" in outcome.out
    assert "机器坏了" in practicum("show", "r", "1").out


def test_a_failed_session_in_json(simulate: Practicum) -> None:
    Path("counselor.en.txt").write_text("!fail out of order\n", "utf-8")
    outcome = simulate("en", "--json", "--limit", "1")
    assert outcome.status == 1
    assert (outcome.json()["complete"], outcome.json()["endings"]) == (False, {"failed": 1})


def test_notes_and_models_at_an_address_are_shown(practicum: Practicum, fake_server: FakeServer) -> None:
    model = f"openai:m@{fake_server.url}"
    outcome = practicum("simulate", "--profiles", "en.json", "--client", model, "--counselor", model, "--max-exchanges", "3")
    assert outcome.status == 0
    assert f"client     openai:m at {fake_server.url} (chat)" in outcome.out
    assert "2 of 2 done" in outcome.out


def away(server: FakeServer, seconds: float) -> Thread:
    """Take a server away for so long as soon as it has answered twice, and return the thread that does it."""

    def take() -> None:
        while server.stats()["ok"] < 2:
            pass
        server.set(down=seconds)

    thread = Thread(target=take, daemon=True)
    thread.start()
    return thread


def test_a_server_that_was_waited_for_stands_in_the_notes(practicum: Practicum, fake_server: FakeServer) -> None:
    fake_server.set(latency=100)
    model = f"openai:m@{fake_server.url}"
    thread = away(fake_server, 0.3)
    outcome = practicum("simulate", "--profiles", "en.json", "--client", model, "--counselor", model, "--max-exchanges", "6", "--run", "r")
    thread.join(10)
    assert outcome.status == 0
    assert f"note       waiting for {fake_server.url}" in outcome.out
    assert f"note: waiting for {fake_server.url}" in practicum("show", "r").out


def test_a_server_that_stays_away_leaves_what_was_said(practicum: Practicum, fake_server: FakeServer) -> None:
    fake_server.set(latency=100)
    model = f"openai:m@{fake_server.url}"
    thread = away(fake_server, 30)
    settings = ("--set", "endpoint.patience=0.1", "--max-exchanges", "9")
    outcome = practicum("simulate", "--profiles", "en.json", "--client", model, "--counselor", model, *settings)
    thread.join(10)
    assert outcome.status == 1
    *_, kept, gone = outcome.err.splitlines()
    assert kept.endswith("turns were kept; the same command goes on after them")
    assert gone.startswith(f"practicum: {fake_server.url} has not come back")


def test_a_live_table_is_shown_on_a_terminal(simulate: Practicum, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    outcome = simulate("zh", "--set", "prices.completion=1")
    shown = terminal.text()
    assert outcome.status == 0
    assert "2 of 2 done, 0 open, 0 failed" in shown
    assert "0.00 USD" in shown
    assert "\x1b[" not in outcome.out


def test_the_default_store_is_the_stores_own() -> None:
    assert DEFAULT_DB == DEFAULT_URL


def test_what_was_kept_is_told_when_a_run_breaks_off(simulate: Practicum, folder: Path, practicum: Practicum) -> None:
    from practicum.store import Store

    assert simulate("en", "--limit", "1").status == 0
    with Store.open(DEFAULT_URL) as store, store.own_run("r"):
        outcome = simulate("en")
    assert outcome.status == 1
    assert len(outcome.err.splitlines()) == 1
    assert json.loads(practicum("runs", "--json").out)[0]["totals"]["planned"] == 1
