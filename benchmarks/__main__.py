"""Measure the figures of the README: `python -m benchmarks [FIGURE…] [--quick] [--json FILE]`."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.fakeserver import BUILT, FakeServer
from benchmarks.meter import MeterError
from benchmarks.table import Row, Verdict, machine, render, save

FIGURES = {
    1: "efficiency",
    2: "cpu_per_call",
    3: "growth",
    4: "footprint",
    5: "prefix_cache",
    6: "crashes",
    7: "faults",
    8: "outage",
    9: "fuzz",
    10: "scale",
    11: "published",
    12: "coverage",
    13: "oracles",
    14: "rating_speed",
    15: "arena_turns",
    16: "scripted",
    17: "arena_crashes",
    18: "gateway_latency",
    19: "gateway_chunks",
    20: "gateway_streams",
    21: "hf_batch",
    22: "gateway_leave",
    23: "gateway_fuzz",
    24: "curate_speed",
    25: "planted_faults",
    26: "train_gain",
    27: "train_speed",
}
"""Each figure's module; its `measure_figure(bench)` returns the rows."""
RESULTS = Path(__file__).with_name("results.json")


def measure_figure(number: int, bench: Bench) -> list[Row]:
    """Measure one figure; what breaks is a row, so that the others are still measured."""
    name = FIGURES[number]
    begun = time.monotonic()
    try:
        rows: list[Row] = importlib.import_module(f"benchmarks.{name}").measure_figure(bench)
    except MeterError as error:
        print(error, file=sys.stderr)
        return [Row(figure=number, measure=name, reach="", ours="broken, see above", verdict=Verdict.MISSED, detail={"error": str(error)})]
    print(f"{number:2} {name}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
    return rows


def main() -> int:
    """Measure, print the table, write the file; exit 1 if a figure is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the figures that the README claims.")
    parser.add_argument("figures", nargs="*", type=int, choices=[[], *FIGURES], metavar="FIGURE", help="1 to 27; all without one")
    parser.add_argument("--quick", action="store_true", help="small sizes, a minute or two: a smoke test, no figures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the numbers go; results.json here, nowhere with --quick")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an ordinary exit: children are stopped, folders removed
    facts = machine() | {"quick": options.quick}
    BUILT.mkdir(exist_ok=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(dir=BUILT) as folder, FakeServer.start() as server:  # on the disk that the checkout is on
        bench = Bench(server, Path(folder), options.quick)
        for number in options.figures or FIGURES:
            rows += measure_figure(number, bench)
    print(render(rows))
    path = options.json or (None if options.quick else RESULTS)
    if path is not None:
        save(rows, facts, path)
    return any(row.verdict is Verdict.MISSED for row in rows)


if __name__ == "__main__":
    sys.exit(main())
