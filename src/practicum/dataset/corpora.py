"""Corpora of others, and our own exports, taken apart into records as a stream; told apart by what stands in them, not by their names.

What a record says is read elsewhere (`corpus_rows`), so that many processes can share that work.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from practicum.errors import RowsError

MAX_RECORD = 64 << 20
"""Bytes of one conversation, or characters of one element of a JSON list: more is something else."""
CHUNK = 1 << 20
"""Characters of a JSON list that are read at once."""
SUFFIXES = (".json", ".jsonl", ".ndjson", ".txt")
"""What is read of a folder."""
EXPECTED = (
    "expected a JSON list or JSON lines of conversations, a text with 来访者：/咨询师： or Client:/Counselor:, or a folder of such files"
)
OURS = "manifest.json"

_ROLE_KEYS, _TEXT_KEYS = ("role", "from", "speaker"), ("content", "value", "text")
_BLANK = re.compile(r"[\s,]*")
_DECODE = json.JSONDecoder().raw_decode


class Record(NamedTuple):
    """One conversation before anyone has looked into it."""

    where: str
    """How a message names it: `row 17`, `file '12.json'`."""
    id: str
    """What it is called if it does not say so itself."""
    data: bytes
    """JSON or, where `text`, labelled lines."""
    text: bool = False


class Unread(NamedTuple):
    """What stands in the place of records that cannot be taken out of their file."""

    where: str
    reason: str


def read_records(path: Path) -> Iterator[Record | Unread]:
    """Yield the records of a file, or of the files of a folder by name (numbers in their order); subfolders are not entered.

    Raises:
        RowsError: There is no such file, or it cannot be opened.
    """
    try:
        if path.is_dir():
            for file in _files_of(path):
                yield from _file_records(file, f"file {file.name!r}", file.stem)
        elif path.exists():
            yield from _file_records(path, "", "")
        else:
            raise RowsError(f"{path}: no such file or folder; {EXPECTED}")
    except OSError as error:
        raise RowsError(f"{path}: cannot be read ({error.strerror or error})") from error


def digest_path(path: Path) -> str:
    """Return 64 hex digits over a file's bytes, or over names and bytes of what is read of a folder."""
    if not path.is_dir():
        with path.open("rb") as data:
            return file_digest(data, "sha256").hexdigest()
    whole = sha256()
    for file in _files_of(path):
        whole.update(f"{file.name}\0{digest_path(file)}\n".encode())
    return whole.hexdigest()


def _files_of(folder: Path) -> list[Path]:
    if (folder / OURS).exists():
        raise RowsError(f"{folder}: a data set of practicum; name one of its files, e.g. {folder / 'messages-train.jsonl'}")
    files = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()]
    files = [path for path in files if path.name != "dataset_info.json"]  # beside our own exports: a registry
    if not files:
        raise RowsError(f"{folder}: a folder without {', '.join(SUFFIXES)} files; {EXPECTED}")
    return sorted(files, key=lambda path: ([int(part) if part.isdigit() else 0 for part in re.split(r"(\d+)", path.name)], path.name))


def _file_records(path: Path, where: str, stem: str) -> Iterator[Record | Unread]:
    """Yield the records of one file; `where` and `stem` are empty where it is the only one."""
    with path.open("rb") as file:
        begin = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        file.seek(0)
        whole = Record(where or f"file {path.name!r}", stem or path.stem, b"")
        if begin == b"[":
            yield from _list_records(path, file, whole, where, stem)
        elif begin == b"{":
            yield from _line_records(file, whole, where, stem)
        elif begin:
            yield _whole(file, whole, text=True)


def _whole(file: BinaryIO, record: Record, *, text: bool = False) -> Record | Unread:
    file.seek(0)
    data = file.read(MAX_RECORD + 1)
    if len(data) > MAX_RECORD:
        return Unread(record.where, f"larger than {MAX_RECORD >> 20} MiB, but no list of conversations; {EXPECTED}")
    return record._replace(data=data.removeprefix(b"\xef\xbb\xbf"), text=text)


def _named(where: str, stem: str, number: int) -> tuple[str, str]:
    """Return how a message names a row, and its id."""
    return (f"{where}, row {number}", f"{stem}-{number}") if where else (f"row {number}", str(number))


def _line_records(file: BinaryIO, whole: Record, where: str, stem: str) -> Iterator[Record | Unread]:
    """Yield JSON lines; an object over many lines is one record."""
    try:
        orjson.loads(file.readline().removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        record = _whole(file, whole)
        if isinstance(record, Record) and _is_json(record.data):
            yield record
            return
    file.seek(0)
    for number, line in enumerate(file, start=1):
        if data := line.removeprefix(b"\xef\xbb\xbf").strip():
            yield Record(*_named(where, stem, number), data)


def _is_json(data: bytes) -> bool:
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True


def _list_records(path: Path, file: BinaryIO, whole: Record, where: str, stem: str) -> Iterator[Record | Unread]:
    """Yield the elements of a list; where they are messages, the list is one conversation."""
    for number, (element, data) in enumerate(_elements(path), start=1):
        if number == 1 and _is_message(element):
            yield _whole(file, whole)
            return
        name, id_ = _named(where, stem, number)
        if data is None:
            yield Unread(name, f"not JSON: {element}; nothing below it was read")
            return
        yield Record(name, id_, data)


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and any(key in value for key in _ROLE_KEYS) and any(key in value for key in _TEXT_KEYS)


def _elements(path: Path) -> Iterator[tuple[Any, bytes | None]]:
    """Yield each element of a JSON list, and its bytes; at last a reason without bytes, where it cannot be read on."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        buffer = file.read(CHUNK)
        at = buffer.index("[") + 1
        wanted = CHUNK
        while True:
            at = _BLANK.match(buffer, at).end()  # type: ignore[union-attr]  # it matches anything
            if buffer.startswith("]", at):
                return
            try:
                value, end = _DECODE(buffer, at)
            except json.JSONDecodeError as error:
                # Cut, or broken: only more can tell. Twice as much each time, so that a long element is not read a thousand times.
                more = file.read(wanted) if len(buffer) - at < MAX_RECORD else ""
                if not more:
                    yield error.msg if at < len(buffer) else "the list does not end", None
                    return
                buffer, at, wanted = buffer[at:] + more, 0, wanted * 2
                continue
            yield value, buffer[at:end].encode(errors="surrogateescape")
            at, wanted = end, CHUNK
