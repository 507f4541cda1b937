"""Digests that name things by what they are, and the seeds derived from them."""

from __future__ import annotations

from hashlib import blake2b, sha256
from typing import Any

import orjson

SEED_BITS = 31
"""Width of a call's seed: the widest that every server takes (llama.cpp: 32 bits unsigned, others a signed int)."""


def digest_of(value: Any) -> str:
    """Return the digest of a JSON-like value: 16 hex digits of SHA-256 over its canonical JSON (keys sorted).

    Two values share a digest exactly if their canonical JSON is the same; key order does not matter.
    """
    return sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def text_digest(text: str) -> str:
    """Return the digest of a text: 16 hex digits of SHA-256 over its UTF-8 bytes."""
    return sha256(text.encode()).hexdigest()[:16]


def fixed_draw(name: str, salt: str) -> float:
    """Return a number from 0 up to 1 that hangs on a name and a salt alone: who is drawn stays so, whoever else there is."""
    return int.from_bytes(blake2b(f"{salt}\x1f{name}".encode(), digest_size=8).digest(), "big") / 2**64


def derive_seed(run_seed: int, session: str, turn: int, purpose: str, attempt: int = 0) -> int:
    """Return the seed of one model call: the same five facts give the same seed, in any process, in any order.

    Args:
        run_seed: The run's seed, any integer.
        session: The session's key.
        turn: Index of the turn that the call is for, from 0.
        purpose: Who asks: a participant's role and digest, or a rater and its order.
        attempt: 0 for the first asking, then 1, 2, … for each repeat with fresh randomness.

    Returns:
        An integer in [0, 2**31).
    """
    facts = f"{run_seed}\x1f{session}\x1f{turn}\x1f{purpose}\x1f{attempt}".encode()
    return int.from_bytes(blake2b(facts, digest_size=4).digest(), "big") >> (32 - SEED_BITS)
