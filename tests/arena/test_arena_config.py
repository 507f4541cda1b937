from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from practicum.arena import Combine, GoOn, Mode, Orders, read_arena_config, read_chair, read_member
from practicum.errors import ConfigError

FLAGS: dict[str, Any] = {
    "client.model": "script:echo",
    "members": {"ours": {"model": "script:echo"}, "theirs": {"model": "script:always 嗯"}},
    "supervisors": {"judge": {"model": "script:echo"}},
}


def test_what_is_not_said_is_as_the_paper_has_it() -> None:
    config = read_arena_config(FLAGS)
    assert (config.mode, config.orders, config.go_on, config.combine) == (Mode.TURNS, Orders.CYCLIC, GoOn.WINNER, Combine.MAJORITY)
    assert (config.combinations, config.size, config.constrain, config.allow_train) == ("all", None, False, False)
    assert (config.supervisors["judge"].temperature, config.supervisors["judge"].max_tokens) == (0.0, 600)
    assert config.members["ours"].temperature == 1.0


def test_a_file_a_setting_and_a_flag_go_into_one_tree(tmp_path: Path) -> None:
    file = tmp_path / "arena.toml"
    file.write_text(
        'orders = "one"\ncanaries = 0.5\n[members.ours]\nmodel = "script:echo"\n[members.theirs]\nmodel = "script:echo"\n', "utf-8"
    )
    config = read_arena_config({key: FLAGS[key] for key in ("client.model", "supervisors")}, file=file, settings=["canaries=0.1", "size=2"])
    assert (config.orders, config.canaries, config.size, list(config.members)) == (Orders.ONE, 0.1, 2, ["ours", "theirs"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"client.model": None}, "client is missing; give --client MODEL"),
        ({"go_on": "fixed"}, "go_on: fixed needs the run whose sessions are replayed"),
        ({"history": "r"}, "only fixed does: give --continue fixed:RUN"),
        ({"mode": "sessions", "go_on": "random"}, "go_on: random will not do: whole sessions go on by themselves"),
        ({"mode": "sessions", "go_on": "fixed", "history": "r"}, "go_on: fixed will not do"),
        ({"members": {"ours": {"model": "script:echo"}}}, "members: .* will not do: .*another --member"),
        ({"members": None}, r"members is missing; give --member NAME=MODEL"),
        ({"supervisors": {}}, "supervisors: .* will not do"),
        ({"supervisors": None}, "supervisors is missing; give --supervisor MODEL"),
        ({"size": 9}, "size: 9 will not do"),
        ({"size": 1}, "size: 1 will not do"),
        ({"canaries": 1.5}, "canaries: 1.5 will not do"),
        ({"repeats": -0.1}, "repeats: -0.1 will not do"),
        ({"orders": "latin"}, "orders: 'latin' will not do"),
        ({"members.ours.model": 3}, "members.ours.model: 3 will not do"),
        ({"judges": 1}, "unknown key 'judges'"),
    ],
)
def test_what_will_not_do_is_told_with_its_key(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_arena_config(deepcopy(FLAGS | changes))


def test_a_replay_needs_no_client() -> None:
    config = read_arena_config({**FLAGS, "client.model": None, "go_on": "fixed", "history": "r"})
    assert (config.client, config.history) == (None, "r")


@pytest.mark.parametrize(
    ("text", "name", "chair"),
    [
        ("ours=vllm:Qwen", "ours", {"model": "vllm:Qwen"}),
        (" ours = script:always a=b ", "ours", {"model": "script:always a=b"}),
        (
            "ours=script:echo;prompt=bundled:lecturing;temperature=0.7",
            "ours",
            {"model": "script:echo", "prompt": "bundled:lecturing", "temperature": "0.7"},
        ),
    ],
)
def test_a_member_is_a_name_a_model_and_settings(text: str, name: str, chair: dict[str, str]) -> None:
    assert read_member(text) == (name, chair)


def test_settings_of_a_member_are_read_as_what_they_are() -> None:
    name, chair = read_member("ours=script:echo;temperature=0.7;max_tokens=99;form=transcript")
    config = read_arena_config({**FLAGS, "members": {name: chair, "theirs": {"model": "script:echo"}}})
    assert (config.members[name].temperature, config.members[name].max_tokens) == (0.7, 99)


@pytest.mark.parametrize("text", ["", "ours", "ours=", "=script:echo", " =x"])
def test_a_member_without_a_name_or_a_model_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"expected NAME=MODEL\[;prompt=FILE\]"):
        read_member(text)


@pytest.mark.parametrize("text", ["script:echo;temperature", "script:echo;=1", "script:echo;temperature=", "script:echo;"])
def test_a_setting_without_a_value_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--supervisor: .* expected KEY=VALUE with KEY one of form, key, max_tokens, model"):
        read_chair(text, "--supervisor")


def test_replayed_sessions_keep_their_language() -> None:
    flags: dict[str, Any] = {
        "members": {"a": {"model": "script:echo"}, "b": {"model": "script:always 嗯"}},
        "supervisors": {"s": {"model": "script:echo"}},
        "go_on": "fixed",
        "history": "r",
    }
    with pytest.raises(ConfigError, match="replayed sessions keep the language"):
        read_arena_config({**flags, "language": "en"})
    assert read_arena_config(flags).language is None


def test_what_the_caller_gives_is_left_as_it_is() -> None:
    members = {"a": {"model": "script:echo"}, "b": {"model": "script:always 嗯"}}
    flags = {"client.model": "script:echo", "members": members, "supervisors": {"s": {"model": "script:echo"}}}
    read_arena_config({**flags, "members.a.temperature": 0.5})
    assert members["a"] == {"model": "script:echo"}
