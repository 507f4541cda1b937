"""What stands for a model file in an identity: its name, and enough of its bytes to tell it from another."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from practicum.errors import ModelFileError

HEAD_BYTES = 1 << 20
"""A GGUF's head holds its metadata and where each tensor lies; reading a whole file of gigabytes would cost seconds."""


def file_identity(path: Path) -> str:
    """Return `NAME#DIGEST`: 12 hex digits over the file's size and its first MiB; the folder does not count.

    Raises:
        ModelFileError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        size = path.stat().st_size
    except OSError as problem:
        raise ModelFileError(f"model file {path}: {problem.strerror}; give the path of a .gguf file") from None
    return f"{path.name}#{sha256(f'{size}:'.encode() + head).hexdigest()[:12]}"
