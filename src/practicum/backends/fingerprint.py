"""What stands for a model file in an identity: its name, and enough of its bytes to tell it from another."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from practicum.errors import ModelFileError

BLOCKS, BLOCK_BYTES = 256, 1 << 16
"""Samples spread over the whole file: a fine-tune has its base's head and size. All of some gigabytes would cost seconds."""


def file_identity(path: Path) -> str:
    """Return `NAME#DIGEST`: 12 hex digits over the file's size and 16 MiB sampled from it; the folder does not count.

    Raises:
        ModelFileError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            digest = sha256(f"{size}:".encode())
            for number in range(BLOCKS):
                file.seek(max(0, size - BLOCK_BYTES) * number // (BLOCKS - 1))
                digest.update(file.read(BLOCK_BYTES))
    except OSError as problem:
        raise ModelFileError(f"model file {path}: {problem.strerror}; give the path of a .gguf file") from None
    return f"{path.name}#{digest.hexdigest()[:12]}"
