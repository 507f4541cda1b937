from __future__ import annotations

import pytest

from practicum.backends import PRESETS, ModelName, find_key, read_model_name
from practicum.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("openai:gpt-4.1", ModelName(backend="openai", name="gpt-4.1", addresses=("https://api.openai.com/v1",))),
        ("ollama:qwen2.5:7b", ModelName(backend="ollama", name="qwen2.5:7b", addresses=("http://localhost:11434/v1",))),
        ("openai:Qwen/Qwen2-7B@http://a:8000/v1/", ModelName(backend="openai", name="Qwen/Qwen2-7B", addresses=("http://a:8000/v1",))),
        ("vllm:m@v2@http://a/v1,http://b/v1", ModelName(backend="vllm", name="m@v2", addresses=("http://a/v1", "http://b/v1"))),
        ("vllm:m@http://a/v1,http://a/v1/", ModelName(backend="vllm", name="m", addresses=("http://a/v1",))),
        ("local:qwen2.5-coder-1.5b", ModelName(backend="local", name="qwen2.5-coder-1.5b")),
        ("script:always 你好", ModelName(backend="script", name="always 你好")),
    ],
)
def test_a_model_name_is_split_at_the_first_colon_and_a_final_address(text: str, expected: ModelName) -> None:
    assert read_model_name(text) == expected


def test_the_identity_carries_no_address() -> None:
    assert read_model_name("openai:m@http://a:1/v1").identity == read_model_name("openai:m@http://b:2/v1").identity == "openai:m"


@pytest.mark.parametrize(
    "text", ["gpt-4", "nobody:m", "openai:", ":m", "", "local:m@http://a/v1", "openai:m@http://", "openai:m@http://a/v1,ftp://b"]
)
def test_a_wrong_name_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ConfigError, match=r"model|address"):
        read_model_name(text)


def test_a_presets_key_goes_to_its_own_host_only() -> None:
    environ = {"OPENAI_API_KEY": "own", "PRACTICUM_API_KEY": "other", "MINE": "named"}
    model = read_model_name("openai:m")
    assert find_key(model, PRESETS["openai"].address, environ=environ) == "own"
    assert find_key(model, "http://elsewhere/v1", environ=environ) == "other"
    assert find_key(model, "http://elsewhere/v1", variable="MINE", environ=environ) == "named"
    assert find_key(model, "http://elsewhere/v1", environ={"OPENAI_API_KEY": "own"}) is None


def test_services_that_want_no_key_get_none() -> None:
    model = read_model_name("ollama:m")
    assert find_key(model, model.addresses[0], environ={"PRACTICUM_API_KEY": "x"}) is None


@pytest.mark.parametrize(("variable", "environ"), [(None, {}), (None, {"DEEPSEEK_API_KEY": " "}), ("MINE", {"DEEPSEEK_API_KEY": "x"})])
def test_a_missing_key_is_named(variable: str | None, environ: dict[str, str]) -> None:
    model = read_model_name("deepseek:deepseek-chat")
    with pytest.raises(ConfigError, match=variable or "DEEPSEEK_API_KEY"):
        find_key(model, model.addresses[0], variable=variable, environ=environ)


def test_a_key_that_cannot_stand_in_a_header_is_refused_without_showing_it() -> None:
    model = read_model_name("deepseek:m")
    with pytest.raises(ConfigError) as caught:
        find_key(model, model.addresses[0], environ={"DEEPSEEK_API_KEY": "se\r\ncret"})
    assert "cret" not in str(caught.value)
