"""Seeded damage: to bytes, and to JSON-like values."""

from __future__ import annotations

import json
from random import Random
from typing import Any

NASTY_BYTES = (
    *(b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc3", b"\\u0000", b"\\ud800", b"\r\n", b"\n\n\n", b"\t"),
    *(b'"', b"'''", b"\\", b"]", b"}", b",", b";", b"=", b"[[x]]", b"[" * 2000, b'{"a":' * 500, b"%s%n", b"{{", b"{% for"),
    *(b"1e999", b"-0", b"NaN", b"null", b"true", b"9" * 400, b"<think>", b"</think>"),
    *(text.encode() for text in ("\u2028", "\u202e", "😀", "咨询师：", "再见")),
)
NASTY_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**63, -(2**80), 1e308, [], {}, [[]], {"": ""}, [None], {"text": 1}, {"content": []}, ["a", "a"]),
    *("", " ", "\n", "\x00", "\ufeff", "a\u0000b", "（点头）", "Counselor: hi", "<think>x", "x" * 5000, "你" * 3000),
)


def mutate_bytes(data: bytes, draw: Random) -> bytes:
    """Return `data` with one to four of: a byte changed, a stretch cut, doubled or moved, something nasty put in, the end cut off."""
    changed = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        at = draw.randint(0, len(changed))
        end = min(len(changed), at + draw.randint(1, 40))
        match draw.randrange(6):
            case 0 if changed:
                changed[at - 1] = draw.randrange(256)
            case 1:
                del changed[at:end]
            case 2:
                changed[at:at] = changed[at:end]
            case 3:
                stretch = changed[at:end]
                del changed[at:end]
                changed += stretch
            case 4:
                changed[at:at] = draw.choice(NASTY_BYTES)
            case _ if draw.random() < 0.3:
                del changed[at:]
    return bytes(changed)


def mutate_value(value: Any, draw: Random) -> Any:
    """Return a JSON-like value with one place in it replaced, removed, doubled or renamed."""
    if draw.random() < 0.15 or not value or not isinstance(value, list | dict):
        return draw.choice(NASTY_VALUES)
    if isinstance(value, list):
        at = draw.randrange(len(value))
        return [*value[:at], *draw.choice(([], [mutate_value(value[at], draw)], [value[at]] * 2)), *value[at + 1 :]]
    name = draw.choice(sorted(value))
    rest = {key: inner for key, inner in value.items() if key != name}
    match draw.randrange(5):
        case 0:
            return rest
        case 1:
            return rest | {draw.choice(("", "text", "id", "role", "x" * 300, "split.y")): value[name]}
        case _:
            return rest | {name: mutate_value(value[name], draw)}


def damage(value: Any, draw: Random) -> bytes:
    """Return a JSON-like value as JSON, damaged in its structure, in its bytes, or both."""
    how = draw.randrange(3)
    for _ in range(draw.randint(1, 3) if how else 0):
        value = mutate_value(value, draw)
    data = json.dumps(value, ensure_ascii=draw.random() < 0.3).encode("utf-8", "surrogatepass")
    return data if how == 1 else mutate_bytes(data, draw)
