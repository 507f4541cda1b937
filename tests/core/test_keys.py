"""Digests and seeds: the same facts give the same name, in any process; other facts another."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from practicum.core import derive_seed, digest_of, fixed_draw, text_digest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
FACTS = st.tuples(st.integers(), st.text("0123456789abcdef", min_size=16, max_size=16), st.integers(0, 200), st.text(), st.integers(0, 9))


def test_digests_never_change_between_releases() -> None:
    assert digest_of({"b": [1, None], "a": "你好"}) == "651357e188112551"
    assert text_digest("你好") == "670d9743542cae3e"
    assert derive_seed(0, "670d9743542cae3e", 1, "counselor") == 1339801449


@given(st.dictionaries(st.text(), JSON, min_size=2), st.randoms(use_true_random=False))
def test_a_digest_does_not_depend_on_the_order_of_keys(value: dict[str, Any], order: random.Random) -> None:
    items = list(value.items())
    order.shuffle(items)

    assert digest_of(dict(items)) == digest_of(value)


@given(JSON, JSON)
def test_other_values_have_other_digests(one: Any, other: Any) -> None:
    assert (digest_of([one]) == digest_of([other])) == (repr_of(one) == repr_of(other))


def repr_of(value: Any) -> str:
    """Tell 1 from True, which are equal in Python, and write keys in order."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}:{repr_of(value[key])}" for key in sorted(value)) + "}"
    return "[" + ",".join(map(repr_of, value)) + "]" if isinstance(value, list) else repr(value)


@given(JSON, st.text())
def test_digests_are_16_hex_digits(value: Any, text: str) -> None:
    for digest in (digest_of(value), text_digest(text)):
        assert len(digest) == 16
        assert set(digest) <= set("0123456789abcdef")


@given(FACTS)
def test_a_seed_fits_every_server_and_comes_out_again(facts: tuple[int, str, int, str, int]) -> None:
    seed = derive_seed(*facts)

    assert 0 <= seed < 2**31
    assert derive_seed(*facts) == seed


def test_every_fact_changes_the_seed() -> None:
    base = derive_seed(1, "s", 2, "client", 0)
    others = [
        derive_seed(2, "s", 2, "client", 0),
        derive_seed(1, "t", 2, "client", 0),
        derive_seed(1, "s", 3, "client", 0),
        derive_seed(1, "s", 2, "counselor", 0),
        derive_seed(1, "s", 2, "client", 1),
    ]

    assert len({base, *others}) == 6


def test_neighbouring_facts_do_not_run_together() -> None:
    assert derive_seed(1, "s1", 2, "client") != derive_seed(1, "s", 12, "client")
    assert derive_seed(11, "s", 2, "client") != derive_seed(1, "1s", 2, "client")


def test_seeds_use_the_whole_range() -> None:
    seeds = [derive_seed(7, "s", turn, "client") for turn in range(1000)]

    assert len(set(seeds)) == 1000
    assert max(seeds) >= 2**30
    assert abs(sum(seeds) / 1000 / 2**31 - 0.5) < 0.05


def test_a_fixed_draw_is_even_and_the_same_everywhere() -> None:
    assert fixed_draw("小立", "a") == fixed_draw("小立", "a") == 0.5106556086255213
    drawn = [fixed_draw(f"p{number}", "a") for number in range(2000)]
    assert 0.45 < sum(drawn) / 2000 < 0.55
    assert 0 <= min(drawn) < 0.01
    assert 0.99 < max(drawn) < 1
    assert fixed_draw("小立", "b") != fixed_draw("小立", "a")
