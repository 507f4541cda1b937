"""Figure 8: the endpoint refuses everybody for a minute in mid-run, and no session fails."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.bench import Bench, Load, endings
from benchmarks.meter import Watched
from benchmarks.table import Row, Verdict


def measure_figure(bench: Bench) -> list[Row]:
    """Return one row."""
    sessions, down = (32, 2) if bench.quick else (500, 60)
    load = Load(sessions=sessions, exchanges=10, at_once=sessions // 2, latency_ms=100)
    downs: list[int] = []

    def pull_the_plug(_: Watched) -> None:
        if not downs and (done := int(bench.server.stats()["ok"])) > load.calls // 3:
            downs.append(done)
            bench.server.set(down=down)

    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        db = Path(folder, "practicum.db")
        cost = bench.simulate(load, db, during=pull_the_plug, allowed=(0, 1), timeout=240)
        ended = endings(db)
    complete = ended.get("turn_limit", 0)
    return [
        Row(
            figure=8,
            measure=f"endpoint down for {down} s in mid-run: sessions that fail",
            reach="0",
            ours=f"{load.sessions - complete} of {load.sessions}",
            verdict=Verdict.of(bool(downs) and complete == load.sessions),
            detail={"endings": ended, "answered_before": downs, "wall_s": cost.wall_s, "extra_calls": cost.calls - load.calls},
        )
    ]
