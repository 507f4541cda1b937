"""Figure 3: a session's hundredth call costs what its second did.

No single call can be priced from outside, and the first calls of a run are not its steady state. So whole runs of sessions
of three lengths are compared, each with the same calls at once, the same latency, about as many calls in all, and sessions
enough to stand at every place of their course at any time. A session of n calls costs s + price(1) + … + price(n), where s is
what a session costs besides (planning, opening, ending). From one length to the next s cancels: sessions of 3, 19 and 99 calls give
the mean price of calls 4 to 19 and of calls 20 to 99. The straight line through these two gives call 2 and call 100.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from benchmarks.bench import Bench, Load
from benchmarks.meter import Cost
from benchmarks.table import Row

EXCHANGES = (2, 10, 50)
"""Three lengths: 3, 19 and 99 calls."""


def measure_figure(bench: Bench) -> list[Row]:
    """Return one row."""
    at_once, calls, rounds = (16, 400, 1) if bench.quick else (128, 40_000, 3)
    alone = bench.both(Load(sessions=1, exchanges=1, at_once=1, latency_ms=20), rounds)
    loads = [Load(sessions=calls // (2 * count - 1), exchanges=count, at_once=at_once, latency_ms=40) for count in EXCHANGES]
    runs = [bench.both(load, rounds) for load in loads]
    ours = _prices(loads, [run.ours for run in runs], alone.ours)
    reference = _prices(loads, [run.reference for run in runs], alone.reference)
    return [
        Row(
            figure=3,
            measure="CPU of a session's call 100 against its call 2",
            reach="≤ 1.5 ×",
            ours=f"{growth(*ours):.2f} ×",
            reference=f"{growth(*reference):.2f} ×",
            verdict=bench.verdict(growth(*ours) <= 1.5),
            detail={
                "ms_of_calls_4_to_19_and_20_to_99": {"ours": ours, "reference": reference},
                "cpu_s": [[cost.cpu_s for cost in run.ours] for run in runs],
            },
        )
    ]


def _prices(loads: Sequence[Load], costs: Sequence[Sequence[Cost]], alone: Sequence[Cost]) -> list[float]:
    """Return the mean CPU milliseconds of the calls that each length has beyond the shorter one; starting is taken off."""
    start = min(cost.cpu_s for cost in alone)
    sessions = [(min(cost.cpu_s for cost in run) - start) / load.sessions for load, run in zip(loads, costs, strict=True)]
    calls = [load.calls // load.sessions for load in loads]
    return [(cpu - less) / (many - few) * 1e3 for (less, cpu), (few, many) in zip(pairwise(sessions), pairwise(calls), strict=True)]


def growth(early: float, late: float) -> float:
    """Return the price of call 100 over that of call 2, from the mean prices of calls 4–19 and 20–99.

    On a straight line these are the prices in the middle: of call 11.5 and of call 59.5.
    """
    slope = (late - early) / (59.5 - 11.5)
    return (early + slope * (100 - 11.5)) / (early + slope * (2 - 11.5))
