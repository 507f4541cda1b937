from __future__ import annotations

from dataclasses import replace

import pytest
from inline_snapshot import snapshot
from sqlalchemy import func, select

from practicum.core import Profile
from practicum.errors import ConfigError, RunConflictError, StoreError
from practicum.store import Store
from practicum.store.tables import PROFILE
from tests.store.making import PROMPT, begin, participant, planned, record_of_run


def test_a_run_explains_itself(store: Store) -> None:
    run_id = begin(store)
    store.note(run_id, "seed dropped: the server does not know it", at=3.0)
    info = store.run("run")
    assert info.identity == record_of_run().identity
    assert info.settings == {"at_once": 16}
    assert (info.digest, info.version, info.created_at) == (record_of_run().digest, "0.1.0", 1.0)
    assert set(info.participants) == {participant("client"), participant("counselor")}
    assert info.prompts == (PROMPT,)
    assert [(note.at, note.text) for note in info.notes] == [(3.0, "seed dropped: the server does not know it")]


def test_the_same_command_continues_its_run_with_new_settings(store: Store) -> None:
    first = store.begin_run(record_of_run(), at=1.0)
    again = store.begin_run(record_of_run(settings={"at_once": 64}), at=2.0)
    assert again == first
    assert (store.run("run").settings, store.run("run").created_at) == ({"at_once": 64}, 1.0)


def test_a_run_needs_neither_participants_nor_prompts(store: Store) -> None:
    store.begin_run(record_of_run(participants=(), prompts=()), at=1.0)
    assert (store.run("run").participants, store.run("run").prompts) == ((), ())


def test_another_identity_under_the_same_name_is_refused_with_the_difference(store: Store) -> None:
    store.begin_run(record_of_run(), at=1.0)
    other = {"max_exchanges": 10, "client": {"model": "script:lines", "top_p": 0.9}, "languages": ["zh", "en"]}
    with pytest.raises(RunConflictError) as caught:
        store.begin_run(record_of_run(identity=other), at=2.0)
    assert str(caught.value) == snapshot("""\
run 'run' was begun otherwise; give what is stored, or another --run name:
  max_exchanges: stored 50, given 10
  client.top_p: stored nothing, given 0.9
  languages[1]: stored nothing, given "en"\
""")
    assert store.run("run").identity == record_of_run().identity


def test_what_was_stored_and_is_no_longer_given_is_a_difference_too(store: Store) -> None:
    store.begin_run(record_of_run(identity={"stop": [], "ending": "paper"}), at=1.0)
    with pytest.raises(RunConflictError, match=r"stop: stored \[\], given nothing"):
        store.begin_run(record_of_run(identity={"ending": "paper"}), at=2.0)


def test_a_run_without_a_proper_name_is_refused(store: Store) -> None:
    with pytest.raises(ConfigError, match="'a/b' is no name for a run"):
        store.begin_run(record_of_run("a/b"), at=1.0)


def test_planning_again_adds_only_what_is_new(store: Store) -> None:
    run_id = store.begin_run(record_of_run(), at=1.0)
    assert store.plan_sessions(run_id, [planned(number) for number in range(1, 1201)]) == 1200
    assert store.plan_sessions(run_id, [planned(number) for number in range(1, 1301)]) == 100
    assert [owed.profile_id for owed in store.owed_sessions(run_id)] == [f"p{number}" for number in range(1, 1301)]


def test_planning_nothing_adds_nothing(store: Store) -> None:
    assert store.plan_sessions(store.begin_run(record_of_run(), at=1.0), []) == 0


def test_runs_over_the_same_profiles_share_them_and_a_changed_fact_makes_another(store: Store) -> None:
    begin(store, 3, "first")
    begin(store, 3, "second")
    changed = Profile(id="p1", text="我最近睡不着。1", language="zh", facts={"年龄": "30"})
    store.plan_sessions(store.begin_run(record_of_run("third"), at=1.0), [planned(1, changed)])
    with store.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(PROFILE)) == 4
    assert store.session("third", "1").profile == changed
    assert store.session("first", "1").profile.facts == {}


def test_a_seed_that_no_column_holds_is_refused(store: Store) -> None:
    run_id = store.begin_run(record_of_run(), at=1.0)
    with pytest.raises(ConfigError, match="seed: 9223372036854775808 is too large"):
        store.plan_sessions(run_id, [replace(planned(1), seed=2**63)])


def test_an_identity_that_is_no_json_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="expected JSON-like data"):
        store.begin_run(record_of_run(settings={"x": object()}), at=1.0)
    assert store.runs() == []
