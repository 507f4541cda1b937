from __future__ import annotations

from collections import Counter
from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.arena.orders import LABELS, Orders, draw_labels, is_sampled, orders_for

NAMES = st.lists(st.text(alphabet="abcdef0123", min_size=1, max_size=4), min_size=2, max_size=5, unique=True)
PLACES = st.integers(0, 40)


def ask(kind: Orders, names: list[str], ordinal: int, exchange: int, session: str = "5e55") -> list[tuple[str, ...]]:
    return orders_for(kind, names, seed=7, session=session, ordinal=ordinal, exchange=exchange)


@given(NAMES, PLACES, PLACES)
def test_cyclic_orders_put_each_candidate_once_in_each_slot(names: list[str], ordinal: int, exchange: int) -> None:
    orders = ask(Orders.CYCLIC, names, ordinal, exchange)
    assert len(orders) == len(names)
    for slot in range(len(names)):
        assert sorted(order[slot] for order in orders) == sorted(names)


@given(st.lists(st.sampled_from("abcd"), min_size=2, max_size=4, unique=True), PLACES)
def test_all_orders_are_all(names: list[str], exchange: int) -> None:
    assert sorted(ask(Orders.ALL, names, 0, exchange)) == sorted(permutations(names))


@given(NAMES, PLACES, PLACES)
def test_with_one_order_a_block_of_exchanges_puts_each_candidate_once_in_each_slot(names: list[str], ordinal: int, block: int) -> None:
    size = len(names)
    first = [ask(Orders.ONE, names, ordinal, exchange)[0] for exchange in range(size * block, size * block + size)]
    for slot in range(size):
        assert sorted(order[slot] for order in first) == sorted(names)


@given(NAMES, PLACES, PLACES)
def test_with_one_order_a_tenth_is_asked_in_every_cyclic_order(names: list[str], ordinal: int, exchange: int) -> None:
    orders = ask(Orders.ONE, names, ordinal, exchange)
    assert len(orders) == (len(names) if is_sampled(ordinal, exchange) else 1)
    for slot in range(len(names)):
        assert len({order[slot] for order in orders}) == len(orders)


@given(st.integers(0, 1000))
def test_one_exchange_in_ten_is_sampled_and_one_session_in_ten_at_the_same_exchange(start: int) -> None:
    assert sum(is_sampled(start, exchange) for exchange in range(10)) == 1
    assert sum(is_sampled(ordinal, start) for ordinal in range(10)) == 1
    assert is_sampled(0, 1)


@given(st.data(), st.sampled_from(Orders), NAMES, PLACES, PLACES)
def test_orders_do_not_depend_on_the_order_of_those_who_are_offered(
    data: st.DataObject, kind: Orders, names: list[str], ordinal: int, exchange: int
) -> None:
    again = data.draw(st.permutations(names))
    assert ask(kind, names, ordinal, exchange) == ask(kind, again, ordinal, exchange)


def test_sessions_and_exchanges_draw_apart_and_no_order_is_preferred() -> None:
    first = Counter(ask(Orders.CYCLIC, ["a", "b", "c"], 0, exchange, str(session))[0] for session in range(100) for exchange in range(12))
    assert set(first) == set(permutations("abc"))
    assert min(first.values()) > 120  # 200 each, if they are all alike


@pytest.mark.parametrize("count", [2, 3, 8])
def test_labels_differ_are_drawn_and_stand_in_no_order(count: int) -> None:
    drawn = [draw_labels(count, Random(seed)) for seed in range(200)]
    assert all(len(set(labels)) == count <= len(LABELS) for labels in drawn)
    assert {labels[0] for labels in drawn} == set(LABELS)
