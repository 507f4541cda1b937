"""Figure 18: what the gateway adds to the time of a request that is not streamed.

Sixty-four callers, each of whom asks again when it is answered; the model's server takes 500 ms for each. Runs straight to that
server and through the gateway take turns. What is added in a round is the median of the one less the median of the other, p99
likewise; the figure is the median of the rounds. A run before them opens the gateway's own connections.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

from benchmarks.bench import Bench
from benchmarks.fakeserver import FakeServer
from benchmarks.gateway import Spent, put, put_upon, say_contended, say_faults, serve
from benchmarks.table import Row

LATENCY_MS = 500
CALLERS = 64


def measure_figure(bench: Bench) -> list[Row]:
    """Return a row for the median and one for p99."""
    rounds, seconds = (1, 2.0) if bench.quick else (5, 15.0)
    load = {"at_once": CALLERS, "seconds": seconds, "spread": LATENCY_MS / 1e3}
    direct: list[dict[str, Any]] = []
    through: list[Spent] = []
    with FakeServer.start(latency=LATENCY_MS) as server, serve(server, bench.folder, at_once=2 * CALLERS) as gateway:
        put("requests", gateway.url, gateway.model, at_once=CALLERS, seconds=1.0, spread=LATENCY_MS / 1e3)  # a first use of everything
        for _ in range(rounds):
            direct.append(put("requests", server.url, "fake", **load))
            through.append(put_upon(gateway, "requests", **load))
    return [_row(bench, name, share, most, direct, through) for name, share, most in (("median", 50, 3.0), ("p99", 99, 10.0))]


def _row(bench: Bench, name: str, share: float, most: float, direct: Sequence[dict[str, Any]], through: Sequence[Spent]) -> Row:
    by_round = [added(one, spent.seen, share) for one, spent in zip(direct, through, strict=True)]
    runs = [*direct, *(spent.seen for spent in through)]
    faults = "".join(map(say_faults, runs))
    answered = sum(len(spent.seen["latencies_ms"]) for spent in through)
    return Row(
        figure=18,
        measure=f"gateway: added to a request, {CALLERS} at once, {LATENCY_MS} ms: {name}",
        reach=f"≤ {most:g} ms",
        ours=f"{median(by_round):.2f} ms{faults}{say_contended(through)}",
        verdict=bench.verdict(median(by_round) <= most and not faults),
        detail={
            "added_ms": by_round,
            "direct_ms": [quantile(one, share) for one in direct],
            "requests": answered,
            "cpu_ms_per_request": sum(spent.cpu_s for spent in through) / answered * 1e3,
            "waited_s": [spent.waited_s for spent in through],
            "faults": [run["faults"] for run in runs],
        },
    )


def added(direct: dict[str, Any], through: dict[str, Any], share: float) -> float:
    """Return the difference between a percentile of two runs' milliseconds."""
    return quantile(through, share) - quantile(direct, share)


def quantile(run: dict[str, Any], share: float) -> float:
    """Return a percentile of the milliseconds of a run's requests."""
    return float(np.percentile(run["latencies_ms"], share))
