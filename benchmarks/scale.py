"""Figure 10: a session of a large run costs what one of a small run does.

Both are held at the same number of calls at once. What a run costs before its first session (a run of one session, less
its calls, which are nothing beside it) is taken off both, or it would hide a rise.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bench import Bench, Load
from benchmarks.meter import Cost
from benchmarks.table import Row


def measure_figure(bench: Bench) -> list[Row]:
    """Return one row."""
    at_once, exchanges, rounds = (64, 2, 1) if bench.quick else (256, 5, 2)
    few, many = (100, 500) if bench.quick else (1000, 20_000)

    def load(sessions: int) -> Load:
        return Load(sessions=sessions, exchanges=exchanges, at_once=min(at_once, sessions), latency_ms=20)

    start, small, large = (bench.both(load(sessions), rounds) for sessions in (1, few, many))
    ours = _ratio(start.ours, small.ours, large.ours, few, many)
    return [
        Row(
            figure=10,
            measure=f"CPU per session, {many:,} sessions against {few:,}",
            reach="≤ 1.1 ×",
            ours=f"{ours:.2f} ×",
            reference=f"{_ratio(start.reference, small.reference, large.reference, few, many):.2f} ×",
            verdict=bench.verdict(ours <= 1.1),
            detail={str(count): [cost.cpu_s for cost in run.ours] for count, run in ((1, start), (few, small), (many, large))},
        )
    ]


def _ratio(start: Sequence[Cost], small: Sequence[Cost], large: Sequence[Cost], few: int, many: int) -> float:
    base, cpu_few, cpu_many = (min(cost.cpu_s for cost in costs) for costs in (start, small, large))
    return ((cpu_many - base) / many) / ((cpu_few - base) / few)
