from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.dataset.near import alike_any, clusters, earlier_alike, rows_of_band, sign, similarity

LETTERS = "我你他的了在是不有这心里想说话工作睡觉妈爸朋友难过开梦夜早晚走看听怕累忙哭笑abcdefghij"


def text(seed: int, size: int = 400) -> str:
    chance = random.Random(seed)
    return "".join(chance.choice(LETTERS) for _ in range(size))


def edited(text: str, seed: int, edits: int) -> str:
    chance = random.Random(seed)
    letters = list(text)
    for place in chance.sample(range(len(letters)), edits):
        letters[place] = "#"
    return "".join(letters)


def jaccard(one: str, other: str) -> float:
    first, second = ({text[at : at + 5] for at in range(len(text) - 4)} for text in (one, other))
    return len(first & second) / len(first | second)


@pytest.mark.parametrize("edits", [0, 3, 10, 40])
def test_similarity_is_jaccards_of_the_five_grams(edits: int) -> None:
    errors = []
    for seed in range(30):
        one = text(seed)
        other = edited(one, seed, edits)
        signed = sign([one, other])
        errors.append(float(similarity(signed[0], signed[1:])[0]) - jaccard(one, other))
    assert abs(np.mean(errors)) < 0.02
    assert np.sqrt(np.mean(np.square(errors))) < 0.05


@given(st.lists(st.text(max_size=30), max_size=5))
def test_any_text_has_a_signature_that_depends_on_nothing_else(texts: list[str]) -> None:
    whole = sign(texts)
    assert whole.shape == (len(texts), 128)
    for row, one in zip(whole, texts, strict=True):
        assert (sign([one])[0] == row).all()


def test_bands_miss_at_most_one_pair_in_ten_thousand_at_the_threshold() -> None:
    for threshold in (0.3, 0.5, 0.8, 0.9, 0.95):
        rows = rows_of_band(threshold)
        assert (1 - threshold**rows) ** (128 // rows) <= 1e-4
    assert rows_of_band(0.01) == 1


def test_a_later_copy_points_to_the_first_and_only_within_its_pool() -> None:
    base = text(1)
    texts = [base, text(2), edited(base, 1, 3), base, text(2)]
    assert earlier_alike(sign(texts), 0.8, [0] * 5) == [-1, -1, 0, 0, 1]
    assert earlier_alike(sign(texts), 0.8, [0, 0, 1, 1, 1]) == [-1, -1, -1, 2, -1]
    assert earlier_alike(sign(texts), 1.0, [0] * 5) == [-1] * 5
    assert earlier_alike(sign([]), 0.8, []) == []


def test_a_copy_of_a_copy_stays_once_it_has_drifted_away() -> None:
    chain = [text(1)]
    for step in range(8):
        chain.append(edited(chain[-1], step, 8))
    found = earlier_alike(sign(chain), 0.8, [0] * 9)
    assert found[1] == 0
    assert found.count(-1) >= 2


def test_every_near_pair_of_a_thousand_texts_is_found_and_no_other() -> None:
    texts = [text(seed) for seed in range(500)]
    texts += [edited(one, seed, 4) for seed, one in enumerate(texts[:250])] + [
        edited(one, seed, 150) for seed, one in enumerate(texts[250:])
    ]
    signed = sign(texts)
    found = earlier_alike(signed, 0.8, [0] * 1000)
    brute = [float(similarity(signed[index], signed[index - 500 : index - 499])[0]) >= 0.8 for index in range(500, 1000)]
    assert [place >= 0 for place in found[500:]] == brute
    assert sum(brute) > 200
    assert all(place == index - 500 for index, place in enumerate(found) if place >= 0)
    others = alike_any(signed[500:], signed[:500], 0.8)
    assert [place >= 0 for place in others] == brute


def test_nothing_is_like_nothing() -> None:
    signed = sign([text(1)])
    assert alike_any(signed, sign([]), 0.8) == [-1]
    assert alike_any(sign([]), signed, 0.8) == []
    assert alike_any(signed, signed, 1.0) == [-1]


def test_clusters_join_whatever_a_chain_of_likenesses_joins() -> None:
    chain = [text(1)]
    for step in range(4):
        chain.append(edited(chain[-1], step, 6))
    texts = [text(7), *chain, text(8), edited(text(7), 1, 2)]
    assert clusters(sign(texts), 0.8) == [0, 1, 1, 1, 1, 1, 6, 0]
    assert clusters(sign(texts), 1.0) == list(range(8))
    assert clusters(sign([text(1)]), 0.8) == [0]


@pytest.mark.parametrize(("edits", "count"), [(2, 5), (5, None), (8, None)])
def test_no_near_pair_of_crowded_buckets_is_in_two_clusters(edits: int, count: int | None) -> None:
    texts = [edited(text(seed % 5), seed, edits) for seed in range(200)]
    signed = sign(texts)
    roots = clusters(signed, 0.8)
    assert count is None or len(set(roots)) == count
    near = [(one, other) for one, other in combinations(range(200), 2) if (signed[one] == signed[other]).mean() >= 0.8]
    assert near
    assert all(roots[one] == roots[other] for one, other in near)
    assert all(one % 5 == root % 5 for one, root in enumerate(roots))
