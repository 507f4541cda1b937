"""Which conversation a prompt goes on from, and which one makes room."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from practicum.backends.hf_cache import PromptCache, common_prefix


@given(st.lists(st.integers(0, 2), max_size=20), st.lists(st.integers(0, 2), max_size=20))
def test_the_common_prefix_is_as_long_as_it_can_be(one: list[int], other: list[int]) -> None:
    n = common_prefix(one, other)
    assert one[:n] == other[:n]
    assert n == min(len(one), len(other)) or one[n] != other[n]


def test_a_thread_goes_on_from_its_own_conversation() -> None:
    cache = PromptCache(4)
    cache.keep("a", [1, 2, 3, 4], 3, "states of a")
    cache.keep("b", [1, 2, 9], 2, "states of b")
    assert cache.find("b", [1, 2, 3, 4, 5]) == ("b", 2, "states of b")
    assert cache.find("a", [1, 2, 3, 4, 5]) == ("a", 4, "states of a")


def test_the_last_token_is_always_computed() -> None:
    cache = PromptCache(1)
    cache.keep("a", [1, 2, 3], 3, "states")
    assert cache.find("a", [1, 2, 3]).known == 2
    assert cache.find("a", [1]) == ("a", 0, None)


def test_a_new_thread_goes_on_from_what_others_begin_with() -> None:
    cache = PromptCache(4)
    cache.keep("a", [1, 2, 3], 2, "of a")
    cache.keep("b", [1, 2, 4, 5], 2, "of b")
    assert cache.find("c", [1, 2, 4, 9]) == ("c", 3, "of b")


def test_a_conversation_without_a_name_takes_its_own_place_again() -> None:
    cache = PromptCache(4)
    first = cache.find("", [1, 2])
    cache.keep(first.key, [1, 2, 3], 2, "first")
    again = cache.find("", [1, 2, 3, 4, 5])
    assert again == (first.key, 3, "first")
    other = cache.find("", [1, 7])  # shares the beginning, but is another conversation
    assert other.known == 1
    assert other.key != first.key


def test_nothing_is_kept_for_a_place_that_is_not_there() -> None:
    cache = PromptCache(0)
    cache.keep("a", [1, 2], 1, "states")
    assert len(cache) == 0


def test_the_least_recently_used_goes_first() -> None:
    cache = PromptCache(2)
    cache.keep("a", [1], 1, "a")
    cache.keep("b", [2], 1, "b")
    cache.find("a", [1, 5])
    cache.keep("c", [3], 1, "c")
    assert cache.find("a", [1, 5]).known == 1
    assert cache.find("b", [2, 5]).known == 0


def test_conversations_without_a_name_make_room_before_threads_do() -> None:
    cache = PromptCache(2)
    cache.keep("a", [1], 1, "a")
    cache.keep(cache.find("", [2]).key, [2], 1, "nameless")
    cache.keep("b", [3], 1, "b")
    assert [cache.find(thread, [token, 5]).known for thread, token in (("a", 1), ("b", 3), ("", 2))] == [1, 1, 0]


def test_a_released_thread_is_forgotten_and_unknown_ones_are_ignored() -> None:
    cache = PromptCache(2)
    cache.keep("a", [1], 1, "a")
    cache.release("a")
    cache.release("nobody")
    assert len(cache) == 0
    cache.keep("b", [1], 1, "b")
    cache.clear()
    assert len(cache) == 0
