"""Figure 19: CPU of the gateway for each chunk that it relays.

A chunk every 20 ms in each of 100 streams of 50 chunks: far from what it can carry, so that every chunk wakes it by itself. All
that its process used, from the first request to the last [DONE], idle seconds and the work on each request included, over the
content events that the callers received. Streams of 10 chunks tell apart what is a request's and what is a chunk's.
"""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.fakeserver import FakeServer
from benchmarks.gateway import CHUNKS, PAUSE_MS, Gateway, Spent, put_upon, rest, say_contended, say_faults, serve
from benchmarks.table import Row

STREAMS = 100
FEW = 10
"""Chunks of the short streams."""
MOST_US = 60


def measure_figure(bench: Bench) -> list[Row]:
    """Return one row."""
    streams, seconds, rounds = (20, 2, 1) if bench.quick else (STREAMS, 12, 3)
    many: list[Spent] = []
    few: list[Spent] = []
    with FakeServer.start(latency=PAUSE_MS, stream_pause=PAUSE_MS) as server, serve(server, bench.folder, at_once=2 * streams) as gateway:
        _stream(server, gateway, streams, CHUNKS, seconds=1)  # a first use of everything
        idle = rest(gateway, 1 if bench.quick else 5)
        for _ in range(rounds):
            many.append(_stream(server, gateway, streams, CHUNKS, seconds))
            few.append(_stream(server, gateway, streams, FEW, seconds))
    chunk_us = min(map(_per_event, many))
    alone_us, request_us = tell_apart(min(many, key=_per_event), min(few, key=_per_event), idle)
    faults = "".join(say_faults(spent.seen) for spent in (*many, *few))
    return [
        Row(
            figure=19,
            measure=f"gateway: CPU per relayed chunk, {streams} streams of {CHUNKS} chunks, one per {PAUSE_MS} ms",
            reach=f"≤ {MOST_US} µs",
            ours=f"{chunk_us:.0f} µs (a chunk alone {alone_us:.0f}, a stream besides {request_us:,.0f}){faults}{say_contended(many)}",
            verdict=bench.verdict(chunk_us <= MOST_US and not faults),
            detail={
                "us_per_chunk": [_per_event(spent) for spent in many],
                "us_per_chunk_short_streams": [_per_event(spent) for spent in few],
                "us_alone": alone_us,
                "us_per_stream": request_us,
                "idle_us_per_s": idle * 1e6,
                "busy": [spent.cpu_s / spent.wall_s for spent in many],
                "waited_s": [spent.waited_s for spent in many],
                "chunks": [{"sent": spent.seen["sent"], "received": spent.seen["events"]} for spent in many],
                "faults": faults,
            },
        )
    ]


def tell_apart(many: Spent, few: Spent, idle: float) -> tuple[float, float]:
    """Return the CPU µs of a chunk and of a stream besides its chunks, from runs whose streams have many and few of them.

    Args:
        many: Streams of many chunks.
        few: Streams of few chunks.
        idle: CPU seconds a second without anything to do; taken off.
    """
    rows = [(spent.seen["events"], len(spent.seen["latencies_ms"]), spent.cpu_s - idle * spent.wall_s) for spent in (many, few)]
    (a, b, x), (c, d, y) = rows
    determinant = a * d - b * c
    return (x * d - b * y) / determinant * 1e6, (a * y - c * x) / determinant * 1e6


def _stream(server: FakeServer, gateway: Gateway, streams: int, chunks: int, seconds: float) -> Spent:
    """Keep so many streams open for about so long; they begin at different times."""
    server.set(stream_chunks=chunks)
    server.reset()
    length = chunks * PAUSE_MS / 1e3
    spent = put_upon(gateway, "streams", at_once=streams, rounds=max(1, round(seconds / length)), spread=length, chunks=chunks)
    spent.seen["sent"] = server.stats()["stream_events"]
    return spent


def _per_event(spent: Spent) -> float:
    return spent.cpu_s / max(int(spent.seen["events"]), 1) * 1e6
