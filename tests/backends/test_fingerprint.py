from __future__ import annotations

from pathlib import Path

import pytest

from practicum.backends import file_identity
from practicum.errors import ModelFileError


def test_a_file_is_known_by_its_name_and_bytes_wherever_it_lies(tmp_path: Path) -> None:
    one, two = tmp_path / "a" / "m.gguf", tmp_path / "b" / "m.gguf"
    for path in (one, two):
        path.parent.mkdir()
        path.write_bytes(b"GGUF" + b"\0" * 100)
    assert file_identity(one) == file_identity(two)
    two.write_bytes(b"GGUF" + b"\0" * 101)
    assert file_identity(one) != file_identity(two)


def test_files_with_the_same_head_and_size_are_told_apart(tmp_path: Path) -> None:
    one, two = tmp_path / "a" / "m.gguf", tmp_path / "b" / "m.gguf"
    for path, tail in ((one, b"a"), (two, b"b")):
        path.parent.mkdir()
        path.write_bytes(b"GGUF" + b"\0" * 3_000_000 + tail * 500_000)
    assert file_identity(one) != file_identity(two)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"none\.gguf: No such file"):
        file_identity(tmp_path / "none.gguf")
