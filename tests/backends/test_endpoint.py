from __future__ import annotations

import asyncio

import pytest

from practicum.backends import endpoint as endpoint_module
from practicum.backends.endpoint import FIRST_ANSWER_SECONDS, UNAVAILABLE_IN_ROW, Endpoint
from practicum.backends.transport import Answer, BrokenError, NotSentError, SlowError
from practicum.errors import EndpointError
from tests.backends.scripted_transport import ScriptedTransport, Step, completion, refusal


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Bench:
    def __init__(self, *steps: Step, patience: float = 60, **options: float) -> None:
        self.clock = Clock()
        self.notes: list[str] = []
        self.transport = ScriptedTransport(steps)
        self.endpoint = Endpoint("http://host/v1", self.transport, patience=patience, clock=self.clock, notify=self.notes.append, **options)  # type: ignore[arg-type]

    async def call(self) -> Answer:
        stamp = await self.endpoint.enter()
        try:
            return await self.endpoint.exchange(stamp, "/x", [b"{}"], timeout=5)
        finally:
            self.endpoint.flight.leave()


@pytest.fixture(autouse=True)
def _probe_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_module, "PROBE_SECONDS", (0.0, 0.001))


@pytest.mark.parametrize("fault", [NotSentError("Connection refused"), BrokenError("Connection refused")])
async def test_an_endpoint_that_never_answered_is_given_up_with_one_line(fault: Exception) -> None:
    bench = Bench(fault)
    for now in (0.0, FIRST_ANSWER_SECONDS - 1, FIRST_ANSWER_SECONDS):
        bench.clock.now = now
        with pytest.raises(type(fault)):
            await bench.call()
    with pytest.raises(EndpointError, match=r"http://host/v1 has not answered within 20 s \(Connection refused\)"):
        await bench.call()
    assert len(bench.transport.sent) == 3
    assert not bench.notes


async def test_one_that_has_answered_is_paused_probed_and_gone_on_with() -> None:
    bench = Bench(completion(), NotSentError("refused"), NotSentError("refused"), Answer(404, {}, b""), completion())
    await bench.call()
    with pytest.raises(NotSentError):
        await bench.call()
    assert bench.endpoint.paused
    assert (await bench.call()).status == 200
    assert bench.transport.probes == 2
    assert len(bench.transport.sent) == 3
    assert bench.notes == ["waiting for http://host/v1 (refused)", "http://host/v1 is there again"]


@pytest.mark.parametrize("fault", [NotSentError("refused"), BrokenError("reset"), SlowError("slow"), refusal(503, "down")])
async def test_patience_ends(fault: Step) -> None:
    bench = Bench(completion(), NotSentError("refused"), fault, patience=60)
    await bench.call()
    with pytest.raises(NotSentError):
        await bench.call()
    waiting = asyncio.create_task(bench.call())
    while bench.transport.probes < 3:  # noqa: ASYNC110 - a counter has no event
        await asyncio.sleep(0)
    bench.clock.now = 61
    with pytest.raises(EndpointError, match="has not come back within 1 min"):
        await waiting
    with pytest.raises(EndpointError):
        await bench.call()


async def test_a_row_of_503_is_a_server_that_is_down() -> None:
    bench = Bench(completion(), *[refusal(503, "no")] * UNAVAILABLE_IN_ROW, completion())
    await bench.call()
    for _ in range(UNAVAILABLE_IN_ROW):
        assert (await bench.call()).status == 503
    assert bench.endpoint.paused
    assert (await bench.call()).status == 200


async def test_a_good_answer_between_ends_the_row() -> None:
    bench = Bench(*[refusal(503, "no")] * (UNAVAILABLE_IN_ROW - 1), completion(), refusal(503, "no"))
    for _ in range(UNAVAILABLE_IN_ROW + 1):
        await bench.call()
    assert not bench.endpoint.paused


async def test_those_in_line_when_the_pause_begins_wait_as_well() -> None:
    bench = Bench(completion(), NotSentError("refused"), completion(), at_once=1)
    await bench.call()
    failing, waiting = asyncio.create_task(bench.call()), asyncio.create_task(bench.call())
    with pytest.raises(NotSentError):
        await failing
    assert (await waiting).status == 200
    assert bench.transport.probes == 1


async def test_a_429_and_a_timeout_lower_the_limit() -> None:
    bench = Bench(refusal(429, "slow"), SlowError("slow"), completion(), at_once=9)
    await bench.call()
    assert bench.endpoint.flight.limit == 6
    with pytest.raises(SlowError):
        await bench.call()
    assert bench.endpoint.flight.limit == 4


async def test_requests_per_minute_are_paced() -> None:
    bench = Bench(completion(), requests_per_minute=6000)
    begun = asyncio.get_running_loop().time()
    for _ in range(4):
        await bench.call()
    assert asyncio.get_running_loop().time() - begun >= 0.03


async def test_tokens_per_minute_delay_the_next_call() -> None:
    bench = Bench(completion(), tokens_per_minute=60_000)
    await bench.call()
    bench.endpoint.spent(50)
    begun = asyncio.get_running_loop().time()
    await bench.call()
    assert asyncio.get_running_loop().time() - begun >= 0.05


async def test_closing_stops_the_probing() -> None:
    bench = Bench(completion(), NotSentError("refused"))
    await bench.call()
    with pytest.raises(NotSentError):
        await bench.call()
    await bench.endpoint.aclose()
    probes = bench.transport.probes
    await asyncio.sleep(0.01)
    assert (bench.transport.probes, bench.transport.closed) == (probes, True)


# ── callers who do not wait ──────────────────────────────────────────────────────────────────────────────────────────


async def test_where_nobody_waits_every_call_tries_and_the_first_that_gets_through_ends_the_pause() -> None:
    bench = Bench(NotSentError("refused"), wait_for_away=False)
    for _ in range(2):
        with pytest.raises(NotSentError):
            await bench.call()
    paused = [bench.endpoint.paused]
    bench.clock.now = 1e9  # no patience ends
    while bench.transport.probes < 3:  # noqa: ASYNC110 - a counter has no event
        await asyncio.sleep(0)
    bench.transport._steps = [completion()]
    assert (await bench.call()).status == 200
    assert [*paused, bench.endpoint.paused] == [True, False]
    await asyncio.sleep(0)
    assert bench.endpoint._probe is not None
    assert bench.endpoint._probe.done()  # nobody looks after it any more
    assert bench.notes == ["no answer from http://host/v1 (refused)", "http://host/v1 is there again"]
    await bench.endpoint.aclose()


async def test_where_nobody_waits_it_is_looked_after_all_the_same() -> None:
    bench = Bench(NotSentError("refused"), NotSentError("refused"), completion(), wait_for_away=False)
    with pytest.raises(NotSentError):
        await bench.call()
    while bench.endpoint.paused:  # noqa: ASYNC110 - a flag has no event
        await asyncio.sleep(0)
    assert bench.transport.probes == 2
    await bench.endpoint.aclose()


async def test_an_endpoint_that_is_being_given_up_is_not_looked_after_any_more() -> None:
    bench = Bench(NotSentError("refused"), wait_for_away=False)
    with pytest.raises(NotSentError):
        await bench.call()
    bench.endpoint.drain()
    with pytest.raises(EndpointError, match="being stopped"):
        await bench.call()
    await asyncio.sleep(0.01)
    assert bench.transport.probes <= 1
    assert bench.endpoint._probe is not None
    assert bench.endpoint._probe.done()
    await bench.endpoint.aclose()
