from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from practicum.store import Store


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store in a file, and one in memory: both keep the same promises."""
    with Store.open("sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path / 'practicum.db'}") as opened:
        yield opened


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Where a store may be made."""
    return f"sqlite:///{tmp_path / 'practicum.db'}"
