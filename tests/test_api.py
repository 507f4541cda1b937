"""The package as its user meets it: `practicum.simulate` against a model server that is faulty, away, or not there."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.fakeserver import FakeServer
from practicum import Ending, Profile, Speaker, Turn, read_sessions, simulate
from practicum.backends import endpoint
from practicum.core import Form
from practicum.engine import Progress
from practicum.errors import ConfigError, EndpointError, StoreError
from practicum.roles import ModelVoice
from practicum.store import Store
from tests.remote import STORIES, calls, profiles, run_on, texts


@pytest.fixture
def db(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'practicum.db'}"


class Watcher:
    """Does something once so many turns are durable."""

    def __init__(self, turns: int, then: Callable[[], object]) -> None:
        self.left = turns
        self._then = then

    def turn(self, session: str, turn: Turn) -> None:
        self.left -= 1
        if not self.left:
            self._then()

    def ended(self, session: str, ending: Ending | None) -> None: ...


def test_profiles_in_a_file_become_sessions_in_a_store(tmp_path: Path, db: str) -> None:
    file = tmp_path / "profiles.json"
    file.write_text(f'["{STORIES[0]}", "{STORIES[1]}"]', "utf-8")
    result = simulate(
        str(file), client="script:always 我睡不着，总是想工作的事。", counselor="script:always 那时你想到什么？", db=db, max_exchanges=2
    )
    assert (result.complete, result.stopped, result.sessions) == (True, False, {"turn_limit": 2, "unfinished": 0})
    first, second = read_sessions(result.run, db=db)
    assert [turn.text for turn in first.turns] == ["你好", "那时你想到什么？", "我睡不着，总是想工作的事。", "那时你想到什么？"]
    assert second.turns[0].text == "Hello"
    assert first.profile.text == STORIES[0]
    assert (result.progress.marked, result.progress.refused) == (2, 6)  # the counselor's second answer repeats its first


def test_an_unknown_option_is_refused_before_anything_starts(db: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown key 'client\.temprature'"):
        simulate(profiles(1), client="script:echo", counselor="script:echo", db=db, client__temprature=0.5)
    assert not list(tmp_path.iterdir())


def test_there_must_be_a_store_to_read(db: str) -> None:
    with pytest.raises(StoreError):
        read_sessions("r", db=db)
    simulate(profiles(1), client="script:echo", counselor="script:echo", db=db, run="r", max_exchanges=1)
    with pytest.raises(StoreError, match="r"):
        read_sessions("another", db=db)


@pytest.mark.parametrize("form", Form)
def test_a_model_server_holds_both_sides(fake_server: FakeServer, db: str, form: Form, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRACTICUM_API_KEY", "sk-secret")
    result = run_on(fake_server, db, 12, client__form=form, counselor__form=form, at_once=4)
    assert result.sessions == {"turn_limit": 12, "unfinished": 0}
    stats = fake_server.stats()
    assert (stats["requests"], stats["repeated_bodies"]) == (calls(12), 0)
    assert stats["in_flight_max"] <= 4
    sessions = read_sessions("r", db=db)
    assert all(session.exchanges == 6 and len(session.turns) == 12 for session in sessions)
    seeds = [turn.call.seed for session in sessions for turn in session.turns if turn.call is not None]
    assert len(set(seeds)) == calls(12)
    assert result.progress.prompt_tokens == sum(turn.prompt_tokens for session in sessions for turn in session.turns) > 0
    assert b"sk-secret" not in Path(db.removeprefix("sqlite:///")).read_bytes()


def test_two_models_at_one_address_share_its_limit(fake_server: FakeServer, db: str) -> None:
    models = {"client": f"openai:a@{fake_server.url}", "counselor": f"openai:b@{fake_server.url}"}
    assert simulate(profiles(12), **models, db=db, run="r", max_exchanges=3, at_once=3, progress=None, watcher=None).complete
    stats = fake_server.stats()
    assert stats["requests"] == calls(12, 3)
    assert stats["in_flight_max"] <= 3


def test_two_replicas_share_the_sessions(fake_server: FakeServer, db: str) -> None:
    with FakeServer.start() as second:
        model = f"openai:m@{fake_server.url},{second.url}"
        result = simulate(profiles(12), client=model, counselor=model, db=db, run="r", max_exchanges=3)
        served = [server.stats()["requests"] for server in (fake_server, second)]
    assert result.complete
    assert sum(served) == calls(12, 3)
    assert all(served)


def test_the_same_run_says_the_same_in_another_store(fake_server: FakeServer, db: str, tmp_path: Path) -> None:
    run_on(fake_server, db, 8, at_once=1)
    other = f"sqlite:///{tmp_path / 'other.db'}"
    run_on(fake_server, other, 8, at_once=8)
    assert texts(read_sessions("r", db=db)) == texts(read_sessions("r", db=other))


def test_a_failing_model_fails_its_sessions_and_a_later_run_tries_again(tmp_path: Path, db: str) -> None:
    script = tmp_path / "counselor.txt"
    script.write_text("请说说看。\n!fail the model is out of order\n", "utf-8")
    for _ in range(2):
        result = simulate(profiles(3), client="script:always 我睡不着。", counselor=f"script:{script}", db=db, run="r", max_exchanges=3)
        assert result.sessions == {"failed": 3, "unfinished": 0}
        assert not result.complete
        assert result.progress.failed == 3
    assert {(session.failure, len(session.turns)) for session in read_sessions("r", db=db)} == {("the model is out of order", 3)}


def test_a_server_that_fails_one_call_in_seven_costs_calls_and_no_session(fake_server: FakeServer, db: str) -> None:
    fake_server.set(p429=0.04, p500=0.04, preset=0.02, ptrunc=0.02, phang=0.01, retry_after=0.05, latency=2)
    result = run_on(fake_server, db, 30, call__timeout=0.5, at_once=16)
    assert result.sessions == {"turn_limit": 30, "unfinished": 0}
    stats = fake_server.stats()
    faults = sum(stats[name] for name in ("e429", "e500", "reset", "truncated", "hung"))
    assert faults > 10
    assert stats["requests"] - calls(30) <= 1.1 * faults + 3
    assert result.progress.attempts == stats["requests"]


def test_a_server_that_goes_away_for_a_while_fails_nothing(fake_server: FakeServer, db: str) -> None:
    fake_server.set(latency=5)
    watcher = Watcher(60, lambda: fake_server.set(down=2))
    models = {"client": f"openai:a@{fake_server.url}", "counselor": f"openai:b@{fake_server.url}"}
    result = simulate(profiles(20), **models, db=db, watcher=watcher, progress=None, run="r", max_exchanges=6, at_once=8)
    assert result.sessions == {"turn_limit": 20, "unfinished": 0}
    with Store.open(db) as store:
        notes = [note.text for note in store.run("r").notes]
    assert notes == result.progress.notes
    waiting, back = notes  # once for both models: they share the address
    assert waiting.startswith(f"waiting for {fake_server.url} (")
    assert back == f"{fake_server.url} is there again"


def test_a_server_that_does_not_come_back_leaves_its_sessions_resumable(
    fake_server: FakeServer, db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "PROBE_SECONDS", (0.05,))
    fake_server.set(latency=5)
    watcher = Watcher(60, lambda: fake_server.set(down=1.5))
    with pytest.raises(EndpointError, match="has not come back"):
        run_on(fake_server, db, 20, at_once=8, endpoint__patience=0.3, watcher=watcher)
    assert {session.ending for session in read_sessions("r", db=db)} <= {None, Ending.TURN_LIMIT}
    fake_server.stats()  # waits until it is back
    assert run_on(fake_server, db, 20).sessions == {"turn_limit": 20, "unfinished": 0}


def test_a_port_where_nobody_ever_answered_is_one_error(fake_server: FakeServer, db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "FIRST_ANSWER_SECONDS", 0.3)
    with socket.socket() as bound:  # and deaf: connecting is refused
        bound.bind(("127.0.0.1", 0))
        model = f"openai:m@http://127.0.0.1:{bound.getsockname()[1]}/v1"
        with pytest.raises(EndpointError, match="has not answered within"):
            simulate(profiles(3), client=model, counselor=model, db=db, run="r", max_exchanges=6)
    assert [session.ending for session in read_sessions("r", db=db)] == [None] * 3
    assert run_on(fake_server, db, 3).complete


def test_what_a_session_held_is_let_go_at_its_end(db: str) -> None:
    progress = Progress()
    alive: list[int] = []

    class Census:
        """Every 500 sessions, counts the voices that still exist."""

        def turn(self, session: str, turn: Turn) -> None: ...

        def ended(self, session: str, ending: Ending | None) -> None:
            if progress.ended % 500 == 0:
                alive.append(sum(isinstance(thing, ModelVoice) for thing in gc.get_objects()))

    said = {"client": "script:always 我睡不着。", "counselor": "script:always 请说说看。"}
    many = [Profile.of(f"{STORIES[0]} {n}", "zh") for n in range(3000)]
    simulate(many, **said, db=db, max_exchanges=1, progress=progress, watcher=Census())
    assert len(alive) == 6
    assert max(alive) <= 2 * 600  # two a session; those that are open or on their way to the disk are a few batches of 64


@pytest.mark.parametrize("form", Form)
def test_a_real_model_holds_a_session(db: str, tmp_path: Path, form: Form) -> None:
    """`make test` pulls the weights; without them the error says so. The prompts are short for speed."""
    prompts = {"client": "You moved to a new city and do not sleep well.", "counselor": "You are a counselor and ask questions."}
    options: dict[str, Any] = {"max_exchanges": 2, "check__ask_again": 0}
    for side, text in prompts.items():
        (tmp_path / side).write_text(text)
        options |= {f"{side}__prompt": tmp_path / side, f"{side}__form": form, f"{side}__max_tokens": 12}
    model = "local:smollm2-135m"
    result = simulate([Profile.of(STORIES[1], "en")], client=model, counselor=model, db=db, **options)
    assert result.sessions == {"turn_limit": 1, "unfinished": 0}
    (session,) = read_sessions(result.run, db=db)
    assert [turn.speaker for turn in session.turns] == [Speaker.CLIENT, Speaker.COUNSELOR] * 2
    calls_made = [turn.call for turn in session.turns[1:] if turn.call is not None]
    assert [call.model for call in calls_made] == [model] * 3
    assert all(0 < call.completion_tokens <= 12 for call in calls_made)
    assert calls_made[2].cached_tokens > 0  # the counselor's second answer did not read its prompt again
