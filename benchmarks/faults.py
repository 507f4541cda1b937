"""Figure 7: a server that fails one call in seven costs some calls, and no session."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.bench import Bench, Load, endings
from benchmarks.table import Row, Verdict

FAULTS = {"p429": 0.05, "p500": 0.05, "preset": 0.02, "ptrunc": 0.02, "phang": 0.005}
COUNTED = ("e429", "e500", "reset", "truncated", "hung")


def measure_figure(bench: Bench) -> list[Row]:
    """Return one row."""
    sessions, timeout = (24, 1) if bench.quick else (500, 5)
    load = Load(sessions=sessions, exchanges=10, at_once=sessions // 4, latency_ms=100)
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        db = Path(folder, "practicum.db")
        bench.server.set(**FAULTS)
        try:
            cost = bench.simulate(load, db, "--set", f"call.timeout={timeout}", allowed=(0, 1), timeout=600)
        finally:
            bench.server.set(**dict.fromkeys(FAULTS, 0))
        ended = endings(db)
    complete = ended.get("turn_limit", 0)
    faults = sum(int(cost.stats[name]) for name in COUNTED)
    extra = cost.calls - load.calls
    return [
        Row(
            figure=7,
            measure="faults (5 % 429, 5 % 500, 2 % reset, 2 % truncated, 0.5 % hang): sessions complete · extra calls per fault",
            reach="all · ≤ 1.1",
            ours=f"{complete} of {load.sessions} · {extra / max(faults, 1):.2f} ({faults} faults)",
            verdict=Verdict.of(complete == load.sessions and faults > 0 and extra <= 1.1 * faults),
            detail={"endings": ended, "faults": {name: cost.stats[name] for name in COUNTED}, "extra_calls": extra, "wall_s": cost.wall_s},
        )
    ]
