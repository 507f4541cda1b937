from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from practicum.arena import ChoiceLog, ChoiceRow, judge, rank, read_log
from practicum.arena.combine import by_probability, tie
from practicum.arena.exchange_in import import_choices
from practicum.arena.exchange_out import export_choices, export_preferences
from practicum.core import Ending, Form, Outcome, Verdict
from practicum.errors import ExportError, StoreError
from practicum.roles import load_prompt
from practicum.store import Store
from tests.arena.exchange_making import COUNSELORS, NONE, SAID, TIED, UNREAD, WON, Held, Judged, ballot, canary, hold


def told(lines: Sequence[str], folder: Path) -> list[str]:
    return [line.replace(str(folder), "DIR") for line in lines]


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def canonical(rows: Sequence[ChoiceRow]) -> list[ChoiceRow]:
    """Rows with sessions and profiles numbered as they come, candidates sorted by name, ballots by their order.

    Probabilities are added up in the order of digests there, of names here: their last digits differ.
    """
    sessions = list(dict.fromkeys(one.session for one in rows))
    profiles = list(dict.fromkeys(one.profile for one in rows))
    return [_canonical(one, str(sessions.index(one.session)), str(profiles.index(one.profile))) for one in rows]


def _canonical(row: ChoiceRow, session: str, profile: str) -> ChoiceRow:
    places = sorted(range(len(row.offered)), key=lambda place: row.offered[place])
    return replace(
        row,
        session=session,
        profile=profile,
        offered=tuple(row.offered[place] for place in places),
        shares=tuple(round(row.shares[place], 12) for place in places),
        texts=tuple(row.texts[place] for place in places) if row.texts else (),
        ballots=tuple(sorted(row.ballots, key=lambda one: (one.order, one.repeat))),
    )


# ── choices ──────────────────────────────────────────────────────────────────────────────────────────────────────────

MANY = (
    Judged(
        ballots=[ballot(WON), ballot(TIED, "231", order=1), ballot(WON, "312", order=2), ballot(NONE, order=0, repeat=1)],
        canaries=[canary()],
    ),
    Judged(ballots=[ballot(NONE), ballot(UNREAD, rater="r2")], went_on="d2", drawn=True),
    Judged(ballots=[ballot(WON, "12"), ballot(WON, "21", rater="r2")], failed=["d3"]),
)
ODDS = [
    Verdict(outcome=Outcome.WIN, winners=("d1",), shares={"d1": 0.7, "d2": 0.1, "d3": 0.1, "tie": 0.1, "none": 0.0}),
    Verdict(outcome=Outcome.WIN, winners=("d2",), shares={"d1": 0.3, "d2": 0.4, "d3": 0.1, "tie": 0.0, "none": 0.2}),
]
PROBABLE = Judged(
    ballots=[ballot(ODDS[1], "231", order=1, mass=0.9), ballot(ODDS[0], mass=0.8)],
    verdict=by_probability([one.shares for one in ODDS], ["d1", "d2", "d3"]),
)
SESSIONS = (
    Held(turns=MANY),
    Held(turns=[PROBABLE, Judged(ballots=[ballot(WON), ballot(TIED, "321", order=1)])], language="en", profile="ben"),
    Held(turns=[Judged(went_on="")], ending=None, whole=Judged(ballots=[ballot(WON, "12"), ballot(tie(["d1", "d3"]), "13")])),
)


def test_a_row_of_choices_says_all_that_is_known_of_a_ballot(tmp_path: Path) -> None:
    db = hold(tmp_path, Held(turns=MANY))

    report = export_choices("a", out=tmp_path / "out", db=db)

    assert told(report.lines(), tmp_path) == snapshot(
        ["8 ballots of 5 choices in 1 session written to DIR/out/choices.jsonl, DIR/out/choices.csv", "1 ballot left out: on canaries"]
    )
    rows = lines_of(tmp_path / "out" / "choices.jsonl")
    assert rows[0] == snapshot(
        {
            "session": "a0",
            "turn": 1,
            "profile": "anna",
            "language": "zh",
            "rater": "督导甲",
            "candidates": ["小禾", "mechat", "psychat"],
            "chosen": "小禾",
            "order": 0,
            "repeat": 0,
            "texts": ["听起来你一直撑着，是从什么时候开始的？", "建议你早点睡。", "你想先说哪一件？"],
            "went_on": "小禾",
        }
    )
    assert rows[5] == snapshot(
        {
            "session": "a0",
            "turn": 3,
            "profile": "anna",
            "language": "zh",
            "rater": "judge",
            "candidates": ["小禾", "mechat", "psychat"],
            "chosen": "unscored",
            "order": 0,
            "repeat": 0,
            "texts": ["听起来你一直撑着，是从什么时候开始的？", "建议你早点睡。", "你想先说哪一件？"],
            "went_on": "mechat",
            "drawn": True,
            "reason": "it only praised everyone",
        }
    )
    assert rows[6] == snapshot(
        {
            "session": "a0",
            "turn": 5,
            "profile": "anna",
            "language": "zh",
            "rater": "督导甲",
            "candidates": ["小禾", "mechat"],
            "chosen": "小禾",
            "order": 0,
            "repeat": 0,
            "texts": ["听起来你一直撑着，是从什么时候开始的？", "建议你早点睡。"],
            "went_on": "小禾",
            "failed": ["psychat"],
        }
    )
    text = (tmp_path / "out" / "choices.csv").read_text("utf-8")
    assert text.splitlines()[:3] == snapshot(
        [
            "\ufeffsession,turn,profile,language,rater,candidates,chosen,order,repeat,went_on,drawn,failed,reason,odds,mass",
            "a0,1,anna,zh,督导甲,小禾|mechat|psychat,小禾,0,0,小禾,,,,,",
            "a0,1,anna,zh,督导甲,小禾|mechat|psychat,none,0,1,小禾,,,,,",
        ]
    )
    assert len(list(csv.reader(text.splitlines()))) == len(rows) + 1


@pytest.mark.parametrize("name", ["choices.jsonl", "choices.csv"])
def test_what_is_exported_and_imported_is_the_same_ranking(name: str, tmp_path: Path) -> None:
    db = hold(tmp_path, *SESSIONS)
    export_choices("a", out=tmp_path, db=db)
    before = read_log(["a"], db=db)

    report = import_choices(tmp_path / name, run="b", db=db)

    texts: dict[str, Any] = {} if name.endswith("jsonl") else {"texts": ()}
    expected = canonical([replace(one, **texts) for one in before.rows])
    found = canonical(read_log(["b"], db=db).rows)
    assert found == expected
    assert report.sessions == len(SESSIONS)
    assert rank(found, bootstraps=10, elo_orders=10) == rank(expected, bootstraps=10, elo_orders=10)


VERDICTS = st.sampled_from(["小禾", "mechat", "psychat", "tie", "tie:mechat|小禾", "none", "unscored"])
BALLOTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "session": st.sampled_from(["一", "two"]),
        "turn": st.sampled_from([-1, 1, 3]),
        "rater": st.sampled_from(["督导甲", "judge"]),
        "candidates": st.permutations(["小禾", "mechat", "psychat"]),
        "chosen": VERDICTS,
    }
)


@settings(max_examples=25)
@given(st.lists(BALLOTS, min_size=1, max_size=12, unique_by=lambda row: (row["session"], row["turn"], row["rater"], *row["candidates"])))
def test_any_ballots_survive_import_and_export(rows: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, db = Path(name), f"sqlite:///{name}/practicum.db"
        (folder / "in.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
        import_choices(folder / "in.jsonl", run="a", db=db)
        export_choices("a", out=folder, db=db)
        import_choices(folder / "choices.csv", run="b", db=db)
        first, second = (canonical(read_log([run], db=db).rows) for run in "ab")
        assert first == second
        assert judge(ChoiceLog(rows=first)) == judge(ChoiceLog(rows=second))
        assert sum(len(one.ballots) for one in first) == len(rows)


def test_flagged_sessions_are_left_out_of_choices_unless_wanted(tmp_path: Path) -> None:
    db = hold(tmp_path, Held(risk=["suicide"]), Held(profile="ben"))

    report = export_choices("a", out=tmp_path / "out", db=db)
    whole = export_choices("a", out=tmp_path / "out", include_risk=True, db=db)

    assert told(report.lines(), tmp_path) == snapshot(
        [
            "1 ballot of 1 choice in 1 session written to DIR/out/choices.jsonl, DIR/out/choices.csv",
            "1 session left out: risk (suicide 1); --include-risk keeps them",
        ]
    )
    assert (report.rows, whole.rows) == (1, 2)


def test_test_profiles_and_unfinished_sessions_stay_in_choices(tmp_path: Path) -> None:
    db = hold(tmp_path, Held(split="test"), Held(ending=None), Held(ending=Ending.FAILED))

    assert export_choices("a", out=tmp_path / "out", db=db).rows == 3


def test_a_run_without_choices_is_told_and_what_was_there_stays(tmp_path: Path) -> None:
    db = hold(tmp_path, Held(turns=()))
    (tmp_path / "choices.csv").write_text("mine", "utf-8")

    with pytest.raises(ExportError, match="run 'a' holds no choices; `practicum arena` and"):
        export_choices("a", out=tmp_path, db=db)

    assert (tmp_path / "choices.csv").read_text("utf-8") == "mine"
    with pytest.raises(StoreError, match="there is no run 'b'"):
        export_choices("b", out=tmp_path, db=db)


@pytest.mark.parametrize("name", ["none", "a|b", "tie:a"])
def test_a_counselor_whose_name_cannot_stand_in_a_file_is_told(name: str, tmp_path: Path) -> None:
    db = hold(tmp_path, Held(), names={**COUNSELORS, "d2": name})

    with pytest.raises(ExportError, match=r"counselor .* cannot be a candidate's name"):
        export_choices("a", out=tmp_path, db=db)


# ── preferences ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_winner_is_paired_with_each_loser_in_what_was_heard_till_then(tmp_path: Path) -> None:
    db = hold(tmp_path, Held(turns=[Judged(ballots=[ballot(NONE)], went_on="d2"), Judged()]), Held(language="en", profile="ben"))

    report = export_preferences("a", out=tmp_path, db=db)

    assert told(report.lines(), tmp_path) == snapshot(
        [
            "4 pairs of 2 choices in 2 sessions written to DIR/preferences.jsonl, "
            "DIR/preferences.llamafactory.jsonl, DIR/dataset_info.json",
            "1 choice without a pair: no candidate was acceptable",
        ]
    )
    rows = lines_of(tmp_path / "preferences.jsonl")
    prompt = load_prompt("counselor", "zh", Form.CHAT).render(language="zh", max_exchanges=5)
    assert rows[0]["prompt"][0] == {"role": "system", "content": prompt}
    assert {**rows[0], "prompt": rows[0]["prompt"][1:]} == snapshot(
        {
            "prompt": [
                {"role": "user", "content": "我睡不好 0"},
                {"role": "assistant", "content": "建议你早点睡。"},
                {"role": "user", "content": "我睡不好 1"},
            ],
            "chosen": [{"role": "assistant", "content": "听起来你一直撑着，是从什么时候开始的？"}],
            "rejected": [{"role": "assistant", "content": "建议你早点睡。"}],
            "margin": 1.0,
            "rater": "督导甲",
            "profile": "anna",
            "session": "a0",
            "turn": 3,
        }
    )
    assert rows[1] == {**rows[0], "rejected": [{"role": "assistant", "content": SAID["zh"]["d3"]}]}
    assert [message["role"] for message in rows[2]["prompt"]] == ["system", "user"]
    assert rows[2]["prompt"][0]["content"] == load_prompt("counselor", "en", Form.CHAT).render(language="en", max_exchanges=5)


def test_llama_factory_gets_single_messages_and_a_registry(tmp_path: Path) -> None:
    export_preferences("a", out=tmp_path, db=hold(tmp_path, Held()))

    rows = lines_of(tmp_path / "preferences.jsonl")
    assert lines_of(tmp_path / "preferences.llamafactory.jsonl") == [
        {"prompt": row["prompt"], "chosen": row["chosen"][0], "rejected": row["rejected"][0]} for row in rows
    ]
    # Its reader takes so many messages only: from user to user, in turn.
    assert all(len(row["prompt"]) % 2 == 0 for row in rows)
    assert json.loads((tmp_path / "dataset_info.json").read_text("utf-8")) == snapshot(
        {
            "practicum_preferences": {
                "file_name": "preferences.llamafactory.jsonl",
                "formatting": "sharegpt",
                "ranking": True,
                "columns": {"messages": "prompt", "chosen": "chosen", "rejected": "rejected"},
                "tags": {
                    "role_tag": "role",
                    "content_tag": "content",
                    "user_tag": "user",
                    "assistant_tag": "assistant",
                    "system_tag": "system",
                },
            }
        }
    )


def test_what_gives_no_pair_is_counted(tmp_path: Path) -> None:
    same = dict.fromkeys(["d1", "d2", "d3"], "你想先说哪一件？")
    turns = [
        Judged(ballots=[ballot(TIED), ballot(NONE, rater="r2")]),
        Judged(ballots=[ballot(UNREAD), ballot(WON, rater="r2")], texts={"d3": SAID["zh"]["d1"]}),
        Judged(texts=same),
        Judged(ballots=[ballot(WON, "12")], failed=["d3"], canaries=[canary()]),
    ]
    db = hold(tmp_path, Held(turns=turns, whole=Judged(ballots=[ballot(WON, "12"), ballot(tie(["d1", "d3"]), "13")])))

    report = export_preferences("a", out=tmp_path, db=db)

    assert told(report.lines(), tmp_path)[1:] == snapshot(
        [
            "1 choice without a pair: a tie",
            "1 choice without a pair: no candidate was acceptable",
            "1 choice without a pair: no verdict could be read",
            "2 choices without a pair: between whole sessions",
            "1 choice without a pair: all replies said the same",
        ]
    )
    rows = lines_of(tmp_path / "preferences.jsonl")
    assert [(row["turn"], row["rater"], row["rejected"][0]["content"]) for row in rows] == [
        (3, "judge", SAID["zh"]["d2"]),
        (7, "督导甲", SAID["zh"]["d2"]),
    ]
    assert [row["prompt"][-1]["content"] for row in rows] == ["我睡不好 1", "我睡不好 3"]
    assert [len(row["prompt"]) for row in rows] == [4, 8]


def test_the_margin_is_what_the_winner_has_more(tmp_path: Path) -> None:
    export_preferences("a", out=tmp_path, db=hold(tmp_path, Held(turns=[PROBABLE])))

    shares = by_probability([one.shares for one in ODDS], ["d1", "d2", "d3"]).shares
    assert [row["margin"] for row in lines_of(tmp_path / "preferences.jsonl")] == [shares["d1"] - shares["d2"], shares["d1"] - shares["d3"]]


def test_the_rules_of_a_training_export_hold(tmp_path: Path) -> None:
    sessions = [
        Held(ending=None),
        Held(ending=Ending.FAILED),
        Held(split="test"),
        Held(risk=["self-harm", "suicide"], profile="carl"),
        Held(profile="ben"),
        Held(turns=[Judged(ballots=[ballot(TIED)])], profile="dora"),
        Held(turns=(), profile="emil"),
    ]
    db = hold(tmp_path, *sessions)

    report = export_preferences("a", out=tmp_path, db=db)

    assert told(report.lines(), tmp_path) == snapshot(
        [
            "2 pairs of 1 choice in 1 session written to DIR/preferences.jsonl, DIR/preferences.llamafactory.jsonl, DIR/dataset_info.json",
            "1 session left out: unfinished; the same arena command goes on with them",
            "1 session left out: failed; the same arena command tries them again",
            "1 session left out: test profile; --format choices keeps them",
            "1 session left out: risk (self-harm 1, suicide 1); --include-risk keeps them",
            "1 choice without a pair: a tie",
        ]
    )
    with Store.open(db) as store:
        digests = {session.profile.id: session.profile.digest for session in store.sessions("a")}
        assert store.trained_on() == {digests["ben"]}
        assert export_preferences("a", out=tmp_path, include_risk=True, db=db).rows == 4
        assert store.trained_on() == {digests["ben"], digests["carl"]}


def test_choices_are_not_marked_as_learnt_from(tmp_path: Path) -> None:
    db = hold(tmp_path, Held())
    export_choices("a", out=tmp_path, db=db)

    with Store.open(db) as store:
        assert store.trained_on() == set()


def test_without_a_pair_nothing_is_written_or_marked(tmp_path: Path) -> None:
    db = hold(tmp_path, Held(turns=[Judged(ballots=[ballot(TIED)])]))

    with pytest.raises(ExportError, match="nothing to export: 1 choice without a pair: a tie"):
        export_preferences("a", out=tmp_path, db=db)

    assert not list(tmp_path.glob("*.jsonl"))
    with Store.open(db) as store:
        assert store.trained_on() == set()


def test_imported_choices_give_no_preferences(tmp_path: Path) -> None:
    db = hold(tmp_path, Held())
    export_choices("a", out=tmp_path, db=db)
    import_choices(tmp_path / "choices.jsonl", run="b", db=db)

    with pytest.raises(ExportError, match="run 'b' was imported"):
        export_preferences("b", out=tmp_path, db=db)


def test_a_registry_of_other_data_sets_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "dataset_info.json").write_text('{"mine": {"file_name": "mine.json"}}', "utf-8")

    with pytest.raises(ExportError, match="lists other data sets"):
        export_preferences("a", out=tmp_path, db=hold(tmp_path, Held()))
