"""`practicum import choices`, and what `practicum export` and `rank` make of it."""

from __future__ import annotations

import json
from pathlib import Path

from inline_snapshot import snapshot

from tests.arena.exchange_making import Held, hold
from tests.cli.conftest import Practicum

BALLOTS = """\
session,turn,profile,rater,candidates,chosen
一,1,安娜,督导甲,小禾|mechat,小禾
一,1,安娜,督导甲,mechat|小禾,mechat
一,3,安娜,督导甲,mechat|小禾,小禾
two,1,ben,judge,小禾|mechat,tie
two,3,ben,judge,小禾|mechat,none
two,5,ben,judge,mechat|小禾,mechat
"""


def test_choices_are_imported_ranked_and_exported(practicum: Practicum) -> None:
    Path("ballots.csv").write_text(BALLOTS, "utf-8")

    first = practicum("import", "choices", "ballots.csv", "--run", "people")
    again = practicum("import", "choices", "ballots.csv", "--run", "people", "--db", "sqlite:///practicum.db")
    ranked = practicum("rank", "people", "--json")
    exported = practicum("export", "people", "--format", "choices", "--out", "out")

    assert first.out == snapshot("""\
6 ballots from ballots.csv: 5 choices in 2 sessions
choices     win 2, tie 2, none 1
candidates  mechat, 小禾
raters      judge, 督导甲
written as run people
`practicum rank people` ranks them
""")
    assert again.out.splitlines()[-2:] == snapshot(
        ["run people had all of it already: nothing was written", "`practicum rank people` ranks them"]
    )
    assert ranked.status == 0
    assert exported.out == snapshot("6 ballots of 5 choices in 2 sessions written to out/choices.jsonl, out/choices.csv\n")
    assert len(Path("out/choices.jsonl").read_text("utf-8").splitlines()) == 6


def test_another_store_is_named_where_it_is_needed(practicum: Practicum) -> None:
    Path("ballots.csv").write_text(BALLOTS, "utf-8")

    said = practicum("import", "choices", "ballots.csv", "--run", "people", "--db", "sqlite:///other.db").out

    assert said.splitlines()[-1] == "`practicum rank people --db sqlite:///other.db` ranks them"
    assert practicum("rank", "people", "--db", "sqlite:///other.db", "--json").status == 0


def test_bad_rows_are_told_and_nothing_is_written(practicum: Practicum) -> None:
    Path("ballots.csv").write_text(BALLOTS + "two,7,ben,judge,小禾|mechat,psychat\n", "utf-8")

    said = practicum("import", "choices", "ballots.csv", "--run", "people")

    assert (said.status, said.out) == (2, "")
    assert said.err == snapshot("""\
practicum: ballots.csv: 1 of 7 rows cannot be used
  row 8: chosen 'psychat' must be one of the candidates, tie, tie:NAME|NAME, none or unscored
""")
    assert not Path("practicum.db").exists()


def test_an_imported_run_is_listed_and_shown(practicum: Practicum) -> None:
    Path("ballots.csv").write_text(BALLOTS, "utf-8")
    practicum("import", "choices", "ballots.csv", "--run", "people")

    assert practicum("runs").out.splitlines()[2].split()[:3] == ["people", "2", "0"]
    assert practicum("show", "people").status == 0
    assert practicum("show", "people", "1").status == 0


def test_preferences_of_an_arena_are_exported(practicum: Practicum) -> None:
    hold(Path.cwd(), Held(), Held(risk=["suicide"], language="en"))

    said = practicum("export", "a", "--format", "preferences", "--out", "out")
    whole = practicum("export", "a", "--format", "preferences", "--out", "out", "--include-risk")

    assert said.out == snapshot("""\
2 pairs of 1 choice in 1 session written to out/preferences.jsonl, out/preferences.llamafactory.jsonl, out/dataset_info.json
1 session left out: risk (suicide 1); --include-risk keeps them
""")
    assert whole.out.startswith("4 pairs of 2 choices in 2 sessions")
    first = json.loads(Path("out/preferences.jsonl").read_text("utf-8").splitlines()[0])
    assert [message["role"] for message in first["prompt"]] == ["system", "user"]
