"""In which orders candidates are shown, and what they are called: no slot and no letter is anybody's."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import permutations
from random import Random

from practicum.core import derive_seed

LABELS = "ABCDEFGH"
"""Drawn from for each asking. None of them begins `tie` or `none`."""
EVERY = 10
"""With one order, each tenth choice is asked in all cyclic ones, so that consistency is known."""
MOST_FOR_ALL = 4
"""Candidates whose orders are all asked: 24 askings; five would be 120."""


class Orders(StrEnum):
    """In how many orders a choice is asked."""

    CYCLIC = "cyclic"
    """Each candidate once in each slot."""
    ALL = "all"
    ONE = "one"
    """One, balanced over choices; a tenth of them in cyclic orders."""


def orders_for(kind: Orders, offered: Sequence[str], *, seed: int, session: str, ordinal: int, exchange: int) -> list[tuple[str, ...]]:
    """Return the orders of one choice, the first one first.

    Args:
        kind: How many.
        offered: Who answered; the result does not depend on their order.
        seed: The run's.
        session: The session's key: two sessions draw apart.
        ordinal: Which session of this panel it is, from 0.
        exchange: Which of its exchanges, from 0. With `one`, as many consecutive exchanges as there are candidates give each
            candidate each slot once, and sessions begin at different slots.
    """
    names = sorted(offered)
    if kind is Orders.ALL:
        return list(permutations(names))
    size = len(names)
    block = exchange // size if kind is Orders.ONE else exchange
    Random(derive_seed(seed, session, block, "order of candidates")).shuffle(names)
    turn = (exchange + ordinal) % size
    rotations = [tuple(names[shift:] + names[:shift]) for shift in ((turn + step) % size for step in range(size))]
    return rotations if kind is Orders.CYCLIC or is_sampled(ordinal, exchange) else rotations[:1]


def is_sampled(ordinal: int, exchange: int) -> bool:
    """Tell whether a choice is in the tenth that is asked in more than one order; the first session's second exchange is."""
    return (7 * ordinal + exchange) % EVERY == 1


def draw_labels(count: int, rng: Random) -> tuple[str, ...]:
    """Return so many different labels, in no order."""
    return tuple(rng.sample(LABELS, count))
