"""Figure 22: a caller that leaves takes its call with it.

The gateway may have one call in flight and each stream would last twenty seconds. The caller leaves after some of its events, or
while the model has not said a word yet, and another one asks at once. The model's server tells when the stream was cut; that the
slot is free is seen from the other one's first word, which that server has ready 300 ms after it is asked.
"""

from __future__ import annotations

from typing import Any

from benchmarks.bench import Bench
from benchmarks.fakeserver import FakeServer
from benchmarks.gateway import PAUSE_MS, put, say_faults, serve
from benchmarks.table import Row

LATENCY_MS = 300
CHUNKS = 1000
MOST_S = 1.0


def measure_figure(bench: Bench) -> list[Row]:
    """Return a row for leaving in mid-stream and one for leaving before the first word."""
    times = 4 if bench.quick else 20
    with (
        FakeServer.start(latency=LATENCY_MS, stream_chunks=CHUNKS, stream_pause=PAUSE_MS) as server,
        serve(server, bench.folder, at_once=1) as gateway,
    ):
        load = {"stats_port": server.port, "times": times}
        middle = put("leave", gateway.url, gateway.model, after=[1, 2, 5, 10, 25], **load)
        before = put("leave", gateway.url, gateway.model, after=[0], **load)
    return [_row(bench, times, "in mid-stream", middle), _row(bench, times, "before the first word", before)]


def _row(bench: Bench, times: int, when: str, seen: dict[str, Any]) -> Row:
    cut_s, late_s = max(seen["cut_s"]), max(seen["next_s"]) - LATENCY_MS / 1e3
    faults = say_faults(seen)
    return Row(
        figure=22,
        measure=f"gateway: caller leaves {when}: upstream cut · next one served, worst of {times}",
        reach=f"≤ {MOST_S:g} s · ≤ {MOST_S:g} s late",
        ours=f"{cut_s * 1e3:.1f} ms · {late_s * 1e3:.1f} ms late{faults}",
        verdict=bench.verdict(max(cut_s, late_s) <= MOST_S and not faults),
        detail={"cut_s": seen["cut_s"], "next_s": seen["next_s"], "latency_ms": LATENCY_MS, "faults": seen["faults"]},
    )
