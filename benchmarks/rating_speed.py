"""Figure 14: a million choices in a hundred thousand sessions are rated in seconds.

In a process of its own: `rate` with intervals clustered by session (the most clusters that the data have) and simultaneous
ranks, from arrays in memory; then a thousand cluster bootstraps of the same counts. Each three times, the least counts:
contention only ever adds. Memory is the largest resident set of the process (wait4), imports and the data itself included.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from typing import Any

from benchmarks.bench import Bench
from benchmarks.meter import ROOT, MeterError, clean_environment, python
from benchmarks.table import Row

SETS = 6
"""Sessions of one profile; see `studies.Design`."""
TURNS = 10


def measure_figure(bench: Bench) -> list[Row]:
    """Return one row."""
    sessions, samples, rounds = (10_000, 100, 1) if bench.quick else (100_000, 1000, 3)
    found, rss_mib = measure_child("--sessions", str(sessions), "--samples", str(samples), "--rounds", str(rounds))
    rated, bootstrapped = min(found["rate_s"]), min(found["bootstrap_s"])
    return [
        Row(
            figure=14,
            measure=f"{found['choices']:,} choices, {found['sessions']:,} sessions: "
            f"clustered intervals · {samples:,} cluster bootstraps · peak RSS",
            reach="≤ 3 s · ≤ 12 s · ≤ 1 GiB",
            ours=f"{rated:.2f} s · {bootstrapped:.1f} s · {rss_mib:.0f} MiB",
            verdict=bench.verdict(rated <= 3 and bootstrapped <= 12 and rss_mib <= 1024),
            detail={**found, "rss_mib": rss_mib},
        )
    ]


def measure_child(*arguments: str) -> tuple[dict[str, Any], float]:
    """Run this module; return what it prints and its largest resident set in MiB.

    Raises:
        MeterError: It failed.
    """
    process = subprocess.Popen(
        python("-m", "benchmarks.rating_speed", *arguments), cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise MeterError(f"rating failed: exit status {process.returncode}")
    found: dict[str, Any] = json.loads(output)
    return found, usage.ru_maxrss / 1024


def main() -> None:
    """Time both in this process and print the seconds as JSON."""
    parser = argparse.ArgumentParser(description="Rates a large study.")
    for name in ("sessions", "samples", "rounds"):
        parser.add_argument(f"--{name}", type=int, required=True)
    options = parser.parse_args()

    import numpy as np  # here: whoever only starts the child does not need it

    from benchmarks.studies import Design, draw_study
    from practicum.arena.bootstrap import bootstrap_strengths
    from practicum.arena.rating import rate

    table = draw_study(Design(profiles=-(-options.sessions // SETS), turns=TURNS), np.random.default_rng(14))
    rated, bootstrapped = [], []
    for _ in range(options.rounds):
        begun = time.perf_counter()
        ratings = rate(table, cluster="session", bootstraps=0)
        rated.append(time.perf_counter() - begun)
        assert all(ratings.intervals)
        begun = time.perf_counter()
        samples = bootstrap_strengths(ratings.counts, options.samples, np.random.default_rng(14))
        bootstrapped.append(time.perf_counter() - begun)
        assert not np.isnan(samples).any()
    sizes = {"choices": len(table.offered), "sessions": int(table.session[-1]) + 1}
    print(json.dumps({**sizes, "rate_s": rated, "bootstrap_s": bootstrapped}))


if __name__ == "__main__":
    main()
