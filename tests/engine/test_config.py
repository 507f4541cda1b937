from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from practicum.core import EndingPolicy, Form, digest_of
from practicum.engine import RunConfig, known_keys, read_config
from practicum.errors import ConfigError

MODELS = {"client.model": "script:echo", "counselor.model": "script:always 嗯"}


def read(*settings: str, **flags: Any) -> RunConfig:
    return read_config(MODELS | {name.replace("__", "."): value for name, value in flags.items()}, settings=settings)


def refusal(*settings: str, **flags: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        read(*settings, **flags)
    return str(caught.value)


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write_toml(text: str | bytes) -> Path:
        path = tmp_path / "run.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write_toml


def test_two_models_are_all_that_it_takes() -> None:
    config = read()
    assert (config.client.model, config.client.temperature, config.client.top_p, config.client.max_tokens) == ("script:echo", 1.0, 1.0, 500)
    assert (config.max_exchanges, config.ending.policy, config.seed, config.at_once) == (50, EndingPolicy.MUTUAL, 0, None)


def test_flags_win_over_settings_and_settings_over_the_file(write: Any) -> None:
    file = write("seed = 1\nmax_exchanges = 11\nlimit = 101\n[client]\ntemperature = 0.1\ntop_p = 0.1")
    config = read_config(
        MODELS | {"seed": 3, "limit": None}, file=file, settings=["seed=2", "max_exchanges=12", "client.temperature=0.2", "seed=22"]
    )
    assert (config.seed, config.max_exchanges, config.limit) == (3, 12, 101)
    assert (config.client.temperature, config.client.top_p) == (0.2, 0.1)


def test_a_file_may_begin_with_a_byte_order_mark(write: Any) -> None:
    assert read_config(MODELS, file=write(b"\xef\xbb\xbfseed = 5")).seed == 5


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("run=第一次", "第一次"),
        ('run="第一次"', "第一次"),
        ("run = night ", "night"),
        ("run=a=b", "a=b"),
        ("run='2024'", "2024"),
        ("run=", ""),
    ],
)
def test_a_value_is_toml_where_it_is_some_and_text_otherwise(setting: str, value: str) -> None:
    assert read(setting).run == value


def test_values_are_read_as_what_they_are_for() -> None:
    config = read("stop_on_risk=true", "client.form=transcript", "client.prompt=my.txt", "language=zh", "at_once=4", "ending.policy=paper")
    assert (config.stop_on_risk, config.client.form, config.client.prompt) == (True, Form.TRANSCRIPT, Path("my.txt"))
    assert (config.language, config.at_once, config.ending.policy) == ("zh", 4, EndingPolicy.PAPER)


def test_a_date_is_a_name_like_any_other() -> None:
    assert read("run=2026-11-24").run == "2026-11-24"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["seed"], "--set 'seed': expected key=value, e.g. --set client.temperature=0.7"),
        (["=1"], "--set '=1': expected key=value"),
        (["client..form=chat"], "--set 'client..form=chat': expected key=value"),
        (["seed=5", "seed.x=5"], "--set 'seed.x=5': 'seed' is a value, not a section"),
        (["sed=5"], "unknown key 'sed'; known: at_once, call, check, client, counselor, ending,"),
        (["client.temprature=1"], "unknown key 'client.temprature'; known: client.form, client.key, client.max_tokens, client.model,"),
        (["seed=-1"], "seed: -1 will not do: input should be greater than or equal to 0"),
        (["seed=many"], "seed: 'many' will not do: input should be a valid integer"),
        (["seed=" + "9" * 5000], "seed: '999999999"),
        (["ending=3"], "ending: 3 will not do: input should be"),
        (["ending.policy=soon"], "ending.policy: 'soon' will not do: input should be 'mutual' or 'paper'"),
        (["client.form.x=1"], "client.form: {'x': 1} will not do"),
        (["client.temperature=nan"], "client.temperature: nan will not do"),
        (["call.timeout=inf"], "call.timeout: inf will not do"),
        ([f"language={'x' * 200}"], f"language: '{'x' * 76}… will not do: input should be 'zh' or 'en'"),
        (['client.key="a\\u0000b"'], "client.key: 'a\\x00b' will not do: it holds a character that cannot be printed"),
        (["run=\udcff"], "run: '\\udcff' will not do"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(settings: list[str], said: str) -> None:
    line = refusal(*settings)
    assert line.startswith(said)
    assert "\n" not in line


def test_every_mistake_has_a_line_of_its_own() -> None:
    lines = refusal("seed=-1", "sed=5", "client.top_p=0").splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == ["client.top_p", "seed", "unknown key 'sed'; known"]


def test_a_missing_model_says_how_to_give_it() -> None:
    with pytest.raises(ConfigError) as caught:
        read_config({"counselor.temperature": 0.5})
    assert str(caught.value).splitlines() == [
        "client is missing; give --client MODEL, e.g. --client local:qwen2.5-coder-1.5b",
        "counselor.model is missing; give --counselor MODEL, e.g. --counselor local:qwen2.5-coder-1.5b",
    ]


def test_a_flag_into_a_value_is_refused_as_the_flag(write: Any) -> None:
    with pytest.raises(ConfigError, match=r"--client\.model: 'client' is a value, not a section"):
        read_config(MODELS, file=write('client = "openai:m"'))


@pytest.mark.parametrize(
    "text",
    ["seed = ", "[client", b"\xff\xfe", "a = " + "[" * 5000, "seed = " + "9" * 5000],
    ids=["value", "table", "bytes", "deep", "long"],
)
def test_a_file_that_is_no_toml_is_one_line(write: Any, text: str | bytes) -> None:
    file = write(text)
    with pytest.raises(ConfigError) as caught:
        read_config(MODELS, file=file)
    assert str(caught.value).startswith(f"configuration {file} is not TOML: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"configuration .*run\.toml: No such file or directory"):
        read_config(MODELS, file=tmp_path / "run.toml")


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("client.temperature", [0, 2], [-0.1, 2.1]),
        ("client.top_p", [0.01, 1], [0, 1.01]),
        ("client.max_tokens", [1, 1_000_000], [0, 1_000_001]),
        ("ending.min_exchanges", [0, 10_000], [-1, 10_001, 2**64]),
        ("check.ask_again", [0, 20], [-1, 21]),
        ("check.limit_zh", [1], [0, 2**64]),
        ("check.early_exchanges", [0], [-1]),
        ("call.timeout", [0.1, 86_400], [0, 86_401]),
        ("endpoint.requests_per_minute", [0.1], [0, float("inf")]),
        ("local.slots", [2, 64], [1, 65]),
        ("local.context", [512], [511]),
        ("limit", [1], [0, 2**64]),
        ("per_profile", [1], [0, 1.5]),
        ("max_exchanges", [1, 10_000], [0, 10_001]),
        ("seed", [0, 2**31 - 1], [-1, 2**31]),
        ("at_once", [1, 100_000], [0, 100_001]),
        ("prices.prompt", [0, 1.5], [-1, float("inf")]),
    ],
)
def test_numbers_have_bounds(key: str, good: list[float], bad: list[float]) -> None:
    for value in good:
        read_config(MODELS | {key: value})
    for value in bad:
        with pytest.raises(ConfigError, match=f"^{key}: "):
            read_config(MODELS | {key: value})


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read().client.temperature = 0.5  # type: ignore[misc]


def test_the_keys_of_a_section_are_known() -> None:
    assert known_keys("ending") == ["ending.min_exchanges", "ending.policy"]
    assert "max_exchanges" in known_keys()
    assert known_keys("nonsense") == known_keys("seed") == known_keys("client.model") == known_keys()


KEYS = st.sampled_from(
    [*known_keys(), *known_keys("client"), *known_keys("check"), *known_keys("local"), *known_keys("prices"), "x", "a.b", ""]
)
VALUES = (
    st.sampled_from(["", "1", "-1", "1e999", "true", "[]", "{}", "'a'", '"\\u0000"', "1979-05-27", "9" * 30, "9" * 5000, "zh"]) | st.text()
)


@given(st.lists(st.builds("{}={}".format, KEYS, VALUES) | st.text(), max_size=4))
def test_whatever_is_set_can_be_recorded_or_is_refused(settings: list[str]) -> None:
    with suppress(ConfigError):
        digest_of(read(*settings).model_dump(mode="json"))


@given(st.text() | st.lists(st.builds("{} = {}".format, KEYS, VALUES), max_size=5).map("\n".join) | st.binary())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_a_file_can_be_recorded_or_is_refused(write: Any, text: str | bytes) -> None:
    file = write(text if isinstance(text, bytes) else text.encode("utf-8", "replace"))
    with suppress(ConfigError):
        digest_of(read_config(MODELS, file=file).model_dump(mode="json"))


def test_a_misspelt_key_of_a_chair_by_name_is_told_the_keys_of_a_chair() -> None:
    from practicum.arena import ArenaConfig

    assert known_keys("members.甲", ArenaConfig)[0] == "members.甲.form"
    assert known_keys("members", ArenaConfig)[0] == "members.form"
    assert known_keys("size", ArenaConfig) == known_keys("", ArenaConfig)
