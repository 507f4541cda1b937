from __future__ import annotations

import asyncio

import pytest

from practicum.backends.limits import RAMP_CEILING, RAMP_START, InFlight


async def test_a_number_that_the_user_gave_is_obeyed_at_once() -> None:
    flight = InFlight(1000)
    for _ in range(1000):
        await asyncio.wait_for(flight.enter(), 1)
    late = asyncio.create_task(flight.enter())
    await asyncio.sleep(0)
    assert (flight.in_flight, flight.waiting, late.done()) == (1000, 1, False)
    flight.leave()
    await late
    assert (flight.in_flight, flight.peak) == (1000, 1000)


def test_without_a_number_it_doubles_each_round_trip_up_to_the_ceiling() -> None:
    flight = InFlight()
    limits = [flight.limit]
    while flight.limit < RAMP_CEILING:
        for _ in range(flight.limit):
            flight.answered(0)
        limits.append(flight.limit)
    assert limits == [RAMP_START, 16, 32, 64, 128, RAMP_CEILING]
    for _ in range(RAMP_CEILING):
        flight.answered(0)
    assert flight.limit == RAMP_CEILING


def test_it_backs_off_once_for_a_burst_and_recovers_to_the_users_number() -> None:
    flight = InFlight(100)
    for _ in range(90):
        flight.answered(0, pushed_back=True)  # all of one round trip, started before the first was pushed back
    assert flight.limit == 70
    for _ in range(70 + 77 + 84 + 92):
        flight.answered(1)
    assert flight.limit == 100
    for _ in range(100):
        flight.answered(1)
    assert flight.limit == 100


def test_a_push_back_now_and_then_is_no_reason_to_slow_down() -> None:
    flight = InFlight(100)
    for number in range(1000):
        flight.answered(0, pushed_back=number % 20 == 0)
    assert flight.limit == 100


def test_after_the_ramp_has_met_resistance_it_grows_by_steps() -> None:
    flight = InFlight()
    flight.answered(0, pushed_back=True)
    assert flight.limit == 5
    for _ in range(5):
        flight.answered(1)
    assert flight.limit == 6


def test_it_settles_at_what_a_server_takes() -> None:
    flight, takes = InFlight(64), 16
    limits = []
    for _ in range(60):  # each round trip, the server answers `takes` of what is in flight and turns the rest away
        stamp, limit = flight._cuts, flight.limit
        for number in range(limit):
            flight.answered(stamp, pushed_back=number >= takes)
        limits.append(flight.limit)
    assert max(limits[10:]) < 32
    assert min(limits[10:]) > 8


def test_it_never_falls_below_one() -> None:
    flight = InFlight(2)
    for stamp in range(5):
        flight.answered(stamp, pushed_back=True)
    assert flight.limit == 1


async def test_places_are_given_in_order() -> None:
    flight, order = InFlight(1), []

    async def call(name: str) -> None:
        await flight.enter()
        order.append(name)
        await asyncio.sleep(0)
        flight.leave()

    await asyncio.gather(*(call(name) for name in "abcd"))
    assert order == list("abcd")


async def test_all_may_be_cancelled_at_once() -> None:
    flight = InFlight(2)

    async def call() -> None:
        await flight.enter()
        try:
            await asyncio.Event().wait()
        finally:
            flight.leave()

    calls = [asyncio.create_task(call()) for _ in range(6)]
    await asyncio.sleep(0)
    for one in calls:
        one.cancel()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {asyncio.CancelledError}
    assert (flight.in_flight, flight.waiting) == (0, 0)


@pytest.mark.parametrize("handed_over", [False, True])
async def test_a_cancelled_call_loses_no_place(handed_over: bool) -> None:
    flight = InFlight(1)
    await flight.enter()
    waiting = asyncio.create_task(flight.enter())
    await asyncio.sleep(0)
    if handed_over:
        flight.leave()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    if not handed_over:
        flight.leave()
    await asyncio.wait_for(flight.enter(), 1)
    assert (flight.in_flight, flight.waiting) == (1, 0)
