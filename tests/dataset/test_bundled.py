"""The bundled profiles as data: what a reader of them may rely on."""

import json
from importlib.resources import files
from typing import Any

import pytest

from practicum.core import LANGUAGES, Language, guess_language

FACTS = {"age", "gender", "occupation", "presenting_problem"}


def rows_of(language: Language) -> list[dict[str, Any]]:
    text = (files("practicum.dataset") / "bundled" / f"profiles.{language}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def size_of(text: str, language: Language) -> int:
    return sum("\u4e00" <= char <= "\u9fff" for char in text) if language == "zh" else len(text.split())


@pytest.mark.parametrize("language", LANGUAGES)
def test_ten_profiles_are_bundled_and_no_two_are_alike(language: Language) -> None:
    rows = rows_of(language)
    assert len(rows) == 10
    for field in ("id", "text"):
        assert len({row[field] for row in rows}) == 10
    assert len({row["facts"]["presenting_problem"] for row in rows}) == 10


def test_an_id_names_one_profile_in_both_languages() -> None:
    ids = [row["id"] for language in LANGUAGES for row in rows_of(language)]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_row_has_a_story_of_its_language_in_the_promised_size_and_its_facts(language: Language) -> None:
    shortest, longest = (200, 350) if language == "zh" else (120, 220)
    for row in rows_of(language):
        assert set(row) == {"id", "text", "language", "facts", "source"}, row["id"]
        assert row["language"] == language == guess_language(row["text"]), row["id"]
        assert shortest <= size_of(row["text"], language) <= longest, row["id"]
        assert set(row["facts"]) == FACTS, row["id"]
        assert all(isinstance(value, str) and value for value in row["facts"].values()), row["id"]
        assert row["source"] == {"origin": "practicum", "licence": "MIT"}, row["id"]


@pytest.mark.parametrize(
    ("language", "phrase", "marked"), [("zh", "不想活", "zh-second-try-exam"), ("en", "suicide", "en-wrong-notes-only")]
)
def test_exactly_one_story_speaks_of_not_wanting_to_live(language: Language, phrase: str, marked: str) -> None:
    assert [row["id"] for row in rows_of(language) if phrase in row["text"]] == [marked]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_story_is_told_by_the_client(language: Language) -> None:
    assert all(row["text"].startswith("我" if language == "zh" else "I'm ") for row in rows_of(language))
