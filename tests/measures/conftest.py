"""Real data beside the repository, where it is there: regression tests on it are skipped elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[3] / "shared" / "data"

Dialogue = list[tuple[str, str]]
"""(speaker, text) pairs."""


@pytest.fixture(scope="session")
def profiles() -> list[str]:
    """The origin's 1,000 profiles."""
    path = SHARED / "profiles" / "interactive-agents-train.json"
    if not path.exists():
        pytest.skip("the shared profiles are not here")
    texts: list[str] = json.loads(path.read_text("utf-8"))
    return texts


@pytest.fixture(scope="session", params=["smilechat", "cpsycound"])
def dialogues(request: pytest.FixtureRequest) -> list[Dialogue]:
    """Finished dialogues with at least four counselor turns, of one corpus."""
    path = SHARED / "dialogues" / f"{request.param}-sample.jsonl"
    if not path.exists():
        pytest.skip("the shared dialogues are not here")
    read = [[(turn["speaker"], turn["text"]) for turn in json.loads(line)["turns"]] for line in path.read_text("utf-8").splitlines()]
    return [dialogue for dialogue in read if sum(speaker == "counselor" for speaker, _ in dialogue) >= 4]
