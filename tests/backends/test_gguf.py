from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from practicum.backends.gguf import GgufHeader, read_gguf
from practicum.errors import ConfigError


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def string(key: str, value: str) -> bytes:
    return text(key) + struct.pack("<I", 8) + text(value)


def number(key: str, value: int) -> bytes:
    return text(key) + struct.pack("<II", 4, value)


def strings(key: str, values: list[str]) -> bytes:
    return text(key) + struct.pack("<IIQ", 9, 8, len(values)) + b"".join(map(text, values))


def numbers(key: str, values: list[int]) -> bytes:
    return text(key) + struct.pack("<IIQ", 9, 5, len(values)) + struct.pack(f"<{len(values)}i", *values)


def gguf(*entries: bytes, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, 0, len(entries)) + b"".join(entries)


WHOLE = gguf(
    string("general.architecture", "llama"),
    strings("tokenizer.ggml.tokens", ["a", "bb", "你"]),
    numbers("tokenizer.ggml.token_type", [1, 1, 1]),
    number("llama.context_length", 2048),
    string("tokenizer.chat_template", "<|im_start|>"),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.gguf"


def test_the_header_is_read_past_arrays(path: Path) -> None:
    path.write_bytes(WHOLE)
    assert read_gguf(path) == GgufHeader(architecture="llama", context_length=2048, chat_template="<|im_start|>")


def test_what_a_file_does_not_say_or_says_in_the_wrong_type_is_left_empty(path: Path) -> None:
    path.write_bytes(gguf(number("general.architecture", 1), string("1.context_length", "long"), numbers("tokenizer.chat_template", [1])))
    assert read_gguf(path) == GgufHeader(architecture="", context_length=0, chat_template="")


def test_a_real_model_is_read(smollm2: Path) -> None:
    header = read_gguf(smollm2)
    assert (header.architecture, header.context_length) == ("llama", 8192)
    assert "<|im_start|>" in header.chat_template


@pytest.mark.parametrize("content", [b"", b"root:x:0:0", b"GGUF", b"GGUF\x01\0\0\0", b"GGUF\0\0\0\x03"])
def test_another_file_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="not a GGUF file"):
        read_gguf(path)


def test_a_missing_file_is_refused(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.gguf: cannot be read: No such file"):
        read_gguf(path)


def test_a_file_cut_anywhere_in_its_header_is_refused(path: Path) -> None:
    for length in range(8, len(WHOLE)):
        path.write_bytes(WHOLE[:length])
        with pytest.raises(ConfigError, match="damaged"):
            read_gguf(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=64), st.integers(8, len(WHOLE)))
def test_bytes_at_random_are_read_or_refused(path: Path, noise: bytes, at: int) -> None:
    path.write_bytes(WHOLE[:at] + noise)
    with suppress(ConfigError):
        assert read_gguf(path).context_length >= 0
