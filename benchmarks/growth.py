"""Figure 3: a session's hundredth call costs what its second did.

With as many sessions as calls at once and a fixed latency, all sessions are at the same call at any time: what the
process burns between the server's request N·k and N·(k+1) is N times the price of call k+1. A straight line through
those prices (least squares, calls 2 to the last; the first pays for start-up and connecting) gives the price of call 2
and of call 100; every call of the run bears on both, so that a busy moment moves neither much.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from statistics import linear_regression, median

from benchmarks.bench import Bench, Load
from benchmarks.loads import long_sessions
from benchmarks.meter import Cost
from benchmarks.table import Row


def measure_figure(bench: Bench) -> list[Row]:
    """Return one row."""
    load, costs = long_sessions(bench)
    ours = [growth(cost, load) for cost in costs.ours]
    reference = [growth(cost, load) for cost in costs.reference]
    return [
        Row(
            figure=3,
            measure="CPU of a session's call 100 against its call 2",
            reach="≤ 1.5 ×",
            ours=f"{median(ours):.2f} ×",
            reference=f"{median(reference):.2f} ×",
            verdict=bench.verdict(median(ours) <= 1.5),
            detail={"ours": ours, "reference": reference, "ms_by_call": [prices(cost, load) for cost in costs.ours]},
        )
    ]


def growth(cost: Cost, load: Load) -> float:
    """Return the fitted price of call 100 over that of call 2."""
    ms = prices(cost, load)
    slope, start = linear_regression(range(2, len(ms) + 2), ms)
    return (start + 100 * slope) / (start + 2 * slope)


def prices(cost: Cost, load: Load) -> list[float]:
    """Return the CPU milliseconds of call 2, 3, … of a session, the mean over all sessions."""
    last = 2 * load.exchanges - 1
    spent = [cpu_at(cost.track, load.sessions * call) for call in range(1, last + 1)]
    return [(after - before) / load.sessions * 1e3 for before, after in pairwise(spent)]


def cpu_at(track: Sequence[tuple[int, float]], requests: int) -> float:
    """Return the CPU seconds at which the server had seen so many requests, between two looks in proportion."""
    at = bisect_left(track, (requests, 0.0))
    if at in (0, len(track)):
        return track[min(at, len(track) - 1)][1]
    (before, low), (after, high) = track[at - 1], track[at]
    return low + (high - low) * (requests - before) / (after - before)
