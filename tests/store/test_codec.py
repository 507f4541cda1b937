from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.core import Call, Profile, Record, Source, Speaker, Turn
from practicum.errors import StoreError
from practicum.store import Store
from practicum.store.codec import MOST_TOKENS
from tests.store.making import begin, planned, record_of_run, turn

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
MAPPING = st.dictionaries(TEXT, JSON, max_size=3)
COUNT = st.integers(0, MOST_TOKENS)
CALLS = st.builds(
    Call,
    model=TEXT,
    finish=TEXT,
    prompt_tokens=COUNT,
    completion_tokens=COUNT,
    cached_tokens=COUNT,
    seconds=NUMBER,
    attempts=st.integers(1, 9),
    request_id=TEXT,
    seed=st.integers(0, 2**31 - 1),
    reasoning=TEXT,
)
RECORDS = st.lists(st.builds(Record, kind=TEXT, data=MAPPING), max_size=3)
TURNS = st.builds(
    Turn,
    index=st.integers(0, 10**6),
    speaker=st.sampled_from(Speaker),
    text=TEXT,
    call=st.none() | CALLS,
    state=MAPPING,
    prompt_tokens=COUNT,
    completion_tokens=COUNT,
    at=NUMBER,
)


async def write_turn(store: Store, written: Turn, records: list[Record]) -> None:
    (owed,) = store.owed_sessions(begin(store))
    (claim,) = await store.claim([owed.id], at=2.0)
    await store.append(owed.id, claim.epoch, written, records)


@given(written=TURNS, records=RECORDS)
async def test_a_turn_and_its_records_are_read_as_they_were_written(written: Turn, records: list[Record]) -> None:
    with Store.open("sqlite://") as store:
        await write_turn(store, written, records)
        assert store.session("run", "1").turns == (written,)
        assert store.records("run", "1") == [(written.index, record) for record in records]


@given(
    profile=st.builds(
        Profile,
        id=TEXT,
        text=TEXT,
        language=st.sampled_from(["zh", "en"]),
        facts=st.dictionaries(TEXT, TEXT, max_size=3),
        source=st.builds(Source, origin=TEXT, licence=TEXT),
        split=st.sampled_from([None, "train", "dev", "test"]),
    )
)
def test_a_profile_is_read_as_it_was_written(profile: Profile) -> None:
    with Store.open("sqlite://") as store:
        store.plan_sessions(store.begin_run(record_of_run(), at=1.0), [planned(1, profile)])
        assert store.session("run", "1").profile == profile


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (turn(0, text="\ud800"), "its text cannot be stored"),
        (turn(0, prompt_tokens=-1), "-1 \\+ 0 tokens"),
        (turn(0, completion_tokens=2**31), "2147483648 tokens"),
        (turn(0, state={"mood": object()}), "expected JSON-like data"),
        (turn(0, state={"mood": "\ud800"}), "expected JSON-like data"),
    ],
)
async def test_what_cannot_be_stored_is_refused_and_harms_no_other_turn(store: Store, bad: Turn, what: str) -> None:
    with pytest.raises(StoreError, match=what):
        await write_turn(store, bad, [])
    (owed,) = store.owed_sessions(1)
    await store.append(owed.id, 1, turn(0))
    assert store.session("run", "1").turns == (turn(0),)


async def test_a_cause_of_failure_that_is_no_unicode_is_kept_with_question_marks(store: Store) -> None:
    run_id = begin(store)
    store.note(run_id, "file \udcff dropped", at=3.0)
    assert [note.text for note in store.run("run").notes] == ["file ? dropped"]
