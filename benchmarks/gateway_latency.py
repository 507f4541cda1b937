"""Figure 18: what the gateway adds to the time of a request that is not streamed.

Sixty-four callers, each of whom asks again when it is answered; the model's server takes 500 ms for each. Runs straight to that
server and through the gateway take turns. What is added is the median of the one less the median of the other, p99 likewise,
over all requests of all rounds. A run before them opens the gateway's own connections.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.bench import Bench
from benchmarks.fakeserver import FakeServer
from benchmarks.gateway import put, put_upon, say_faults, serve
from benchmarks.table import Row

LATENCY_MS = 500
CALLERS = 64


def measure_figure(bench: Bench) -> list[Row]:
    """Return a row for the median and one for p99."""
    rounds, seconds = (1, 2.0) if bench.quick else (4, 15.0)
    load = {"at_once": CALLERS, "seconds": seconds, "spread": LATENCY_MS / 1e3}
    direct: list[dict[str, Any]] = []
    through: list[dict[str, Any]] = []
    cpu_s = 0.0
    with FakeServer.start(latency=LATENCY_MS) as server, serve(server, bench.folder, at_once=2 * CALLERS) as gateway:
        put("requests", gateway.url, gateway.model, at_once=CALLERS, seconds=1.0, spread=LATENCY_MS / 1e3)  # a first use of everything
        for _ in range(rounds):
            direct.append(put("requests", server.url, "fake", **load))
            spent = put_upon(gateway, "requests", **load)
            through.append(spent.seen)
            cpu_s += spent.cpu_s
    answered = sum(len(seen["latencies_ms"]) for seen in through)
    facts = {"requests": answered, "cpu_ms_per_request": cpu_s / answered * 1e3, "faults": [seen["faults"] for seen in (*direct, *through)]}
    return [_row(bench, name, share, most, direct, through, facts) for name, share, most in (("median", 50, 3.0), ("p99", 99, 10.0))]


def _row(
    bench: Bench, name: str, share: float, most: float, direct: list[dict[str, Any]], through: list[dict[str, Any]], facts: dict[str, Any]
) -> Row:
    added = quantile(through, share) - quantile(direct, share)
    faults = "".join(map(say_faults, (*direct, *through)))
    return Row(
        figure=18,
        measure=f"gateway: added to a request, {CALLERS} at once, {LATENCY_MS} ms: {name}",
        reach=f"≤ {most:g} ms",
        ours=f"{added:.2f} ms{faults}",
        verdict=bench.verdict(added <= most and not faults),
        detail={
            "direct_ms": quantile(direct, share),
            "gateway_ms": quantile(through, share),
            "by_round": [quantile([one], share) - quantile([other], share) for one, other in zip(through, direct, strict=True)],
            **facts,
        },
    )


def quantile(runs: list[dict[str, Any]], share: float) -> float:
    """Return a percentile of the milliseconds of all requests of some runs."""
    return float(np.percentile(np.concatenate([run["latencies_ms"] for run in runs]), share))
