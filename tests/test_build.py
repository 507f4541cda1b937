from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from practicum.build import Plan, hold_run, plan_run
from practicum.core import Ending, Form, Profile, Speaker, Turn
from practicum.engine import read_config
from practicum.errors import ConfigError, ModelFileError, PromptError, RunConflictError, RunLockedError
from practicum.store import Store

PROFILES = [Profile.of("我最近总是睡不好。"), Profile.of("I cannot sleep."), Profile.of("我和妈妈又吵架了。")]
REMOTE = {"client.model": "openai:m@http://localhost:9/v1", "counselor.model": "openai:m@http://localhost:9/v1"}
SCRIPTED = {"client.model": "script:always 我睡不着。", "counselor.model": "script:always 请说。"}


def plan(flags: dict[str, Any] | None = None, *settings: str, profiles: list[Profile] = PROFILES) -> Plan:
    return plan_run(read_config(REMOTE if flags is None else flags, settings=settings), profiles)


IDENTITY = [
    "client.model=openai:n@http://localhost:9/v1",
    "counselor.form=transcript",
    "client.temperature=0.5",
    "counselor.top_p=0.5",
    "client.max_tokens=100",
    "language=zh",
    "max_exchanges=10",
    "ending.policy=paper",
    "ending.min_exchanges=0",
    "check.limit_zh=100",
    "check.ask_again=0",
    "stop_on_risk=true",
    "seed=1",
]
FREE = [
    "client.model=openai:m@http://localhost:8/v1,http://localhost:7/v1",
    "limit=1",
    "per_profile=2",
    "at_once=3",
    "call.timeout=5",
    "call.budget=5",
    "endpoint.requests_per_minute=10",
    "endpoint.patience=5",
    "local.slots=8",
    "prices.prompt=1.5",
]


def test_the_same_command_finds_the_same_run() -> None:
    assert plan().name == plan().name
    assert plan().name.startswith("run-")
    assert plan(None, "run=mine").name == "mine"


@pytest.mark.parametrize("setting", IDENTITY)
def test_what_determines_a_session_is_the_runs_identity(setting: str) -> None:
    changed = plan(REMOTE | dict([setting.split("=", 1)]))
    assert changed.name != plan().name
    assert {one.key for one in changed.sessions()}.isdisjoint(one.key for one in plan().sessions())


@pytest.mark.parametrize("setting", FREE)
def test_what_does_not_is_free_to_change(setting: str) -> None:
    changed = plan(REMOTE | dict([setting.split("=", 1)]))
    assert changed.name == plan().name
    assert {one.key for one in changed.sessions()} & {one.key for one in plan().sessions()}


def test_sessions_come_in_rounds_of_all_profiles() -> None:
    sessions = list(plan(None, "per_profile=2", "limit=2").sessions())
    assert [(one.number, one.profile) for one in sessions] == [(n, profile) for n in (1, 2) for profile in PROFILES[:2]]
    assert len({one.key for one in sessions}) == 4
    assert [one.case for one in sessions[:2]] == [one.case for one in sessions[2:]]


def test_a_language_given_is_every_sessions() -> None:
    assert [one.profile.language for one in plan().sessions()] == ["zh", "en", "zh"]
    assert {one.profile.language for one in plan(None, "language=en").sessions()} == {"en"}


def test_the_record_holds_every_prompt_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRACTICUM_API_KEY", "sk-secret")
    record = plan(None, "counselor.form=transcript").record("1")
    assert {prompt.id for prompt in record.prompts} == {
        *(f"client.plain.{language}.chat" for language in ("zh", "en")),
        *(f"counselor.integrative.{language}.{form}" for language in ("zh", "en") for form in Form),
    }
    assert [participant.role for participant in record.participants] == list(Speaker)
    assert "sk-secret" not in repr(record)
    assert "localhost" not in repr(record.identity)


def test_a_prompt_of_ones_own_is_said_in_both_languages_and_exported(tmp_path: Path) -> None:
    prompt = tmp_path / "mine.txt"
    prompt.write_text("你是一位咨询师。", "utf-8")
    mine = plan(None, f"counselor.prompt={prompt}")
    assert {one.text for one in mine.export_prompts.values()} == {"你是一位咨询师。"}
    assert [ref.id for ref in mine.seats[Speaker.COUNSELOR].participant.prompts] == ["mine.txt"]
    assert mine.name != plan().name


def test_a_scripts_lines_are_part_of_the_identity_and_its_folder_is_not(tmp_path: Path) -> None:
    names = []
    for folder, line in (("a", "嗯"), ("b", "嗯"), ("c", "哦")):
        (tmp_path / folder).mkdir()
        script = tmp_path / folder / "lines.txt"
        script.write_text(line, "utf-8")
        names.append(plan(SCRIPTED | {"client.model": f"script:{script}"}).name)
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize(
    ("flags", "error", "said"),
    [
        ({"client.model": "gpt-4.1"}, ConfigError, "expected BACKEND:NAME"),
        ({"client.model": "openai:gpt-4.1"}, ConfigError, "OPENAI_API_KEY is not set"),
        ({"client.key": "MY_KEY"}, ConfigError, "MY_KEY is not set"),
        ({"client.model": "script:nowhere.txt"}, ConfigError, "No such file"),
        ({"client.model": "local:gpt-5"}, ConfigError, "is not in the catalog"),
        ({"client.model": "local:nowhere.gguf"}, ConfigError, r"nowhere\.gguf"),
        ({"client.template": "alpaca"}, ConfigError, "client.template: 'alpaca' is not one of plain, chatml, llama3"),
        ({"counselor.prompt": "nowhere.txt"}, PromptError, r"nowhere\.txt: cannot be read"),
    ],
)
def test_a_name_that_leads_nowhere_is_told_before_anything_starts(flags: dict[str, str], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        plan(REMOTE | flags)


def test_without_a_profile_there_is_nothing_to_do() -> None:
    with pytest.raises(ConfigError, match="no profile to simulate"):
        plan(profiles=[])


def test_weights_that_are_not_there_are_told_with_the_command_that_fetches_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PRACTICUM_CACHE", str(tmp_path))
    with pytest.raises(ModelFileError, match="practicum models pull smollm2-135m"):
        plan(SCRIPTED | {"client.model": "local:smollm2-135m"})


# ── holding it ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def db(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'practicum.db'}"


@pytest.mark.parametrize("setting", ["client.temperature=0.5", "seed=1", "check.ask_again=0"])
def test_a_changed_identity_under_the_same_name_is_refused_with_the_difference(db: str, setting: str) -> None:
    hold_run(plan(SCRIPTED, "run=r", "max_exchanges=1"), db=db)
    key, _, value = setting.partition("=")
    with pytest.raises(RunConflictError) as caught:
        hold_run(plan(SCRIPTED, "run=r", "max_exchanges=1", setting), db=db)
    assert key.rpartition(".")[2] in str(caught.value)
    assert f"given {value}" in str(caught.value)


def test_a_larger_limit_and_more_sessions_a_profile_extend_the_run(db: str) -> None:
    held = []
    for settings in (["limit=1"], ["limit=3"], ["limit=3", "per_profile=2"], ["limit=3", "per_profile=2"]):
        result = hold_run(plan(SCRIPTED, "run=r", "max_exchanges=1", *settings), db=db)
        held.append((result.progress.done_before, result.progress.ended, result.sessions["turn_limit"]))
    assert held == [(0, 1, 1), (1, 2, 3), (3, 3, 6), (6, 0, 6)]


def test_a_smaller_limit_leaves_the_others_alone(db: str, tmp_path: Path) -> None:
    script = tmp_path / "counselor.txt"
    script.write_text("!fail out of order", "utf-8")
    failing = SCRIPTED | {"counselor.model": f"script:{script}"}
    ended = [hold_run(plan(failing, "run=r", f"limit={limit}"), db=db).progress.ended for limit in (3, 1)]
    assert ended == [3, 1]


def test_the_settings_of_the_last_command_are_kept(db: str) -> None:
    for at_once in (4, 8):
        hold_run(plan(SCRIPTED, "run=r", "max_exchanges=1", f"at_once={at_once}"), db=db)
    with Store.open(db) as store:
        assert store.run("r").settings["at_once"] == 8


def test_a_second_owner_is_refused_by_name(db: str) -> None:
    with Store.open(db) as store, store.own_run("r"), pytest.raises(RunLockedError, match="run 'r' is held by process"):
        hold_run(plan(SCRIPTED, "run=r"), db=db)


def test_after_an_error_the_store_and_the_run_are_free_again(db: str, tmp_path: Path) -> None:
    hold_run(plan(SCRIPTED, "run=r", "max_exchanges=1"), db=db)
    with pytest.raises(RunConflictError):
        hold_run(plan(SCRIPTED, "run=r", "max_exchanges=2"), db=db)
    hold_run(plan(SCRIPTED, "run=r", "max_exchanges=1"), db=db)
    assert not list(tmp_path.glob("*.lock"))


class Interrupt:
    """Sends this process a signal at certain turns."""

    def __init__(self, *at: int) -> None:
        self._at = at
        self._turns = 0

    def turn(self, session: str, turn: Turn) -> None:
        self._turns += 1
        if self._turns in self._at:
            signal.raise_signal(signal.SIGINT)

    def ended(self, session: str, ending: Ending | None) -> None: ...


@pytest.mark.parametrize("at", [(5,), (5, 6)], ids=["once", "twice"])
def test_an_interrupted_run_is_stopped_and_goes_on_later(db: str, at: tuple[int, ...]) -> None:
    many = [Profile.of(f"我最近总是睡不好。{n}") for n in range(30)]
    stopped = hold_run(plan(SCRIPTED, "run=r", "max_exchanges=3", profiles=many), db=db, watcher=Interrupt(*at), signals=True)
    assert stopped.stopped
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == (signal.default_int_handler, signal.SIG_DFL)
    assert stopped.progress.notes == ["stopping: calls in flight are finished and kept; Ctrl-C again stops at once"]
    assert stopped.sessions["unfinished"] > 0
    rest = hold_run(plan(SCRIPTED, "run=r", "max_exchanges=3", profiles=many), db=db, signals=True)
    assert (rest.stopped, rest.sessions) == (False, {"turn_limit": 30, "unfinished": 0})
    with Store.open(db) as store:
        assert [len(session.turns) for session in store.sessions("r")] == [6] * 30
    # What was on its way to the disk at the second signal is there, but was not counted any more.
    counted = stopped.progress.turns + rest.progress.turns
    assert counted == 30 * 6 if len(at) == 1 else counted <= 30 * 6


def test_in_a_script_of_ones_own_ctrl_c_is_a_keyboard_interrupt(db: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        hold_run(plan(SCRIPTED, "run=r", "max_exchanges=3"), db=db, watcher=Interrupt(4))
    assert hold_run(plan(SCRIPTED, "run=r", "max_exchanges=3"), db=db).complete


def test_it_runs_where_there_is_no_uvloop(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert hold_run(plan(SCRIPTED, "max_exchanges=1"), db=db).complete


def test_a_prompt_that_some_profile_cannot_fill_is_refused_before_anything_starts(tmp_path: Path) -> None:
    own = tmp_path / "client.txt"
    own.write_text("{{ profile }}，{{ facts.age }}岁", "utf-8")
    config = read_config({"client.model": "script:echo", "counselor.model": "script:echo", "client.prompt": own})
    with_age = Profile(id="a", text="我失眠", language="zh", facts={"age": "29"})
    plan_run(config, [with_age])
    with pytest.raises(PromptError, match=r"age.*profile 'b'"):
        plan_run(config, [with_age, Profile(id="b", text="我失眠", language="zh")])


async def test_a_run_may_begin_where_a_loop_is_running_already_as_in_a_notebook(tmp_path: Path) -> None:
    config = read_config({"client.model": "script:always 我失眠", "counselor.model": "script:always 多久了", "max_exchanges": 2})
    result = hold_run(plan_run(config, [Profile.of("我失眠")]), db=f"sqlite:///{tmp_path}/practicum.db")
    assert result.complete
