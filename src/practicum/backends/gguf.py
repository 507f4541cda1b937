"""Reading what a GGUF file says about itself, without loading it.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

from practicum.errors import ConfigError

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_VERSIONS = (2, 3)

Value = str | int | float | None
"""A metadata value; None stands for an array, which is skipped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufHeader:
    """What practicum needs to know of a model file."""

    architecture: str
    """llama, qwen2, …; "" if the file does not say."""
    context_length: int
    """Tokens that the model was trained for; 0 if the file does not say."""
    chat_template: str
    """The model's own Jinja chat template; "" if it has none."""


class _Cursor:
    """A position in the mapped file."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = len(b"GGUF")

    def number(self, layout: str) -> int | float:
        value: int | float = struct.unpack_from(layout, self._data, self._at)[0]
        self._at += struct.calcsize(layout)
        return value

    def _skip(self, length: int) -> int:
        start, self._at = self._at, self._at + length
        if self._at > len(self._data):
            raise EOFError
        return start

    def text(self) -> str:
        start = self._skip(int(self.number("<Q")))
        return self._data[start : self._at].decode("utf-8", "replace")

    def value(self, kind: int) -> Value:
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            self._skip_array()
            return None
        return self.number(_SCALARS[kind])

    def _skip_array(self) -> None:
        kind, count = int(self.number("<I")), int(self.number("<Q"))
        if kind in _SCALARS:
            self._skip(struct.calcsize(_SCALARS[kind]) * count)
        elif kind == _STRING:
            for _ in range(count):
                self._skip(int(self.number("<Q")))
        else:
            # Arrays of arrays exist in the format and in no model.
            raise KeyError(kind)


def read_gguf(path: Path) -> GgufHeader:
    """Read a model file's header.

    Raises:
        ConfigError: The file is missing, is no GGUF file of version 2 or 3, or is cut off.
    """
    try:
        with path.open("rb") as file:
            start = file.read(8)
            if start[:4] != b"GGUF" or int.from_bytes(start[4:], "little") not in _VERSIONS:
                raise ConfigError(f"{path}: not a GGUF file (version 2 or 3); expected weights as llama.cpp reads them")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                found = _read_metadata(_Cursor(data))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (EOFError, KeyError, struct.error) as error:
        raise ConfigError(f"{path}: a damaged GGUF file: its header is cut off or unreadable; fetch it again") from error
    architecture = found.get("general.architecture")
    context = found.get(f"{architecture}.context_length")
    template = found.get("tokenizer.chat_template")
    return GgufHeader(
        architecture=architecture if isinstance(architecture, str) else "",
        context_length=context if isinstance(context, int) else 0,
        chat_template=template if isinstance(template, str) else "",
    )


def _read_metadata(cursor: _Cursor) -> dict[str, Value]:
    cursor.number("<I")  # the version, checked already
    cursor.number("<Q")  # the number of tensors
    count = int(cursor.number("<Q"))
    found: dict[str, Value] = {}
    for _ in range(count):
        key = cursor.text()
        found[key] = cursor.value(int(cursor.number("<I")))
    return found
