from __future__ import annotations

import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import practicum.build
from benchmarks.fakeserver import FakeServer
from practicum.arena import ChoiceLog, read_arena_config, read_log
from practicum.build import ArenaPlan, hold_arena, hold_run, plan_arena, plan_run
from practicum.build.backends import Backends
from practicum.core import Ending, Form, Outcome, Profile, Speaker, Turn
from practicum.dataset import Format, export_run
from practicum.engine import read_config
from practicum.errors import BackendError, ConfigError, EndpointError, PromptError, RunConflictError, StoreError
from practicum.store import Store
from tests.remote import profiles

PROFILES = [Profile.of("我最近总是睡不好。"), Profile.of("我和妈妈又吵架了。"), Profile.of("工作提不起劲。")]
MEMBERS = {name: {"model": f"script:always {text}"} for name, text in (("ours", "请说。"), ("theirs", "慢慢说。"), ("old", "我在听。"))}
SCRIPTED: dict[str, Any] = {
    "client.model": "script:always 我睡不着。",
    "members": MEMBERS,
    "supervisors": {"judge": {"model": "script:always 结论：tie"}},
    "max_exchanges": 2,
    "canaries": 0,
    "repeats": 0,
    "check.ask_again": 0,
}
REMOTE: dict[str, Any] = {
    **SCRIPTED,
    "client.model": "openai:m@http://localhost:9/v1",
    "members": {name: {"model": f"openai:{name}@http://localhost:9/v1"} for name in MEMBERS},
    "supervisors": {"judge": {"model": "openai:j@http://localhost:9/v1"}},
}


@pytest.fixture
def db(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'practicum.db'}"


def plan(
    changes: Mapping[str, Any] | None = None, *settings: str, db: str = "sqlite://", clients: Sequence[Profile] = PROFILES, **rest: Any
) -> ArenaPlan:
    return plan_arena(read_arena_config(deepcopy({**SCRIPTED, **(changes or {})}), settings=settings), clients, db=db, **rest)


def hold(db: str, *settings: str, clients: Sequence[Profile] = PROFILES, **changes: Any) -> ChoiceLog:
    """Hold an arena named `a` to its end; return its choices."""
    result = hold_arena(plan({"run": "a", **changes}, *settings, db=db, clients=clients), db=db)
    assert result.complete
    return read_log(["a"], db=db)


def simulated(db: str, *, client: str = "我睡不着。", counselor: str = "请说。", exchanges: int = 2) -> None:
    """Hold sessions of all clients with one counselor."""
    chairs = {"client.model": f"script:always {client}", "counselor.model": f"script:always {counselor}"}
    config = read_config({**chairs, "run": "source", "max_exchanges": exchanges, "check.ask_again": 0, "check.early_exchanges": 0})
    assert hold_run(plan_run(config, PROFILES), db=db).complete


# ── who meets ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_panels_are_the_combinations_and_sessions_come_client_by_client() -> None:
    two = plan(None, "size=2")
    pairs = [("ours", "theirs"), ("ours", "old"), ("theirs", "old")]
    assert two.combinations == two.panels() == tuple(pairs)
    sessions = list(two.sessions())
    assert [(one.profile, two.meetings[one.key].members) for one in sessions] == [(client, pair) for client in PROFILES for pair in pairs]
    assert [two.meetings[one.key].ordinal for one in sessions] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert len({one.key for one in sessions}) == 9


def test_three_meet_where_there_are_three_and_two_where_whole_sessions_are_compared() -> None:
    assert plan().combinations == (("ours", "theirs", "old"),)
    assert plan({"members": {name: MEMBERS[name] for name in ("ours", "old")}}).combinations == (("ours", "old"),)
    whole = plan(None, "mode=sessions")
    assert len(whole.combinations) == 3
    assert whole.panels() == (("ours",), ("theirs",), ("old",))
    assert len({one.counselor for one in whole.sessions()}) == 3


def test_a_member_may_meet_each_other_and_a_file_may_say_who_meets(tmp_path: Path) -> None:
    assert plan(None, "size=2", "combinations=with:old").combinations == (("ours", "old"), ("theirs", "old"))
    file = tmp_path / "meetings.txt"
    file.write_text("old, ours\n", "utf-8")
    assert plan({"combinations": str(file)}).combinations == (("ours", "old"),)


def test_two_that_are_the_same_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="members: ours and copy are the same"):
        plan({"members": {**MEMBERS, "copy": MEMBERS["ours"]}})
    with pytest.raises(ConfigError, match="supervisors: one and two are the same"):
        plan({"supervisors": {name: {"model": "script:echo"} for name in ("one", "two")}})
    assert plan({"members": {**MEMBERS, "copy": {**MEMBERS["ours"], "temperature": 0.5}}, "size": 2}).combinations


def test_all_orders_of_many_are_refused() -> None:
    many = {f"m{number}": {"model": f"script:always 第{number}个。"} for number in range(5)}
    with pytest.raises(ConfigError, match="all orders of 5 counselors are 120 askings a choice; expected 4 counselors at most"):
        plan({"members": many, "size": 5, "orders": "all"})
    assert plan({"members": many, "size": 4, "orders": "all"}).combinations
    assert plan({"members": many, "size": 5}).combinations


# ── whom it may be about ─────────────────────────────────────────────────────────────────────────────────────────────


def test_clients_that_are_marked_for_training_are_refused() -> None:
    marked = [replace(PROFILES[0], split="train"), *PROFILES[1:]]
    with pytest.raises(ConfigError, match=r"1 profile .* marked for training; give test profiles, or --allow-train"):
        plan(clients=marked)
    assert plan(None, "allow_train=true", clients=marked)
    with pytest.raises(ConfigError, match=r"4 profiles \(.*, .*, .* …\) marked for training"):
        plan(clients=[replace(Profile.of(f"第{number}个。"), split="train") for number in range(4)])


def test_clients_without_a_split_are_taken_with_a_note_and_test_clients_without() -> None:
    (note,) = plan().notes
    assert note.startswith("3 profiles do not say their split; --split test marks them")
    assert plan(clients=[replace(profile, split="test") for profile in PROFILES]).notes == ()


def test_clients_of_sessions_that_were_exported_for_training_are_refused_unless_they_are_marked(db: str, tmp_path: Path) -> None:
    simulated(db)
    assert plan(db=db)
    assert export_run("source", form=Format.SHAREGPT, out=tmp_path / "out", db=db).trained
    with pytest.raises(ConfigError, match=r"3 profiles .* without a split, in sessions that this store has exported for training"):
        plan(db=db)
    assert plan(None, "allow_train=true", db=db)
    assert plan(db=db, clients=[Profile.of("谁也没听过的故事。")])
    assert plan(db=db, clients=[replace(profile, split="test") for profile in PROFILES])
    with pytest.raises(ConfigError, match="exported for training"):
        plan({"client.model": None, "go_on": "fixed", "history": "source"}, db=db, clients=[])


def test_without_a_client_there_is_nothing_to_do() -> None:
    with pytest.raises(ConfigError, match="no profile to hold a session with"):
        plan(clients=[])


def test_a_prompt_that_some_profile_cannot_fill_is_refused_before_anything_starts(tmp_path: Path) -> None:
    own = tmp_path / "client.txt"
    own.write_text("{{ profile }}，{{ facts.age }}岁", "utf-8")
    with pytest.raises(PromptError, match=r"age.*profile 'b'"):
        plan({"client.prompt": str(own)}, clients=[Profile(id="b", text="我失眠", language="zh")])
    assert plan({"client.prompt": str(own)}, clients=[Profile(id="b", text="我失眠", language="zh", facts={"age": "29"})])


# ── identity ─────────────────────────────────────────────────────────────────────────────────────────────────────────

IDENTITY = [
    "client.model=openai:n@http://localhost:9/v1",
    "members.ours.temperature=0.5",
    "members.old.prompt=bundled:lecturing",
    "supervisors.judge.form=transcript",
    "supervisors.judge.max_tokens=99",
    "mode=sessions",
    "size=2",
    "orders=one",
    "go_on=random",
    "combine=probability",
    "constrain=true",
    "canaries=0.5",
    "repeats=0.5",
    "language=en",
    "max_exchanges=3",
    "ending.policy=paper",
    "check.limit_zh=100",
    "stop_on_risk=true",
    "seed=1",
]
FREE = [
    "client.model=openai:m@http://localhost:8/v1",
    "supervisors.judge.model=openai:j@http://localhost:7/v1,http://localhost:8/v1",
    "limit=1",
    "per_profile=2",
    "at_once=3",
    "call.timeout=5",
    "split=test",
    "allow_train=true",
    "prices.prompt=1.5",
]


def put(setting: str) -> ArenaPlan:
    key, _, value = setting.partition("=")
    flags = deepcopy(REMOTE)
    if key.startswith(("members.", "supervisors.")):
        section, name, field = key.split(".")
        flags[section][name][field] = value
    else:
        flags[key] = value
    return plan(flags)


@pytest.mark.parametrize("setting", IDENTITY)
def test_what_determines_a_choice_is_the_arenas_identity(setting: str) -> None:
    assert put(setting).name != plan(REMOTE).name
    assert {one.key for one in put(setting).sessions()}.isdisjoint(one.key for one in plan(REMOTE).sessions())


@pytest.mark.parametrize("setting", FREE)
def test_what_does_not_is_free_to_change(setting: str) -> None:
    assert put(setting).name == plan(REMOTE).name
    assert {one.key for one in put(setting).sessions()} & {one.key for one in plan(REMOTE).sessions()}


def test_names_and_their_order_are_no_part_of_it() -> None:
    renamed = {name[::-1]: REMOTE["members"][name] for name in reversed(MEMBERS)}
    other = plan({**REMOTE, "members": renamed, "supervisors": {"other": REMOTE["supervisors"]["judge"]}})
    assert other.name == plan(REMOTE).name
    assert other.name.startswith("arena-")
    assert {one.key for one in other.sessions()} == {one.key for one in plan(REMOTE).sessions()}
    assert plan(REMOTE, "run=mine").name == "mine"


def test_a_supervisors_questions_belong_to_who_it_is() -> None:
    turns, sessions = (plan(None, f"mode={mode}").supervisors["judge"].participant for mode in ("turns", "sessions"))
    assert turns.digest != sessions.digest
    assert "question.turn.zh.chat" in {ref.id for ref in turns.prompts}
    assert "question.sessions.zh.chat" in {ref.id for ref in sessions.prompts}


def test_the_record_holds_every_prompt_every_name_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRACTICUM_API_KEY", "sk-secret")
    mine = plan({**REMOTE, "members": {**REMOTE["members"], "bad": {"model": "script:echo", "prompt": "bundled:lecturing"}}})
    record = mine.record()
    assert {prompt.id.rsplit(".", 2)[0] for prompt in record.prompts} == {
        "client.plain", "counselor.integrative", "counselor.lecturing", "supervisor.ethics", "question.turn",
    }  # fmt: skip
    assert record.settings["names"] == {seat.participant.digest: name for name, seat in [*mine.members.items(), *mine.supervisors.items()]}
    assert "sk-secret" not in repr(record)
    assert "localhost" not in repr(record.identity)
    known = {prompt.digest for prompt in record.prompts}
    assert all(ref.digest in known for participant in record.participants for ref in participant.prompts)


def test_a_changed_identity_under_the_same_name_is_refused_with_the_difference(db: str) -> None:
    hold(db)
    with pytest.raises(RunConflictError, match="orders"):
        hold(db, orders="one")
    assert len(hold(db, members=dict(reversed(MEMBERS.items()))).rows) == 6


# ── holding it ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_turn_has_a_choice_and_the_same_command_adds_nothing(db: str) -> None:
    log = hold(db, "per_profile=2")
    assert len(log.rows) == len(PROFILES) * 2 * 2
    assert {(row.outcome, row.drawn, row.rater) for row in log.rows} == {(Outcome.TIE, True, "judge")}
    assert {row.turn for row in log.rows} == {1, 3}
    assert {row.went_on for row in log.rows} <= set(MEMBERS)
    assert all(len(row.ballots) == 3 and sorted(row.texts) == sorted(["请说。", "慢慢说。", "我在听。"]) for row in log.rows)
    again = hold_arena(plan({"run": "a"}, "per_profile=2", db=db), db=db)
    assert (again.progress.done_before, again.progress.turns) == (6, 0)
    assert read_log(["a"], db=db).rows == log.rows


def test_more_clients_extend_it(db: str) -> None:
    assert [len(hold(db, f"limit={limit}").rows) for limit in (1, 3)] == [2, 6]


def test_a_member_that_fails_is_counted_and_a_panel_of_one_fails_its_session(db: str, tmp_path: Path) -> None:
    broken = {}
    for name in ("b1", "b2"):
        (tmp_path / name).write_text(f"!fail {name} is out", "utf-8")
        broken[name] = {"model": f"script:{tmp_path / name}"}
    log = hold(db, members={**{name: MEMBERS[name] for name in ("ours", "old")}, "b1": broken["b1"]})
    assert {row.failed for row in log.rows} == {("b1",)}
    result = hold_arena(plan({"members": {"ours": MEMBERS["ours"], **broken}, "run": "f"}, db=db), db=db)
    assert result.sessions["failed"] == 3
    with Store.open(db) as store:
        assert {session.failure for session in store.sessions("f")} == {
            "1 of 3 counselors answered at turn 1, 2 are needed: b1 is out; b2 is out"
        }


def test_a_language_given_is_every_sessions(db: str) -> None:
    assert {row.language for row in hold(db, "language=en").rows} == {"en"}


def test_supervisors_of_gibberish_leave_everything_unscored_and_the_run_complete(db: str) -> None:
    log = hold(db, supervisors={"fool": {"model": "script:always 蓝色的鱼在唱歌"}})
    assert {(row.outcome, row.drawn) for row in log.rows} == {(Outcome.UNSCORED, True)}
    assert all(ballot.outcome is Outcome.UNSCORED for row in log.rows for ballot in row.ballots)


def test_members_may_be_unlike_in_prompt_alone(db: str) -> None:
    alike = {name: {"model": "script:echo", "prompt": f"bundled:{name}"} for name in ("lecturing", "person-centred")}
    assert {frozenset(row.offered) for row in hold(db, members=alike).rows} == {frozenset(["lecturing", "person-centred"])}
    with pytest.raises(PromptError, match=r"counselor\.stoic\.zh\.chat"):
        plan({"members": {**MEMBERS, "stoic": {"model": "script:echo", "prompt": "bundled:stoic"}}})


def test_a_server_that_does_not_obey_is_refused_before_a_session_begins(db: str) -> None:
    with pytest.raises(ConfigError, match="does not hold answers to a given form"):
        hold_arena(plan({"run": "a"}, "constrain=true"), db=db)
    with Store.open(db) as store:
        assert store.runs() == []  # the name is free for an arena that the server can hold


# ── stored sessions replayed ─────────────────────────────────────────────────────────────────────────────────────────


def test_stored_sessions_are_replayed_for_all_and_no_client_is_asked(db: str) -> None:
    simulated(db, exchanges=3)
    fixed = {"client.model": None, "go_on": "fixed", "history": "source", "max_exchanges": 2}
    log = hold(db, clients=[], **fixed)
    assert len(log.rows) == 3 * 2  # no more exchanges than the arena takes
    assert {(row.went_on, row.drawn) for row in log.rows} == {("", False)}
    with Store.open(db) as store:
        for replayed, source in zip(store.sessions("a"), store.sessions("source"), strict=True):
            assert [turn.text for turn in replayed.turns] == [turn.text for turn in source.turns][:4]
            assert replayed.profile == source.profile
            assert all(turn.call is None for turn in replayed.turns)
    assert len(hold(db, "limit=1", clients=[], **fixed, run="b").rows) == 6  # of run `a`, which is complete
    assert len(read_log(["b"], db=db).rows) == 2


def test_goodbyes_end_no_replay_before_its_sources_end(db: str) -> None:
    simulated(db, client="谢谢你，再见。", counselor="那今天就到这里，再见。", exchanges=9)
    with Store.open(db) as store:
        assert {(session.ending, session.exchanges) for session in store.sessions("source")} == {(Ending.CLOSED, 3)}
    log = hold(db, clients=[], **{"client.model": None, "go_on": "fixed", "history": "source", "max_exchanges": 9})
    assert Counter(row.turn for row in log.rows) == {1: 3, 3: 3, 5: 3}


def test_without_finished_sessions_there_is_nothing_to_replay(db: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        plan({"go_on": "fixed", "history": "source"}, db=db)
    (tmp_path / "broken").write_text("!fail out", "utf-8")
    config = read_config({"client.model": "script:echo", "counselor.model": f"script:{tmp_path / 'broken'}", "run": "source"})
    hold_run(plan_run(config, PROFILES), db=db)
    with pytest.raises(ConfigError, match="run 'source' has no finished session to replay"):
        plan({"go_on": "fixed", "history": "source"}, db=db)


# ── whole sessions ───────────────────────────────────────────────────────────────────────────────────────────────────


def on_server(server: FakeServer) -> dict[str, Any]:
    chair = {"model": f"openai:m@{server.url}"}
    return {
        "client.model": chair["model"],
        "members": {name: {**chair, "temperature": heat} for name, heat in (("ours", 0.1), ("theirs", 0.2), ("old", 0.3))},
        "supervisors": {"judge": chair},
    }


def forget(db: str, kinds: Sequence[str]) -> None:
    with closing(sqlite3.connect(db.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute(f"delete from record where kind in ({','.join('?' * len(kinds))})", kinds)  # noqa: S608 - placeholders


def test_whole_sessions_are_compared_once_each_and_nothing_is_asked_again(db: str, fake_server: FakeServer) -> None:
    flags = {**on_server(fake_server), "mode": "sessions"}
    log = hold(db, clients=profiles(2), **flags)
    assert Counter(row.offered for row in log.rows) == dict.fromkeys({row.offered for row in log.rows}, 2)
    assert [len(row.offered) for row in log.rows] == [2] * 6
    assert {row.turn for row in log.rows} == {-1}
    requests = fake_server.stats()["requests"]
    assert [row.ballots for row in hold(db, clients=profiles(2), **flags).rows] == [row.ballots for row in log.rows]
    assert fake_server.stats()["requests"] == requests
    forget(db, ["choice"])  # as if it had been killed before the choices were written: the ballots were paid for
    assert hold(db, clients=profiles(2), **flags).rows == log.rows
    assert fake_server.stats()["requests"] == requests


class StopAfter:
    """Stops the arena by the signal's own way once so many turns are there."""

    def __init__(self, turns: int) -> None:
        self._left = turns

    def turn(self, session: str, turn: Turn) -> None:
        self._left -= 1
        if not self._left:
            signal.raise_signal(signal.SIGINT)

    def ended(self, session: str, ending: Ending | None) -> None: ...


@pytest.mark.parametrize("mode", ["turns", "sessions"])
def test_an_arena_that_was_stopped_goes_on_and_is_as_if_it_had_not_been(db: str, tmp_path: Path, mode: str) -> None:
    whole = hold(f"sqlite:///{tmp_path / 'whole.db'}", mode=mode)
    stopped = hold_arena(plan({"run": "a", "mode": mode}, db=db), db=db, watcher=StopAfter(3), signals=True)
    assert stopped.stopped
    assert "stopping: " in stopped.progress.notes[0]
    assert hold(db, mode=mode).rows == whole.rows


class EndTheServer:
    """Ends a server once so many sessions have ended."""

    def __init__(self, server: FakeServer, sessions: int) -> None:
        self._server = server
        self._left = sessions

    def turn(self, session: str, turn: Turn) -> None: ...

    def ended(self, session: str, ending: Ending | None) -> None:
        self._left -= 1
        if not self._left:
            self._server.stop()


def test_a_server_that_goes_away_while_sessions_are_compared_is_told_as_such(db: str, fake_server: FakeServer) -> None:
    flags = {**on_server(fake_server), "mode": "sessions", "endpoint.patience": 0.05, "run": "a"}
    with pytest.raises(EndpointError, match=rf"127\.0\.0\.1:{fake_server.port}"):
        hold_arena(plan(flags, db=db, clients=profiles(1)), db=db, watcher=EndTheServer(fake_server, 3))
    with Store.open(db) as store:
        assert store.run("a").totals.done == 3


def test_an_arena_that_is_stopped_while_sessions_are_compared_goes_on_with_what_is_owed(db: str, fake_server: FakeServer) -> None:
    fake_server.set(latency=30)
    flags = {**on_server(fake_server), "mode": "sessions", "run": "a"}
    held = 3 * 3  # calls of three sessions of two exchanges, whose opening costs nothing

    def interrupt() -> None:
        while fake_server.stats()["requests"] <= held:
            pass
        os.kill(os.getpid(), signal.SIGINT)

    watching = Thread(target=interrupt, daemon=True)
    watching.start()
    stopped = hold_arena(plan(flags, "at_once=1", db=db, clients=profiles(1)), db=db, signals=True)
    watching.join()
    assert stopped.stopped
    with Store.open(db) as store:
        records = [record.kind for _, found in store.records_of("a", ["ballot", "choice"]) for _, record in found]
    assert 1 <= len(records) < 3 * 3
    assert len(hold(db, clients=profiles(1), **flags).rows) == 3
    assert fake_server.stats()["repeated_bodies"] == 0


# ── chairs ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_bundled_counselor_is_exported_in_chat_form_whatever_form_it_was_asked_in() -> None:
    flags = {"client.model": "script:echo", "counselor.model": "script:echo", "counselor.prompt": "bundled:person-centred"}
    mine = plan_run(read_config({**flags, "counselor.form": "transcript"}), PROFILES)
    assert {prompt.id for prompt in mine.export_prompts.values()} == {
        "counselor.person-centred.zh.chat",
        "counselor.person-centred.en.chat",
    }
    assert {prompt.form for prompt in mine.seats[Speaker.COUNSELOR].prompts.values()} == {Form.TRANSCRIPT}


def test_backend_errors_of_a_probe_are_the_configurations(db: str, tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("!fail no such parameter", "utf-8")
    with pytest.raises(ConfigError, match="no such parameter") as caught:
        hold_arena(plan({"run": "a", "supervisors": {"judge": {"model": f"script:{tmp_path / 'broken'}"}}}, "constrain=true"), db=db)
    assert not isinstance(caught.value, BackendError)


@pytest.mark.parametrize("settings", [["local.slots=2"], ["at_once=1"], []])
def test_all_local_sides_of_a_session_have_a_slot_each_whatever_is_asked(settings: list[str]) -> None:
    local = {"model": "local:smollm2-135m"}
    members = {f"m{number}": {**local, "temperature": number / 10} for number in range(3)}
    mine = plan({"client.model": local["model"], "members": members, "supervisors": {"judge": local}}, *settings)
    backends = Backends(mine.config, [seat.source for seat in mine.seats], lambda _: None)
    (backend,) = backends.all()
    assert backend.capacity >= 5  # with fewer, one session would wait for itself
    assert backends.sessions_at_once == max(1, backend.capacity // 5)


def test_a_name_that_the_room_has_not_got_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'practicum\.build' has no attribute 'hold_tea'"):
        practicum.build.hold_tea  # noqa: B018 - looking is the test
