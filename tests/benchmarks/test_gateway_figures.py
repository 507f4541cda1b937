"""The yardsticks of the gateway's figures: each is shown something that it must find."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.fakeserver import FakeServer
from benchmarks.gateway import Spent, put_upon, serve
from benchmarks.gateway_chunks import tell_apart
from benchmarks.gateway_latency import added
from benchmarks.gateway_load import LoadError, Target, leave, read_stream, requests, streams
from benchmarks.meter import MeterError

FINISH = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USAGE = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}}


def sse(words: Sequence[str], *ends: object, done: bool = True) -> bytes:
    told = [{"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]} for word in words]
    lines = [f"data: {json.dumps(event, ensure_ascii=False)}\n\n" for event in (*told, *ends)]
    return "".join([*lines, "data: [DONE]\n\n" if done else ""]).encode()


@pytest.mark.parametrize("words", [["第1句，", "第2句，", "第3句。"], ["第1句", "，第2句，第3句。"], ["word 1, ", "word 2, ", "word 3."]])
def test_a_whole_stream_has_no_fault_however_it_is_cut_into_events(words: list[str]) -> None:
    assert read_stream(sse(words, FINISH, USAGE), 3) == (len(words), "")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (sse(["第1句，", "第3句。"], FINISH, USAGE), "lost or doubled"),
        (sse(["第1句，", "第2句，", "第2句，", "第3句。"], FINISH, USAGE), "lost or doubled"),
        (sse(["第2句，", "第1句，", "第3句。"], FINISH, USAGE), "out of order"),
        (sse(["word 1, ", "word 2, ", "wrod 3."], FINISH, USAGE), "lost or doubled"),
        (sse(["word 1, ", "word 2, ", "oh, word 3."], FINISH, USAGE), "garbled"),
        (sse(["第1句，", "第2句，", "第3句。"], USAGE), "no finish"),
        (sse(["第1句，", "第2句，", "第3句。"], FINISH), "no usage"),
        (sse(["第1句，", "第2句，", "第3句。"], FINISH, USAGE, done=False), "no [DONE]"),
        (sse(["第1句，"], {"error": {"message": "broken"}}), "error"),
        (b"", "lost or doubled"),
    ],
)
def test_what_is_wrong_with_a_stream_is_found(body: bytes, fault: str) -> None:
    assert read_stream(body, 3).fault == fault


async def test_the_load_hears_every_stream_whole(fake_server: FakeServer) -> None:
    fake_server.set(stream_chunks=5, stream_pause=1)
    seen = await streams(Target.of(fake_server.url, "fake"), at_once=20, rounds=2, spread=0.01, chunks=5)
    assert (len(seen.latencies_ms), seen.events, seen.faults) == (40, 200, {})
    assert fake_server.stats()["repeated_bodies"] == 0


async def test_the_load_counts_streams_that_are_short_broken_or_refused(fake_server: FakeServer) -> None:
    target = Target.of(fake_server.url, "fake")
    fake_server.set(stream_chunks=4, stream_pause=1)
    assert (await streams(target, at_once=3, rounds=1, spread=0, chunks=5)).faults == {"lost or doubled": 3}
    fake_server.set(ptrunc=1)
    assert (await streams(target, at_once=3, rounds=1, spread=0, chunks=4)).faults == {"broken": 3}
    fake_server.set(ptrunc=0, p500=1)
    assert (await streams(target, at_once=3, rounds=1, spread=0, chunks=4)).faults == {"status 500": 3}


async def test_the_time_of_a_request_is_that_of_the_server(fake_server: FakeServer) -> None:
    fake_server.set(latency=40)
    seen = await requests(Target.of(fake_server.url, "fake"), at_once=4, seconds=0.2, spread=0.04)
    assert len(seen.latencies_ms) == fake_server.stats()["requests"] >= 12
    assert min(seen.latencies_ms) >= 39
    assert not seen.faults


@pytest.mark.parametrize("after", [[1, 3], [0]], ids=["in mid-stream", "before the first word"])
async def test_leaving_is_timed_until_the_server_has_noticed_and_the_next_is_served(fake_server: FakeServer, after: list[int]) -> None:
    fake_server.set(latency=100, slots=1, stream_chunks=1000, stream_pause=5)
    seen = await leave(Target.of(fake_server.url, "fake"), fake_server.port, 4, after)
    assert len(seen.cut_s) == len(seen.next_s) == 4
    assert all(0 <= cut_s < 1 for cut_s in seen.cut_s)
    assert all(0.1 <= next_s < 2 for next_s in seen.next_s)
    assert fake_server.stats()["streams_cut"] == 8


async def test_leaving_is_no_measurement_where_there_is_no_stream_to_leave(fake_server: FakeServer) -> None:
    fake_server.set(p429=1)
    with pytest.raises(LoadError, match=r"status 429: .*rate limited"):
        await leave(Target.of(fake_server.url, "fake"), fake_server.port, 1, [1])


def test_what_a_chunk_and_what_a_stream_costs_is_told_apart() -> None:
    def spent(streams: int, chunks: int) -> Spent:
        seen = {"events": streams * chunks, "latencies_ms": [1.0] * streams}
        return Spent(seen, cpu_s=streams * (chunks * 40e-6 + 700e-6) + 10 * 0.002, wall_s=10.0, waited_s=0.0)

    assert tell_apart(spent(1000, 50), spent(4000, 10), idle=0.002) == pytest.approx((40, 700))


def test_what_is_added_is_the_difference_of_percentiles() -> None:
    direct, through = {"latencies_ms": [500.0] * 100}, {"latencies_ms": [501.0] * 97 + [520.0] * 3}
    assert added(direct, through, 50) == 1
    assert added(direct, through, 99) == 20


def test_the_gateway_under_test_relays_a_paced_stream_and_ends_well(fake_server: FakeServer, tmp_path: Path) -> None:
    fake_server.set(stream_chunks=5, stream_pause=1)
    with serve(fake_server, tmp_path, at_once=4) as gateway:
        spent = put_upon(gateway, "streams", at_once=2, rounds=2, chunks=5)
    assert (len(spent.seen["latencies_ms"]), spent.seen["faults"]) == (4, {})
    assert fake_server.stats()["stream_events"] == 20
    assert spent.cpu_s > 0
    assert gateway.watched.rss_mib > 10


def test_a_gateway_that_cannot_start_breaks_the_figure(fake_server: FakeServer, tmp_path: Path) -> None:
    with pytest.raises(MeterError, match=r"does not listen:\s.*at_once"), serve(fake_server, tmp_path, at_once=0):
        pass
