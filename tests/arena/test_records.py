from __future__ import annotations

import orjson

from practicum.arena.records import BALLOT, CANDIDATE, CHOICE, read_ballot, read_candidate, read_choice, to_record
from practicum.core import Ballot, Candidate, Choice, Outcome, Verdict
from practicum.store.codec import dump_json
from tests.arena.stage import call, verdict


def test_a_candidate_is_read_back_as_it_was_kept() -> None:
    for one in (
        Candidate(participant="a", text="嗯", call=call(), state={"check": {"faults": ["list"]}}, prompt_tokens=9, completion_tokens=1),
        Candidate(participant="b", text="", failure="out of order"),
    ):
        record = to_record(CANDIDATE, one)
        assert (record.kind, read_candidate(orjson.loads(dump_json(record.data)))) == ("candidate", one)
        assert read_candidate(record.data) == one


def test_a_ballot_is_read_back_as_it_was_kept() -> None:
    for one in (
        Ballot(
            rater="s", shown=("b", "a"), labels=("F", "C"), answers=("嗯", "结论：F"), verdict=verdict("b"), order=1, mass=0.9, call=call()
        ),
        Ballot(
            rater="s", shown=("b", "a"), labels=("F", "C"), answers=(), verdict=Verdict(outcome=Outcome.UNSCORED, reason="gone"), repeat=1
        ),
    ):
        assert read_ballot(orjson.loads(dump_json(to_record(BALLOT, one).data))) == one


def test_a_choice_is_read_back_as_it_was_kept() -> None:
    for found in (verdict("b"), verdict("a", "b"), Verdict(outcome=Outcome.NONE)):
        one = Choice(rater="s", offered=("a", "b"), verdict=found, combined="majority")
        assert read_choice(orjson.loads(dump_json(to_record(CHOICE, one).data))) == one
