"""The gate: so many at once, in the order asked, and no place is ever lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.serve.gate import Gate
from practicum.serve.refusal import Refusal
from tests.serve.conftest import Scripted, app_of, ask, call

TURNS = 4
"""Steps of the loop in which all that can happen has happened."""


def gate(at_once: int = 1, queue: int = 10, wait: float = 60.0) -> Gate:
    return Gate(at_once, queue, wait, clock=lambda: 0.0)


async def settle() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def test_a_place_goes_to_whoever_has_waited_longest() -> None:
    door, order = gate(), list[int]()

    async def ask_for_a_place(number: int) -> None:
        entered = await door.enter()
        order.append(number)
        door.leave(entered)

    held = await door.enter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(5):
            tasks.create_task(ask_for_a_place(number))
        await settle()
        assert (door.serving, door.waiting) == (1, 5)
        door.leave(held)
    assert order == [0, 1, 2, 3, 4]
    assert (door.serving, door.waiting) == (0, 0)


async def test_a_full_line_is_refused_with_when_to_come_back() -> None:
    door = gate(queue=1)
    await door.enter()
    waiting = asyncio.create_task(door.enter())
    await settle()
    with pytest.raises(Refusal) as refused:
        await door.enter()
    assert refused.value.status == 429
    assert refused.value.headers == {"Retry-After": "10"}
    assert "1 requests are being answered and 1 wait" in refused.value.message
    waiting.cancel()


async def test_nobody_waits_for_ever() -> None:
    door = gate(wait=0.01)
    held = await door.enter()
    with pytest.raises(Refusal, match=r"no place has become free within 0.01 s"):
        await door.enter()
    assert (door.serving, door.waiting) == (1, 0)
    door.leave(held)
    assert door.serving == 0


async def test_what_requests_have_taken_tells_when_to_come_back() -> None:
    now = 0.0
    door = Gate(1, 0, 1.0, clock=lambda: now)
    for _ in range(200):
        entered = await door.enter()
        now += 0.5
        door.leave(entered)
    await door.enter()
    with pytest.raises(Refusal) as refused:
        await door.enter()
    assert refused.value.headers == {"Retry-After": "1"}


async def test_a_place_given_in_the_moment_of_leaving_goes_on_to_the_next() -> None:
    door = gate()
    held = await door.enter()
    first, second = asyncio.create_task(door.enter()), asyncio.create_task(door.enter())
    await settle()
    door.leave(held)  # the place is the first one's from now on …
    first.cancel()  # … who leaves before it could know
    await settle()
    assert first.cancelled()
    assert second.done()
    assert (door.serving, door.waiting) == (1, 0)


async def test_one_who_leaves_the_line_and_has_not_stepped_out_yet_is_passed_over() -> None:
    door = gate()
    held = await door.enter()
    first, second = asyncio.create_task(door.enter()), asyncio.create_task(door.enter())
    await settle()
    first.cancel()
    door.leave(held)
    await settle()
    assert first.cancelled()
    assert second.done()
    assert (door.serving, door.waiting) == (1, 0)


@given(
    places=st.integers(1, 3),
    queue=st.integers(0, 4),
    steps=st.lists(st.tuples(st.sampled_from(["ask", "leave", "cancel", "turn", "late"]), st.integers(0, 9)), max_size=60),
)
def test_no_place_is_lost_or_made_whatever_happens(places: int, queue: int, steps: list[tuple[str, int]]) -> None:
    async def play() -> None:
        door = gate(places, queue)
        asking: list[asyncio.Task[float]] = []
        inside = 0

        def collect() -> int:
            """Count those who have come in since."""
            came = 0
            for task in [task for task in asking if task.done()]:
                asking.remove(task)
                if not task.cancelled() and task.exception() is None:
                    came += 1
            return came

        for step, which in steps:
            match step:
                case "ask":
                    asking.append(asyncio.create_task(door.enter()))
                case "leave" if inside:
                    door.leave(0.0)
                    inside -= 1
                case "cancel" if asking:
                    asking[which % len(asking)].cancel()
                case "late" if door.waiting:
                    door._give_up(list(door._line)[which % door.waiting])
                case _:
                    await settle()
                    inside += collect()
            assert inside <= door.serving <= places
            assert door.waiting <= queue
        await settle()
        inside += collect()
        assert door.serving == inside
        assert not door.waiting or door.serving == places  # nobody waits before a free place
        while inside or asking:
            for _ in range(inside):
                door.leave(0.0)
            await settle()
            inside = collect()
        assert (door.serving, door.waiting) == (0, 0)

    asyncio.run(play())


async def test_the_gateway_serves_so_many_at_once_and_refuses_the_rest() -> None:
    service = Scripted(hold_after=1)
    app = app_of(service, at_once=2, queue=1)
    asking = [asyncio.create_task(call(app, ask(stream=bool(number % 2)))) for number in range(4)]
    refused, *_ = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
    [busy] = refused
    answer = busy.result()
    assert (answer.status, answer.error["code"], answer.error["type"]) == (429, "busy", "rate_limit_error")
    assert int(answer.headers["retry-after"]) >= 1
    assert service.under_way == 2
    service.go.set()
    answers: list[Any] = await asyncio.gather(*asking)
    assert sorted(answer.status for answer in answers) == [200, 200, 200, 429]
    assert app.state.gateway.gate.serving == 0
