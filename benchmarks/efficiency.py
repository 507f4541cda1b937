"""Figure 1: the model server is the only wait.

Efficiency = calls · latency / (slots · time from the first request to the last reply), all as the server sees it, with
every turn durable before its session goes on. The median of the rounds.
"""

from __future__ import annotations

from benchmarks.bench import Bench, usual_efficiency
from benchmarks.loads import Shared, long_sessions, short_sessions
from benchmarks.table import Row


def measure_figure(bench: Bench) -> list[Row]:
    """Return a row for long and one for short sessions."""
    long, short = long_sessions(bench), short_sessions(bench)
    yardstick = usual_efficiency(short.costs.reference, short.load)
    return [
        _row(bench, long, "≥ 0.95", 0.95),
        _row(bench, short, "≥ 0.95 × reference and ≥ 0.82", max(0.95 * yardstick, 0.82)),
    ]


def _row(bench: Bench, shared: Shared, reach: str, least: float) -> Row:
    load, costs = shared
    ours, reference = usual_efficiency(costs.ours, load), usual_efficiency(costs.reference, load)
    return Row(
        figure=1,
        measure=f"efficiency, {load.exchanges} exchanges at {load.latency_ms:g} ms, N = C = {load.sessions}",
        reach=reach,
        ours=f"{ours:.3f}",
        reference=f"{reference:.3f}" + (" (contended)" if any(cost.contended for cost in (*costs.ours, *costs.reference)) else ""),
        verdict=bench.verdict(ours >= least),
        detail={
            "ours": [cost.efficiency(load.at_once) for cost in costs.ours],
            "reference": [cost.efficiency(load.at_once) for cost in costs.reference],
            "waited_s": [[cost.waited_s for cost in side] for side in costs],
            "calls": [[cost.calls for cost in side] for side in costs],
        },
    )
