"""Fixture `fake_server`: the fake model server of the benchmarks, compiled once and started for a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.fakeserver import FakeServer


@pytest.fixture
def fake_server() -> Iterator[FakeServer]:
    """A server on a free loopback port, without latency or faults until `set`; stopped when the test ends."""
    with FakeServer.start() as server:
        yield server
