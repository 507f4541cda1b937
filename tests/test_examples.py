"""The examples run as they are, without any model, and the example configuration names every key."""

from __future__ import annotations

import re
import runpy
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from practicum.engine import known_keys, read_config

EXAMPLES = Path(__file__).parent.parent / "examples"

SAID = {
    "arena_in_python": "dice: 75 of 120 ballots invalid, 6 of 13 consistent\nasks: rating 1,029, rank 1 to 3, chosen 10 of 32 times\n",
    "simulate_in_python": "en-two-cups-of-tea: turn_limit, 4 exchanges\n  client: Hello\n",
    "watch_a_run": "12 turns, 18 replies refused by the check; sessions: {'turn_limit': 2, 'unfinished': 0}\n",
}


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_runs(example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(example)])
    runpy.run_path(str(example), run_name="__main__")
    assert SAID[example.stem] in capsys.readouterr().out


def keys_of(tree: Mapping[str, Any], section: str = "") -> Iterator[str]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from keys_of(value, f"{section}{name}.")
        else:
            yield section + name


def test_the_example_configuration_is_accepted_and_names_every_key(tmp_path: Path) -> None:
    example = EXAMPLES / "practicum.toml"
    assert read_config({}, file=example).counselor.temperature == 0.7
    everything = tmp_path / "everything.toml"  # what is commented out is a key, too
    everything.write_text(re.sub(r"(?m)^# (\w+ = )", r"\1", example.read_text("utf-8")), "utf-8")
    config = read_config({}, file=everything)
    assert config.client.key == "MY_KEY"
    named = set(keys_of(tomllib.loads(everything.read_text("utf-8"))))
    sections = ("ending", "check", "call", "endpoint", "local", "hf", "prices", "client")
    known = {*known_keys(), *(key for section in sections for key in known_keys(section))} - {*sections, "counselor"}
    assert {key for key in named if not key.startswith("counselor.")} == known
