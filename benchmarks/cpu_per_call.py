"""Figure 2: CPU milliseconds a call in sessions of 50 exchanges, everything in.

Process CPU (wait4) from start to exit, imports and planning included, over the requests that the server saw; the best
of the rounds, since contention only ever adds.
"""

from __future__ import annotations

from benchmarks.bench import Bench, best_cpu
from benchmarks.loads import long_sessions
from benchmarks.table import Row


def measure_figure(bench: Bench) -> list[Row]:
    """Return one row."""
    load, costs = long_sessions(bench)
    ours, reference = best_cpu(costs.ours), best_cpu(costs.reference)
    per_server = min(cost.stats["cpu_s"] / cost.calls for cost in costs.ours) * 1e3
    return [
        Row(
            figure=2,
            measure=f"CPU per call, {load.exchanges} exchanges",
            reach="≤ 0.25 ms and ≤ 3 × reference",
            ours=f"{ours:.3f} ms ({ours / reference:.1f} ×)",
            reference=f"{reference:.3f} ms",
            verdict=bench.verdict(ours <= min(0.25, 3 * reference)),
            detail={
                "ours": [cost.cpu_ms_per_call for cost in costs.ours],
                "reference": [cost.cpu_ms_per_call for cost in costs.reference],
                "bytes_per_request": [side[0].stats["bytes_in"] / side[0].calls for side in costs],
                "server_ms_per_call": per_server,
            },
        )
    ]
