from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from practicum.arena import BallotRow, ChoiceRow, read_log
from practicum.arena.exchange_in import import_choices
from practicum.arena.exchange_rows import COLUMNS
from practicum.core import Outcome, Profile, digest_of, text_digest
from practicum.errors import ChoicesError, ConfigError, RunConflictError, RunLockedError
from practicum.store import Store

Row = dict[str, Any]


@pytest.fixture
def db(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/practicum.db"


def write(folder: Path, *rows: object, name: str = "ballots.jsonl") -> Path:
    file = folder / name
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return file


def row(chosen: str | None = "小禾", candidates: Sequence[str] = ("小禾", "mechat"), **more: Any) -> Row:
    return {"session": "s1", "turn": 1, "candidates": list(candidates), "chosen": chosen, **more}


def read(folder: Path, db: str, *rows: object) -> list[ChoiceRow]:
    import_choices(write(folder, *rows), run="people", db=db)
    return list(read_log(["people"], db=db).rows)


def problems(file: Path, db: str) -> tuple[str, ...]:
    with pytest.raises(ChoicesError) as caught:
        import_choices(file, run="people", db=db)
    assert not Store.exists(db)  # nothing is begun
    return caught.value.problems


# ── what becomes of a file ───────────────────────────────────────────────────────────────────────────────────────────


def test_two_orders_become_the_row_that_one_would_write_by_hand(tmp_path: Path, db: str) -> None:
    texts = ["你好，想聊什么？", "早点睡。"]
    more: Row = {"profile": "安娜", "rater": "督导甲", "failed": ["psychat"], "went_on": "mechat", "drawn": True}
    first = row(**more, texts=texts)
    second = row("tie", ("mechat", "小禾"), **more, texts=texts[::-1])

    assert read(tmp_path, db, first, second) == [
        ChoiceRow(
            session=digest_of(["imported", "people", "s1"]),
            turn=1,
            profile=text_digest("安娜"),
            rater="督导甲",
            offered=("mechat", "小禾"),
            outcome=Outcome.TIE,
            shares=(0.5, 0.5),
            texts=("早点睡。", "你好，想聊什么？"),
            language="zh",
            ballots=(
                BallotRow(shown=("小禾", "mechat"), outcome=Outcome.WIN, picked=0, order=0),
                BallotRow(shown=("mechat", "小禾"), outcome=Outcome.TIE, order=1),
            ),
            went_on="mechat",
            drawn=True,
            failed=("psychat",),
        )
    ]


def test_a_row_of_what_must_be_there_is_a_choice_between_whole_sessions(tmp_path: Path, db: str) -> None:
    (found,) = read(tmp_path, db, {"session": 7, "candidates": ["a", "b"], "chosen": "b"})

    assert (found.turn, found.rater, found.offered, found.shares) == (-1, "imported", ("a", "b"), (0.0, 1.0))
    assert (found.texts, found.language, found.went_on, found.drawn, found.failed) == ((), "zh", "", False, ())
    with Store.open(db) as store:
        (session,) = store.sessions("people")
    assert session.profile == Profile(id="7", text="session 7 of people", language="zh")
    assert (session.ending, session.turns) == (None, ())


@pytest.mark.parametrize(
    ("chosen", "outcome", "shares"),
    [
        ("c", Outcome.WIN, (0, 0, 1)),
        (" tie ", Outcome.TIE, (1 / 3, 1 / 3, 1 / 3)),
        ("tie:c| a", Outcome.TIE, (0.5, 0, 0.5)),
        ("none", Outcome.NONE, (0, 0, 0)),
        ("unscored", Outcome.UNSCORED, (0, 0, 0)),
        ("", Outcome.UNSCORED, (0, 0, 0)),
        (None, Outcome.UNSCORED, (0, 0, 0)),
    ],
)
def test_what_chosen_may_say(chosen: str | None, outcome: Outcome, shares: Sequence[float], tmp_path: Path, db: str) -> None:
    (found,) = read(tmp_path, db, row(chosen, "abc"))

    assert (found.outcome, found.shares) == (outcome, tuple(shares))
    assert found.ballots[0].outcome is outcome


def test_each_session_turn_rater_and_set_of_candidates_is_a_choice(tmp_path: Path, db: str) -> None:
    rows = [row(), row(turn=3), row(rater="乙"), row("c", ("小禾", "c")), row(session="s2"), row(turn=None), row(turn=0)]

    found = read(tmp_path, db, *rows)

    key = {name: digest_of(["imported", "people", name]) for name in ("s1", "s2")}
    whole = next(one.session for one in found if one.turn == -1)
    assert [(one.session, one.turn, one.rater, one.offered[0]) for one in found] == [
        (whole, -1, "imported", "mechat"),
        (key["s1"], 0, "imported", "mechat"),
        (key["s1"], 1, "imported", "mechat"),
        (key["s1"], 1, "乙", "mechat"),
        (key["s1"], 1, "imported", "c"),
        (key["s1"], 3, "imported", "mechat"),
        (key["s2"], 1, "imported", "mechat"),
    ]


def test_the_same_client_is_one_cluster_and_a_nameless_one_its_own(tmp_path: Path, db: str) -> None:
    rows = [row(profile="anna"), row(session="s2", profile="anna"), row(session="s3"), row(session="s4", profile=None)]

    first, second, third, fourth = read(tmp_path, db, *rows)

    assert first.profile == second.profile
    assert len({first.profile, third.profile, fourth.profile}) == 3


def test_a_repeat_is_kept_and_counts_in_nothing(tmp_path: Path, db: str) -> None:
    (found,) = read(tmp_path, db, row(), row("mechat", repeat=1), row("mechat", repeat=2))

    assert list(found.shares) == [0, 1]
    assert [(one.order, one.repeat) for one in found.ballots] == [(0, 0), (0, 1), (0, 2)]


def test_probabilities_are_combined_as_a_supervisors_are(tmp_path: Path, db: str) -> None:
    odds = {"小禾": 0.6, "mechat": 0.2, "tie": 0.2, "none": 0.0}
    (found,) = read(tmp_path, db, row(odds=odds, order=4), row("unscored", ("mechat", "小禾"), odds=odds, mass=0.5, order=5))

    assert found.shares == pytest.approx((0.3, 0.7))
    assert [(one.mass, one.order) for one in found.ballots] == [(1.0, 4), (0.5, 5)]


def test_probabilities_of_some_orders_alone_do_not_count(tmp_path: Path, db: str) -> None:
    odds = {"小禾": 0.6, "mechat": 0.2, "tie": 0.2, "none": 0.0}
    (found,) = read(tmp_path, db, row(odds=odds), row("小禾", ("mechat", "小禾")))

    assert found.shares == (0, 1)


@pytest.mark.parametrize(
    ("rows", "language"),
    [
        ([row(texts=["Hello", "Sleep more"])], "en"),
        ([row(), row(turn=3, texts=["你好", "早点睡"])], "zh"),
        ([row(texts=["你好", "早点睡"]), row(turn=3, language="en")], "en"),
    ],
)
def test_the_language_is_the_files_or_guessed(rows: list[Row], language: str, tmp_path: Path, db: str) -> None:
    assert {one.language for one in read(tmp_path, db, *rows)} == {language}


# ── the run ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_report_and_the_runs_note_say_what_came_in(tmp_path: Path, db: str) -> None:
    rows = [row(), row("tie", ("mechat", "小禾")), row("none", turn=3, rater="乙"), row(session="s2", failed=["psychat"])]
    file = write(tmp_path, *rows)

    report = import_choices(file, run="people", db=db)

    assert [line.replace(str(tmp_path), "DIR") for line in report.lines()] == snapshot(
        [
            "4 ballots from DIR/ballots.jsonl: 3 choices in 2 sessions",
            "choices     win 1, tie 1, none 1",
            "candidates  mechat, psychat, 小禾",
            "raters      imported, 乙",
            "written as run people",
        ]
    )
    with Store.open(db) as store:
        info = store.run("people")
    assert [note.text for note in info.notes] == ["imported 4 ballots, 3 choices from ballots.jsonl"]
    assert info.settings == {"file": "ballots.jsonl", "names": {"mechat": "mechat", "psychat": "psychat", "小禾": "小禾"}}


def test_many_candidates_are_not_all_listed(tmp_path: Path, db: str) -> None:
    report = import_choices(write(tmp_path, row("a", "abcdefghij")), run="people", db=db)

    assert report.lines()[2] == "candidates  a, b, c, d, e, f, g, h and 2 more"


def test_the_same_file_again_changes_nothing(tmp_path: Path, db: str) -> None:
    file = write(tmp_path, row(), row(turn=3), row(session="s2", turn=None))
    first = import_choices(file, run="people", db=db)
    before = read_log(["people"], db=db)

    again = import_choices(file, run="people", db=db)

    assert (first.written, again.written) == (3, 0)
    assert again.lines()[-1] == "run people had all of it already: nothing was written"
    assert read_log(["people"], db=db) == before
    with Store.open(db) as store:
        assert len(store.run("people").notes) == 1


def test_an_import_that_was_cut_is_completed(tmp_path: Path, db: str) -> None:
    file = write(tmp_path, row(), row(turn=3), row(session="s2"))
    import_choices(file, run="people", db=db)
    whole = read_log(["people"], db=db)
    with Store.open(db) as store, store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM record WHERE idx = 3 OR session_id = 2")
        connection.exec_driver_sql("DELETE FROM note")

    assert import_choices(file, run="people", db=db).written == 2
    assert read_log(["people"], db=db) == whole


def test_another_file_under_the_same_name_is_refused(tmp_path: Path, db: str) -> None:
    import_choices(write(tmp_path, row()), run="people", db=db)

    with pytest.raises(RunConflictError, match="imported choices: stored"):
        import_choices(write(tmp_path, row("mechat")), run="people", db=db)


def test_a_run_that_is_being_written_is_left_alone(tmp_path: Path, db: str) -> None:
    with Store.open(db) as store, store.own_run("people"), pytest.raises(RunLockedError):
        import_choices(write(tmp_path, row()), run="people", db=db)


def test_more_sessions_than_are_written_at_once(tmp_path: Path, db: str) -> None:
    rows = [row(session=f"s{number}", turn=turn) for number in range(600) for turn in (1, 3)]

    found = read(tmp_path, db, *rows)

    assert [one.turn for one in found] == [1, 3] * 600
    assert len({one.session for one in found}) == 600


def test_a_name_that_is_no_runs_is_refused(tmp_path: Path, db: str) -> None:
    with pytest.raises(ConfigError, match="no name for a run"):
        import_choices(write(tmp_path, row()), run="a/b", db=db)


# ── CSV ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_says_the_same_as_json_lines(separator: str, tmp_path: Path, db: str) -> None:
    odds = '"{""小禾"": 0.6, ""mechat"": 0.2, ""tie"": 0.2, ""none"": 0}"'
    table = [
        COLUMNS,
        ("s1", "1", "安娜", "zh", "督导甲", "小禾 | mechat", "小禾", "0", "0", "小禾", "true", "psychat|soulchat", "", odds, "0.9"),
        ("",) * len(COLUMNS),
        ("s2", *("",) * 4, "小禾|mechat", *("",) * 9),
    ]
    file = tmp_path / "ballots.CSV"
    file.write_text("\ufeff" + "\r\n".join(separator.join(cells) for cells in table), "utf-8")
    given = {"小禾": 0.6, "mechat": 0.2, "tie": 0.2, "none": 0}
    more: Row = {"profile": "安娜", "rater": "督导甲", "went_on": "小禾", "drawn": True, "failed": ["psychat", "soulchat"]}

    import_choices(file, run="people", db=db)

    by_hand = read(tmp_path / "..", f"{db}.2", row(**more, language="zh", odds=given, mass=0.9), row("", session="s2", turn=None))
    assert read_log(["people"], db=db).rows == by_hand


def test_every_column_of_csv_is_a_key_of_json_lines() -> None:
    from practicum.arena.exchange_rows import BallotLine

    assert {*COLUMNS, "texts"} == set(BallotLine.model_fields)


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────────────────────

ODDS = {"小禾": 0.6, "mechat": 0.4, "tie": 0.0, "none": 0.0}


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("小禾", "expected an object with session, candidates, chosen, got '小禾'"),
        ({"candidates": ["a", "b"], "chosen": "a"}, "session is missing"),
        (row(session=" "), "session is empty"),
        (row(turn=-2), "turn -2 must be greater than or equal to -1"),
        (
            row(turn="first"),
            "turn 'first' must be a valid integer, unable to parse string as an integer",
        ),
        (row(rater="甲\n乙"), "rater '甲\\n乙' must be one line without control characters"),
        (row(language="fr"), "language 'fr' must be 'zh' or 'en'"),
        (
            row(candidates=["小禾"]),
            "candidates '小禾' must be two or more, each once",
        ),
        (row(candidates=["小禾", "小禾"]), "candidates '小禾|小禾' must be two or more, each once"),
        (
            row(candidates=["小禾", "none"]),
            "candidates 'none' cannot be a candidate's name: tie, none and unscored are verdicts, | stands between names",
        ),
        (
            row("psychat"),
            "chosen 'psychat' must be one of the candidates, tie, tie:NAME|NAME, none or unscored",
        ),
        (
            row("tie:小禾"),
            "chosen 'tie:小禾' must be one of the candidates, tie, tie:NAME|NAME, none or unscored",
        ),
        (
            row("小禾|mechat"),
            "chosen '小禾|mechat' must be one of the candidates, tie, tie:NAME|NAME, none or unscored",
        ),
        (row(texts=["你好"]), "texts has 1 texts, expected 2: one a candidate"),
        (row(texts=["你好", " "]), "texts ' ' is wrong: String should have at least 1 character"),
        (row(went_on="psychat"), "went_on 'psychat' must be one of the candidates"),
        (row(failed=["mechat"]), "failed 'mechat' stands among the candidates, too"),
        (row(odds={**ODDS, "tie": 0.5}), "odds must be a probability for each candidate, tie and none, 1 together"),
        (row(odds={"小禾": 1}), "odds must be a probability for each candidate, tie and none, 1 together"),
        (
            row(winner="小禾"),
            (
                "unknown key 'winner' (known: session, turn, profile, language, rater, candidates, chosen, order, repeat, "
                "texts, went_on, drawn, failed, reason, odds, mass)"
            ),
        ),
        (
            {"session": "", "turn": -5, "order": -1, "repeat": -1, "candidates": ["a", "b"], "chosen": "a"},
            ("session is empty; turn -5 must be greater than or equal to -1; order -1 must be greater than or equal to 0; and 1 more"),
        ),
    ],
)
def test_a_bad_row_is_told_in_a_line(bad: object, told: str, tmp_path: Path, db: str) -> None:
    assert problems(write(tmp_path, row(session="good"), bad), db) == (f"row 2: {told}",)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            [row(), row("mechat")],
            (
                "row 2: the same ballot as row 1: one rater, turn and order of candidates; give repeat=1 if it was asked again, "
                "or name the raters"
            ),
        ),
        (
            [row(profile="anna"), row(turn=3), row(turn=5, profile="ben")],
            "row 3: profile: 'ben' here, 'anna' in row 1; expected the same",
        ),
        (
            [row(turn=3), row(turn=5, language="zh"), row(language="en")],
            "row 3: language: 'en' here, 'zh' in row 2; expected the same",
        ),
        (
            [row(went_on="小禾"), row(rater="乙", went_on="mechat")],
            "row 2: went_on: 'mechat' here, '小禾' in row 1; expected the same",
        ),
        (
            [row(went_on="小禾"), row(rater="乙", went_on="小禾", drawn=True)],
            "row 2: drawn: true here, false in row 1; expected the same",
        ),
        (
            [row(texts=["你好", "早点睡"]), row(rater="乙", texts=["您好", "早点睡"])],
            "row 2: texts of '小禾': '您好' here, '你好' in row 1; expected the same",
        ),
        (
            [row(failed=["c"]), row("c", ("小禾", "c"))],
            "row 2: failed of 'c': false here, true in row 1; expected the same",
        ),
        (
            [row(), row(repeat=1, turn=3)],
            "row 2: repeat must be 0 in one row of each choice: there is nothing that it repeats",
        ),
    ],
)
def test_rows_must_not_be_against_each_other(rows: list[Row], told: str, tmp_path: Path, db: str) -> None:
    assert problems(write(tmp_path, *rows), db) == (told,)


def test_all_bad_rows_are_told_together(tmp_path: Path, db: str) -> None:
    file = write(tmp_path, *(row("谁") for _ in range(12)), row())
    file.write_text(file.read_text("utf-8") + "{\n", "utf-8")

    with pytest.raises(ChoicesError) as caught:
        import_choices(file, run="people", db=db)

    assert str(caught.value).splitlines()[0] == f"{file}: 13 of 14 rows cannot be used"
    assert str(caught.value).splitlines()[-1] == "  and 3 more"
    assert caught.value.problems[-1].startswith("row 14: not JSON")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "session,candidates\ns1,a|b\n",
            (
                "the header has no column 'chosen'; known: session, turn, profile, language, rater, candidates, chosen, order, "
                "repeat, went_on, drawn, failed, reason, odds, mass"
            ),
        ),
        (
            "session,candidates,chosen,texts\ns1,a|b,a,x\n",
            (
                "unknown column 'texts'; known: session, turn, profile, language, rater, candidates, chosen, order, repeat, went_on, "
                "drawn, failed, reason, odds, mass (texts go into JSON lines)"
            ),
        ),
        ("session,candidates,chosen,chosen\ns1,a|b,a,a\n", "column 'chosen' stands twice"),
        ("", "holds no ballots"),
        ("\n", "holds no ballots"),
        ("session,candidates,chosen\n", "holds no ballots"),
    ],
)
def test_a_csv_file_that_is_none_is_refused_as_a_whole(text: str, told: str, tmp_path: Path, db: str) -> None:
    file = tmp_path / "b.csv"
    file.write_text(text, "utf-8")

    with pytest.raises(ChoicesError) as caught:
        import_choices(file, run="people", db=db)

    assert str(caught.value) == f"{file}: {told}"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("s1,a|b,a,,", "row 2: 5 cells, but the header has 4"),
        ("s1,a|b,a,{0.5}", "row 2: odds '{0.5}' is not JSON: unexpected character, expected a string key"),
        ('s1,a|b,a,"x', "row 2: not CSV: unexpected end of data; nothing below it was read"),
        (",a|b,a,", "row 2: session is empty"),
        ("s1,a,a,", "row 2: candidates 'a' must be two or more, each once"),
    ],
)
def test_a_bad_row_of_csv_is_told_in_a_line(line: str, told: str, tmp_path: Path, db: str) -> None:
    file = tmp_path / "b.csv"
    file.write_text(f"session,candidates,chosen,odds\n{line}", "utf-8")

    assert problems(file, db) == (told,)


@pytest.mark.parametrize("name", ["b.csv", "b.jsonl"])
def test_a_file_that_is_not_utf_8_is_refused(name: str, tmp_path: Path, db: str) -> None:
    file = tmp_path / name
    file.write_bytes("session,candidates,chosen\n一,小禾|b,小禾".encode("gb18030"))

    with pytest.raises(ChoicesError, match=r"not UTF-8: byte 0xba .*line 2.*save it as UTF-8"):
        import_choices(file, run="people", db=db)


def test_a_file_that_is_not_there_is_told(tmp_path: Path, db: str) -> None:
    with pytest.raises(ChoicesError, match=r"nowhere\.csv: cannot be read"):
        import_choices(tmp_path / "nowhere.csv", run="people", db=db)


# ── the manual ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_examples_of_the_manual_say_what_they_seem_to(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text("utf-8")
    found = {}
    for kind in ("csv", "jsonl"):
        example = page.split("\n## Choices\n")[1].split(f"```{kind}\n")[1].split("```")[0]
        file = tmp_path / f"ballots.{kind}"
        file.write_text(example, "utf-8")
        import_choices(file, run=kind, db=f"sqlite:///{tmp_path}/practicum.db")
        rows = read_log([kind], db=f"sqlite:///{tmp_path}/practicum.db").rows
        found[kind] = [(one.turn, one.rater, str(one.outcome), len(one.ballots), one.language) for one in rows]

    assert found["csv"] == [(1, "督导甲", "win", 2, "zh"), (3, "督导甲", "tie", 1, "zh"), (1, "judge", "none", 1, "zh")]
    assert found["jsonl"] == [(1, "督导甲", "win", 1, "zh"), (1, "judge", "none", 1, "en")]


def test_the_manual_names_every_field() -> None:
    from practicum.arena.exchange_rows import BallotLine

    for name in ("data.md", "data.zh.md"):
        page = (Path(__file__).parents[2] / "docs" / name).read_text("utf-8")
        table = re.split(r"(?m)^## ", page)[5]
        cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
        assert {field for cell in cells for field in re.findall("`([^`]+)`", cell)} == set(BallotLine.model_fields)
