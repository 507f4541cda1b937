"""Figure 20: a thousand streams at once through the gateway, begun in the same moment, every chunk of every one looked at.

The fake server numbers its chunks. What has come in while the gateway was busy with others may be handed on as one event, so that
fewer events may be received than were sent; no number may be missing, doubled or out of order.
"""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.fakeserver import FakeServer
from benchmarks.gateway import CHUNKS, PAUSE_MS, Spent, put, put_upon, say_faults, serve
from benchmarks.table import Row

LATENCY_MS = 1000
"""Until a stream's first chunk: all have been asked for by then, so that all run at once."""
MOST_MIB = 250


def measure_figure(bench: Bench) -> list[Row]:
    """Return a row for the streams and one for the memory."""
    streams, rounds = (100, 1) if bench.quick else (1000, 3)
    load = {"at_once": streams, "chunks": CHUNKS}
    runs: list[Spent] = []
    with FakeServer.start(latency=LATENCY_MS, stream_chunks=CHUNKS, stream_pause=PAUSE_MS) as server:
        direct = put("streams", server.url, "fake", **load)
        server.reset()
        with serve(server, bench.folder, at_once=2 * streams) as gateway:
            gateway.watched.look()
            before = gateway.watched.rss_mib
            runs += [put_upon(gateway, "streams", **load) for _ in range(rounds)]
            gateway.watched.look()
            rss_mib = gateway.watched.rss_mib
        told = server.stats()
    faults = "".join(say_faults(spent.seen) for spent in runs)
    whole = sum(len(spent.seen["latencies_ms"]) for spent in runs) - sum(sum(spent.seen["faults"].values()) for spent in runs)
    wall_s = max(spent.seen["wall_s"] for spent in runs)
    detail = {
        "direct_wall_s": direct["wall_s"],
        "wall_s": [spent.seen["wall_s"] for spent in runs],
        "cpu_s": [spent.cpu_s for spent in runs],
        "chunks_per_s": [spent.seen["events"] / (spent.seen["wall_s"] - LATENCY_MS / 1e3) for spent in runs],
        "us_per_chunk": [spent.cpu_s / max(spent.seen["events"], 1) * 1e6 for spent in runs],
        "chunks": {"sent": told["stream_events"], "received": sum(spent.seen["events"] for spent in runs)},
        "at_once_upstream": told["in_service_max"],
        "rss_before_mib": before,
        "faults": faults,
    }
    everything = whole == rounds * streams and told["in_service_max"] == streams
    return [
        Row(
            figure=20,
            measure=f"gateway: {streams:,} streams at once, {CHUNKS} chunks each: whole and in order · slowest round",
            reach="all",
            ours=f"{whole:,} of {rounds * streams:,}{faults} · {wall_s:.1f} s",
            reference=f"{direct['wall_s']:.1f} s without the gateway",
            verdict=bench.verdict(everything and not faults),
            detail=detail,
        ),
        Row(
            figure=20,
            measure=f"gateway: RSS with {streams:,} streams",
            reach=f"≤ {MOST_MIB} MiB",
            ours=f"{rss_mib:.0f} MiB",
            verdict=bench.verdict(rss_mib <= MOST_MIB),
            detail={"before_mib": before, "peak_mib": rss_mib},
        ),
    ]
