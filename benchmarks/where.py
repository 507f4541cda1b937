"""Where the CPU of a call goes: `python -m benchmarks.where [--sessions N] [--exchanges K]`.

Runs practicum in this process under cProfile against the fake server and adds up by room what its thread spends on a core
(waiting costs nothing); what happens in C is booked on the function that called it. The writer's thread is not profiled, and
a profiler makes small functions look dear: read shares, not microseconds.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.fakeserver import BUILT, FakeServer

PACKAGE = "practicum"


def room_of(file: str) -> str:
    """Return the room that a source file lies in; the file's package for what is not practicum's, "C" for what has no file."""
    parts = Path(file).parts
    if PACKAGE in parts:
        inside = parts[len(parts) - 1 - parts[::-1].index(PACKAGE) + 1 :]
        return f"practicum.{Path(inside[0]).stem}"
    if parts[-2:] == ("asyncio", "runners.py"):  # what runs the loop is charged with all that uvloop does in C
        return "event loop"
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1]
    return "standard library" if len(parts) > 1 else "C"


def by_room(stats: dict[Any, Any]) -> Counter[str]:
    """Return seconds by room, those of C functions with their callers."""
    seconds: Counter[str] = Counter()
    for (file, _, _), (_, _, own, _, callers) in stats.items():
        if room_of(file) != "C" or not callers:
            seconds[room_of(file)] += own
            continue
        for (caller, _, _), (_, _, part, _) in callers.items():
            seconds[room_of(caller)] += part
    return seconds


def main() -> None:
    """Profile one run and print both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.where", description="Where the CPU of a call goes.")
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--exchanges", type=int, default=50)
    options = parser.parse_args()
    os.environ["PRACTICUM_API_KEY"] = "x"
    from practicum import simulate

    BUILT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILT) as folder, FakeServer.start(latency=50, slots=options.sessions) as server:
        model, profiles = f"openai:fake@{server.url}", Bench(server, Path(folder), quick=False).profiles()
        settings: dict[str, Any] = {"at_once": options.sessions, "limit": options.sessions, "max_exchanges": options.exchanges}
        simulate(profiles, client=model, counselor=model, db=f"sqlite:///{folder}/warm-up.db", limit=1, max_exchanges=1)
        server.reset()
        profile = cProfile.Profile(time.thread_time)
        profile.runcall(simulate, profiles, client=model, counselor=model, db=f"sqlite:///{folder}/practicum.db", **settings)
        calls = server.stats()["requests"]
    stats = pstats.Stats(profile)
    seconds = by_room(stats.stats)  # type: ignore[attr-defined]
    for room, spent in seconds.most_common(12):
        print(f"{spent / sum(seconds.values()):6.1%}  {spent / calls * 1e6:6.1f} µs a call  {room}")
    stats.sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
