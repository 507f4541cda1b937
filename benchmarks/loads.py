"""The loads that several figures share, so that their runs are shared too."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.bench import Bench, Load, Rivals


class Shared(NamedTuple):
    """A load and what it cost."""

    load: Load
    costs: Rivals


def long_load(bench: Bench) -> Load:
    """50 exchanges at 1 s, N = C = 1000."""
    if bench.quick:
        return Load(sessions=64, exchanges=10, at_once=64, latency_ms=50)
    return Load(sessions=1000, exchanges=50, at_once=1000, latency_ms=1000)


def long_sessions(bench: Bench) -> Shared:
    """Two rounds of the long load, 200 s each."""
    load = long_load(bench)
    return Shared(load, bench.both(load, 1 if bench.quick else 2))


def short_sessions(bench: Bench) -> Shared:
    """10 exchanges at 200 ms, N = C = 1000: 5,000 calls a second are asked for. Five rounds of 10 s."""
    if bench.quick:
        load = Load(sessions=64, exchanges=5, at_once=64, latency_ms=20)
        return Shared(load, bench.both(load, 1))
    load = Load(sessions=1000, exchanges=10, at_once=1000, latency_ms=200)
    return Shared(load, bench.both(load, 5))
