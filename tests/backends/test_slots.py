from __future__ import annotations

import asyncio

import pytest

from practicum.backends.slots import SlotTable
from practicum.errors import EndpointError


async def test_a_thread_keeps_its_slot_until_it_is_released() -> None:
    table = SlotTable(2)
    assert [await table.take(thread) for thread in ("a", "b", "a", "b")] == [0, 1, 0, 1]
    table.release("a")
    assert await table.take("c") == 0


async def test_a_thread_too_many_waits_for_a_slot() -> None:
    table = SlotTable(1)
    await table.take("a")
    waiting = asyncio.create_task(table.take("b"))
    await asyncio.sleep(0)
    assert not waiting.done()
    table.release("a")
    assert await waiting == 0


async def test_releasing_an_unknown_thread_frees_nothing() -> None:
    table = SlotTable(1)
    await table.take("a")
    table.release("b")
    waiting = asyncio.create_task(table.take("c"))
    await asyncio.sleep(0)
    assert not waiting.done()
    table.release("a")
    await waiting


async def test_those_who_gave_up_waiting_do_not_take_a_slot() -> None:
    table = SlotTable(1)
    await table.take("a")
    gone, woken_and_gone, patient = (asyncio.create_task(table.take(thread)) for thread in ("b", "c", "d"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    table.release("a")
    woken_and_gone.cancel()
    assert await patient == 0
    assert gone.cancelled()
    assert woken_and_gone.cancelled()


async def test_a_drained_table_refuses_who_waits_and_keeps_who_sits() -> None:
    table = SlotTable(1)
    await table.take("a")
    waiting = asyncio.create_task(table.take("b"))
    await asyncio.sleep(0)
    table.drain()
    with pytest.raises(EndpointError, match="resumable"):
        await waiting
    with pytest.raises(EndpointError, match="resumable"):
        await table.take("c")
    assert await table.take("a") == 0
