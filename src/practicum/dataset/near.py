"""Texts that are nearly the same: MinHash signatures, and pairs found by banding.

Similarity is Jaccard's, of the sets of character 5-grams of two texts in normal form (letters and digits alone, lower case), and
estimated from 128 hashes: its standard error at 0.8 is 0.035.

References:
    Broder (1997), On the resemblance and containment of documents.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from practicum.errors import ConfigError

GRAM = 5
HASHES = 128
SEED = 5
MISSED = 1e-4
"""Most pairs at the threshold that the bands may miss; pairs above it are missed less."""
NEIGHBOURS = 256
"""Rows of a bucket that each of its rows is compared with, when clusters are made: all, but for the most crowded buckets."""

Signatures = NDArray[np.uint32]
"""One row of 128 a text."""

_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def sign(texts: Sequence[str]) -> Signatures:
    """Return the signatures of texts in normal form; a text shorter than five characters is one gram."""
    if not texts:
        return np.empty((0, HASHES), dtype=np.uint32)
    hashed = [_hash_grams(text) for text in texts]
    borders = np.zeros(len(texts) + 1, dtype=np.uint64)
    np.cumsum([len(row) for row in hashed], out=borders[1:])
    matrix = _minhash().digest_matrix_from_flat_token_hashes(np.concatenate(hashed), borders, num_perm=HASHES, seed=SEED)
    return np.array(matrix.to_rows(), dtype=np.uint32)


def _minhash() -> Any:
    try:
        from rensa import RMinHash  # type: ignore[import-untyped]
    except ImportError as error:
        raise ConfigError("near-duplicates are looked for with the package rensa, which is not installed; pip install rensa") from error
    return RMinHash


def _hash_grams(text: str) -> NDArray[np.uint64]:
    """Return a hash of each 5-gram; the same in every process and on every machine."""
    codes = np.frombuffer(text.ljust(GRAM, "\0").encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    size = len(codes) - GRAM + 1
    # A character has 21 bits: three of them fill one word, two the next.
    first = codes[:size] | codes[1 : size + 1] << np.uint64(21) | codes[2 : size + 2] << np.uint64(42)
    second = codes[3 : size + 3] | codes[4 : size + 4] << np.uint64(21)
    mixed: NDArray[np.uint64] = (first * _ODD) ^ (first >> np.uint64(29))
    mixed = (mixed + second) * _MIX[0]
    mixed ^= mixed >> np.uint64(32)
    mixed *= _MIX[1]
    mixed ^= mixed >> np.uint64(29)
    return mixed


def similarity(row: NDArray[np.uint32], others: Signatures) -> NDArray[np.float64]:
    """Return the estimated similarity of one text to others."""
    found: NDArray[np.float64] = (others == row).mean(axis=1)
    return found


def rows_of_band(threshold: float) -> int:
    """Return the most rows a band may have so that at most `MISSED` of the pairs at the threshold share no band."""
    return next((rows for rows in range(16, 1, -1) if (1 - threshold**rows) ** (HASHES // rows) <= MISSED), 1)


def _buckets(signatures: Signatures, threshold: float) -> NDArray[np.int32]:
    """Return for each text and band the number of its bucket, unique over the bands; -1 where nobody else is in it."""
    rows = rows_of_band(threshold)
    bands = HASHES // rows
    numbers = np.full((len(signatures), bands), -1, dtype=np.int32)
    begun = 0
    for band in range(bands):
        word = np.zeros(len(signatures), dtype=np.uint64)
        for column in range(band * rows, (band + 1) * rows):
            word = (word ^ signatures[:, column]) * _ODD
            word ^= word >> np.uint64(31)
        _, inverse, counts = np.unique(word, return_inverse=True, return_counts=True)
        shared = counts > 1
        dense = np.cumsum(shared) - 1 + begun
        numbers[:, band] = np.where(shared[inverse], dense[inverse], -1)
        begun += int(shared.sum())
    return numbers


def earlier_alike(signatures: Signatures, threshold: float, pools: Sequence[int]) -> list[int]:
    """Return for each text the first earlier one of its pool that it is nearly the same as, or -1.

    Only texts that are themselves like no earlier one are compared with: of a chain of small changes every part that has drifted far
    enough stays.
    """
    found = [-1] * len(signatures)
    if not len(signatures) or threshold >= 1:
        return found
    members: dict[int, list[int]] = defaultdict(list)
    for index, row in enumerate(_buckets(signatures, threshold)):
        mine = row[row >= 0].tolist()
        near = sorted({other for bucket in mine for other in members[bucket] if pools[other] == pools[index]})
        if near:
            alike = np.flatnonzero(similarity(signatures[index], signatures[near]) >= threshold)
            if len(alike):
                found[index] = near[int(alike[0])]
                continue
        for bucket in mine:
            members[bucket].append(index)
    return found


def alike_any(signatures: Signatures, others: Signatures, threshold: float) -> list[int]:
    """Return for each text the first of the others that it is nearly the same as, or -1."""
    found = [-1] * len(signatures)
    if not len(signatures) or not len(others) or threshold >= 1:
        return found
    numbers = _buckets(np.concatenate([others, signatures]), threshold)
    members: dict[int, list[int]] = defaultdict(list)
    for index, row in enumerate(numbers[: len(others)]):
        for bucket in row[row >= 0].tolist():
            members[bucket].append(index)
    for index, row in enumerate(numbers[len(others) :]):
        near = sorted({other for bucket in row[row >= 0].tolist() for other in members.get(bucket, ())})
        if near:
            alike = np.flatnonzero(similarity(signatures[index], others[near]) >= threshold)
            if len(alike):
                found[index] = near[int(alike[0])]
    return found


def clusters(signatures: Signatures, threshold: float) -> list[int]:
    """Return for each text the first one of its cluster; two that are nearly the same are in one, and so are their likes."""
    roots = np.arange(len(signatures))
    if len(signatures) < 2 or threshold >= 1:
        return [int(root) for root in roots]
    numbers = _buckets(signatures, threshold)
    for band in range(numbers.shape[1]):
        column = numbers[:, band]
        order = np.argsort(column, kind="stable")
        order = order[column[order] >= 0]
        for shift in range(1, NEIGHBOURS + 1):
            if shift & (shift - 1) == 0:  # now and then: most buckets are soon of one cluster, and are done with
                order = _undecided(order, column, roots)
            left, right = order[:-shift], order[shift:]
            together = column[left] == column[right]
            if not together.any():
                break
            wanted = together & (roots[left] != roots[right])
            _join(roots, signatures, left[wanted], right[wanted], threshold)
    return [int(root) for root in roots]


def _undecided(order: NDArray[np.intp], column: NDArray[np.int32], roots: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the rows, sorted by bucket, of those buckets that hold more than one cluster."""
    if not len(order):
        return order
    buckets = column[order]
    begins = np.flatnonzero(np.r_[True, buckets[1:] != buckets[:-1]])
    mixed = np.minimum.reduceat(roots[order], begins) != np.maximum.reduceat(roots[order], begins)
    kept: NDArray[np.intp] = order[np.repeat(mixed, np.diff(np.r_[begins, len(order)]))]
    return kept


def _join(roots: NDArray[np.intp], signatures: Signatures, left: NDArray[np.intp], right: NDArray[np.intp], threshold: float) -> None:
    """Join the clusters of pairs that are alike; `roots` is flat before and after."""
    joined = False
    for begin in range(0, len(left), 10_000):  # a block of comparisons at a time: 1 MB
        ours, theirs = left[begin : begin + 10_000], right[begin : begin + 10_000]
        alike = (signatures[ours] == signatures[theirs]).mean(axis=1) >= threshold
        for one, other in zip(ours[alike].tolist(), theirs[alike].tolist(), strict=True):
            first, second = _root(roots, one), _root(roots, other)
            if first != second:
                roots[max(first, second)] = min(first, second)
                joined = True
    while joined:
        above = roots[roots]
        joined = not np.array_equal(above, roots)
        roots[:] = above


def _root(roots: NDArray[np.intp], index: int) -> int:
    while (above := int(roots[index])) != index:
        index = above
    return index
