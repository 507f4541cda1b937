"""Figure 15: a turn of an arena is three waits, and the slots of the server are full.

Waits: sessions held all at once by a server with a fixed latency and slots without bound. A session of E exchanges cannot be
shorter than 3 E - 1 latencies: the client, the slowest member, the supervisor's slowest order; the opening is fixed. From the
first request to the last answer, as the server sees it, in latencies, plus the one of the opening, over E: a fourth wait anywhere
would make it 4.

Efficiency: service seconds / (slots × time from the first request to the last answer), as for figure 1, with lognormal latency
(median 1 s, log-sd 0.5), three members, three cyclic orders, the default canaries and repeats. On the mean a session has
7 / (1 + 1.45 + 1.45) = 1.8 calls under way (of three such calls the slowest takes 1.45 times the mean); held are more than four
times as many sessions as are needed to fill the slots, so that the end, when they run dry, weighs little.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.arenas import ArenaLoad, hold
from benchmarks.bench import Bench, endings
from benchmarks.meter import Cost
from benchmarks.table import Row

SLOWEST_OF_THREE = 1.45
"""Mean of the slowest of three lognormal times of log-sd 0.5, over the mean of one."""
UNDER_WAY = 7 / (1 + 2 * SLOWEST_OF_THREE)
"""Calls that an open session has under way, on the mean."""


def measure_figure(bench: Bench) -> list[Row]:
    """Return a row for the waits and one for the efficiency."""
    return [_waits(bench), _efficiency(bench)]


def _waits(bench: Bench) -> Row:
    exchanges, latency = (4, 200) if bench.quick else (10, 1000)
    load = ArenaLoad(sessions=8, exchanges=exchanges, at_once=1000)
    bench.server.set(latency=latency, dist="fixed", slots=0)
    cost, _ = _hold(bench, load)
    latencies = cost.stats["first_to_last_s"] * 1000 / latency
    waits = (latencies + 1) / exchanges
    return Row(
        figure=15,
        measure=f"arena, waits per exchange (client, slowest of 3 members, supervisor in 3 orders), {exchanges} exchanges",
        reach="3 (≤ 3.1)",
        ours=f"{waits:.2f}",
        verdict=bench.verdict(waits <= 3.1),
        detail={"latencies": latencies, "least": 3 * exchanges - 1, "latency_ms": latency, "sessions": load.sessions, "calls": cost.calls},
    )


def _efficiency(bench: Bench) -> Row:
    at_once, latency, exchanges, sessions = (30, 50, 3, 100) if bench.quick else (600, 1000, 5, 2000)
    needed = at_once / UNDER_WAY
    load = ArenaLoad(sessions=sessions, exchanges=exchanges, at_once=at_once)
    bench.server.set(latency=latency, dist="lognormal", sigma=0.5, slots=at_once)
    try:
        cost, ended = _hold(bench, load)
    finally:
        bench.server.set(dist="fixed")
    efficiency = cost.efficiency(at_once)
    return Row(
        figure=15,
        measure=f"arena, efficiency: {at_once} calls at once, lognormal {latency / 1000:g} s, 3 members, 3 orders, {sessions:,} sessions "
        f"of {exchanges} exchanges",
        reach="≥ 0.90",
        ours=f"{efficiency:.3f}" + (" (contended)" if cost.contended else ""),
        verdict=bench.verdict(efficiency >= 0.9),
        detail={
            "calls": cost.calls,
            "calls_without_canaries_and_repeats": load.calls,
            "sessions_over_needed": sessions / needed,
            "cpu_ms_per_call": cost.cpu_ms_per_call,
            "rss_mib": cost.rss_mib,
            "waited_s": cost.waited_s,
            "first_to_last_s": cost.stats["first_to_last_s"],
            "in_flight_max": cost.stats["in_flight_max"],
            "endings": ended,
        },
    )


def _hold(bench: Bench, load: ArenaLoad) -> tuple[Cost, dict[str, int]]:
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        db = Path(folder, "practicum.db")
        cost = hold(bench, load, db, timeout=900)
        return cost, endings(db)
