"""Figure 4: what a thousand sessions at once need of memory, and what a run needs before its first call."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.bench import Bench, Load
from benchmarks.loads import long_load, short_sessions
from benchmarks.meter import Cost, MeterError, Watched
from benchmarks.table import Row


def measure_figure(bench: Bench) -> list[Row]:
    """Return a row for memory, one for its growth with open sessions, one for the start."""
    return [_memory(bench), _growth(bench), _start(bench)]


def _memory(bench: Bench) -> Row:
    load, costs = short_sessions(bench)
    ours = max(cost.rss_mib for cost in costs.ours)
    return Row(
        figure=4,
        measure=f"RSS at C = {load.at_once}, {load.exchanges} exchanges",
        reach="≤ 150 MiB",
        ours=f"{ours:.0f} MiB",
        reference=f"{max(cost.rss_mib for cost in costs.reference):.0f} MiB",
        verdict=bench.verdict(ours <= 150),
        detail={"ours": [cost.rss_mib for cost in costs.ours], "reference": [cost.rss_mib for cost in costs.reference]},
    )


def _growth(bench: Bench) -> Row:
    """Compare the peak of many open sessions with that of a fifth of them, all 50 exchanges long."""
    load = replace(long_load(bench), latency_ms=200)  # a peak does not depend on how long the server thinks
    fewer = load.sessions // 5
    many = bench.both(load, 1)
    few = bench.both(replace(load, sessions=fewer, at_once=fewer, latency_ms=40), 1)

    def kib(large: Cost, small: Cost) -> float:
        return (large.rss_mib - small.rss_mib) * 1024 / (load.sessions - fewer)

    ours, reference = kib(many.ours[0], few.ours[0]), kib(many.reference[0], few.reference[0])
    return Row(
        figure=4,
        measure=f"RSS per open session, {load.exchanges} exchanges ({fewer} → {load.sessions} sessions)",
        reach="≤ 100 KiB",
        ours=f"{ours:.0f} KiB",
        reference=f"{reference:.0f} KiB",
        verdict=bench.verdict(ours <= 100),
        detail={"mib": {"many": many.ours[0].rss_mib, "few": few.ours[0].rss_mib}},
    )


def _start(bench: Bench) -> Row:
    """Read the CPU clock when the server has just seen the first request; the least of a few starts."""
    starts = [cpu_to_first_call(bench) for _ in range(2 if bench.quick else 7)]
    return Row(
        figure=4,
        measure="CPU from start to first call, fresh store",
        reach="≤ 0.8 s",
        ours=f"{min(starts):.2f} s",
        verdict=bench.verdict(min(starts) <= 0.8),
        detail={"cpu_s": starts},
    )


def cpu_to_first_call(bench: Bench) -> float:
    """Return the CPU seconds that a run of one session has used when its first request arrives; then end it."""
    seen: list[float] = []

    def look(run: Watched) -> None:
        if bench.server.stats()["requests"] and not seen:
            run.look()
            seen.append(run.cpu_s)
            run.kill()

    load = Load(sessions=1, exchanges=2, at_once=1, latency_ms=60_000)
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        bench.simulate(load, Path(folder, "practicum.db"), during=look, allowed=(-9,), timeout=60)
    if not seen:
        raise MeterError("the run ended before its first call")
    return seen[0]
