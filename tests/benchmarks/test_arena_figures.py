"""The yardsticks of the arena's figures: each is shown something that it must find."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.arena_crashes import NOTHING, read_store
from benchmarks.coverage import limit_of_pairs
from benchmarks.published import TABLES, Table, as_printed, log_of, pair_up
from benchmarks.stage import STRENGTHS, first, gibberish, hold
from benchmarks.studies import STRENGTHS as LOGITS
from benchmarks.studies import Design, draw_study, limit
from practicum.arena import judge, rank
from practicum.core import Outcome


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_made_up_log_of_a_published_table_has_its_counts_and_averages(table: Table) -> None:
    found = as_printed(rank(log_of(table), bootstraps=0, elo_orders=1))
    assert found == {name: counted[:3] for name, counted in table.counted.items()}


def test_baselines_that_cannot_be_paired_are_refused() -> None:
    assert pair_up({"a": 2, "b": 1, "c": 1}) == [("a", "b"), ("a", "c")]
    with pytest.raises(ValueError, match="cannot meet anybody"):
        pair_up({"a": 3, "b": 1})


def test_without_effects_of_the_session_both_fits_tend_to_the_planted_strengths() -> None:
    planted = np.array(LOGITS) - np.mean(LOGITS)
    plain = Design(session_sd=0)
    assert limit(plain) == pytest.approx(planted)
    assert limit_of_pairs(plain) == pytest.approx(planted)
    assert np.ptp(limit(Design())) < np.ptp(planted) - 0.1


def test_the_shares_of_a_large_study_are_those_that_are_reckoned() -> None:
    design = Design(profiles=4000, turns=5)
    table = draw_study(design, np.random.default_rng(1))
    shares = table.shares.reshape(4000, 6, 5, 3).mean(axis=(0, 2))
    assert shares == pytest.approx(design.chances(), abs=0.015)


def store_of(path: Path, turns: list[tuple[int, str]], records: list[tuple[int, str, dict[str, Any]]]) -> Path:
    with closing(sqlite3.connect(path)) as store, store:
        store.execute("create table session (id integer, key text)")
        store.execute("create table turn (session_id integer, idx integer, text text)")
        store.execute("create table record (session_id integer, idx integer, kind text, data text)")
        store.execute("insert into session values (1, 's')")
        store.executemany("insert into turn values (1, ?, ?)", turns)
        store.executemany("insert into record values (1, ?, ?, ?)", [(index, kind, json.dumps(data)) for index, kind, data in records])
    return path


def test_a_store_shows_what_a_kill_has_lost_doubled_or_left_without_a_choice(tmp_path: Path) -> None:
    candidate = {"participant": "p", "text": "嗯", "call": {"seconds": 1.5}}
    ballot = {"rater": "r", "shown": ["p", "q"], "repeat": 0, "answers": ["?", "结论：A"], "call": None}
    choice = {"rater": "r", "offered": ["p", "q"]}
    records: list[tuple[int, str, dict[str, Any]]] = [(1, "candidate", candidate), (1, "ballot", ballot), (1, "choice", choice)]
    whole = read_store(store_of(tmp_path / "whole.db", [(0, "你好"), (1, "嗯"), (2, "好")], records))
    assert (whole.calls, whole.doubled, whole.without_choice(), whole.lacks(whole)) == (4, 0, 0, 0)
    broken: list[tuple[int, str, dict[str, Any]]] = [
        (1, "candidate", {**candidate, "call": {"seconds": 9.0}}),
        (1, "ballot", ballot),
        (1, "ballot", ballot),
    ]
    found = read_store(store_of(tmp_path / "broken.db", [(0, "你好"), (1, "啊")], broken))
    assert (found.doubled, found.without_choice()) == (1, 1)
    assert found.lacks(whole) == 3  # the counselor's words, the client's turn, the choice; seconds may differ
    assert read_store(tmp_path / "none.db") == NOTHING


def test_a_scripted_supervisor_sees_the_replies_as_they_are_shown(tmp_path: Path) -> None:
    held = hold(first, tmp_path, profiles=2, exchanges=2)
    assert {text[0] for row in held.log.rows for text in row.texts} == set(STRENGTHS)
    assert {ballot.picked for row in held.log.rows for ballot in row.ballots} == {0}


def test_a_scripted_supervisor_that_cannot_be_read_ends_no_session(tmp_path: Path) -> None:
    held = hold(gibberish, tmp_path, profiles=1, exchanges=2)
    assert {row.outcome for row in held.log.rows} == {Outcome.UNSCORED}
    assert held.progress.endings.total() == held.sessions == 4
    assert judge(held.log).raters[0].unscored == 8
