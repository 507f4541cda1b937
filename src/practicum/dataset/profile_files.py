"""Files of profiles taken apart into numbered rows, whatever their format; what a row says is checked elsewhere.

Every format is read whole: a thousand profiles are a megabyte. Only UTF-8 is read, with or without a byte order mark.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from practicum.dataset.texts import clip
from practicum.errors import ProfileError

MAX_BYTES = 1 << 30
"""A file above 1 GiB is not a file of profiles."""
EXPECTED = "expected a .json, .jsonl or .csv file, a .txt file, or a folder of .txt files"
COLUMNS = ("id", "text", "language", "split", "source", "source.origin", "source.licence")
"""What a CSV header may name, besides `facts.NAME`. `source` is short for `source.origin`."""


class Unreadable(NamedTuple):
    """What stands in the place of a row that could not be taken out of its file."""

    reason: str


class RawRow(NamedTuple):
    """One row before anyone has looked into it."""

    where: str
    """How a message names it: `row 17`, `file 'anna.txt'`."""
    value: object
    """JSON-like, or `Unreadable`."""


def read_rows(path: Path) -> Sequence[RawRow]:
    """Read a file, or a folder of text files; see `parse_rows`.

    Raises:
        ProfileError: It is missing, cannot be read, or is no file of profiles as a whole.
    """
    try:
        if path.is_dir():
            return list(_folder_rows(path))
        if not path.exists():
            raise ProfileError(f"{path}: no such file or folder; {EXPECTED}")
        return parse_rows(_read_file(path), path)
    except OSError as error:
        raise ProfileError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise ProfileError(f"{path}: {error}") from error


def parse_rows(data: bytes, name: Path) -> Sequence[RawRow]:
    """Take a file's content apart: by the suffix of its name, then by its content (JSON or JSON lines, under any suffix).

    Rows count from 1, as an editor or a spreadsheet shows them: elements of a JSON list, lines of JSON lines (blank
    ones are skipped, but counted), rows of a CSV file with its header as row 1.

    Raises:
        ValueError: The content as a whole cannot be read; the message is one line.
    """
    text = _decode(data)
    if not text.strip():
        return []
    match name.suffix.lower():
        case ".json" | ".jsonl" | ".ndjson":
            return _json_rows(text)
        case ".csv":
            return list(_csv_rows(text))
        case ".txt":
            return [_text_row(name, text)]
        case suffix if text.lstrip()[:1] not in ("[", "{"):
            raise ValueError(f"the suffix {suffix!r} names no format; {EXPECTED}")
        case _:
            return _json_rows(text)


def _read_file(path: Path) -> bytes:
    if not path.is_file():
        raise ValueError(f"neither a file nor a folder; {EXPECTED}")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError("larger than 1 GiB: split it, or is it something else?")
    return path.read_bytes()


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        likely = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "GB18030"
        raise ValueError(
            f"not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}, line {line}; "
            f"save it as UTF-8 (e.g. iconv -f {likely} -t UTF-8 OLD > NEW)"
        ) from error


def _text_row(name: Path, text: str) -> RawRow:
    return RawRow(f"file {name.name!r}", {"id": name.stem, "text": text})


def _folder_rows(folder: Path) -> Iterator[RawRow]:
    """Yield one row per visible `*.txt` file, by name; subfolders are not entered."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".txt" and not path.name.startswith("."))
    if not files:
        raise ValueError("a folder without .txt files; " + EXPECTED)
    for path in files:
        try:
            yield _text_row(path, _decode(_read_file(path)))
        except OSError as error:
            yield RawRow(f"file {path.name!r}", Unreadable(f"cannot be read ({error.strerror or error})"))
        except ValueError as error:
            yield RawRow(f"file {path.name!r}", Unreadable(str(error)))


def _json_rows(text: str) -> Sequence[RawRow]:
    start = text.lstrip()[:1]
    try:
        whole = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        # A list is one document. Anything else that is not JSON as a whole may be JSON line by line.
        if start == "[" or "\n" not in text.strip():
            raise ValueError(f"not JSON: {error}") from error
        return list(_line_rows(text))
    values = whole if isinstance(whole, list) else [whole]
    return [RawRow(f"row {number}", value) for number, value in enumerate(values, start=1)]


def _line_rows(text: str) -> Iterator[RawRow]:
    # Not splitlines(): that also splits at U+2028 and its like, which are letters to JSON.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value: object = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            value = Unreadable(f"not JSON: {error.msg} (column {error.colno})")
        yield RawRow(f"row {number}", value)


def _csv_rows(text: str) -> Iterator[RawRow]:
    # Excel writes semicolons where the comma is the decimal sign, and tabs on request.
    separator = max(",;\t", key=text.partition("\n")[0].count)
    table = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header: list[str] = []
    number = 0
    try:
        for number, row in enumerate(table, start=1):
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if not header:
                header = _csv_header(cells)
            elif len(cells) != len(header):
                yield RawRow(f"row {number}", Unreadable(f"{len(cells)} cells, but the header has {len(header)}"))
            else:
                yield RawRow(f"row {number}", _nest(header, cells))
    except csv.Error as error:
        # What follows a broken quote cannot be told apart any more.
        reason = str(error).replace("\t", "tab")
        yield RawRow(f"row {number + 1}", Unreadable(f"not CSV: {reason}; nothing below it was read"))


def _csv_header(cells: Sequence[str]) -> list[str]:
    known = f"known: {', '.join(COLUMNS)}, facts.NAME"
    if "text" not in cells:
        raise ValueError(f"the header has no column 'text'; {known}")
    for name in cells:
        if name not in COLUMNS and not (name.startswith("facts.") and name != "facts."):
            raise ValueError(f"unknown column {clip(name)}; {known}")
    header = ["source.origin" if name == "source" else name for name in cells]
    if twice := [name for name in header if header.count(name) > 1]:
        raise ValueError(f"column {clip(twice[0])} stands twice")
    return header


def _nest(header: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
    """Make an object of a row: `facts.age` becomes `facts: {age}`. An empty cell is an absent value, except for `text`."""
    row: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=True):
        group, _, key = name.partition(".")
        if not key and (cell or name == "text"):
            row[name] = cell
        elif key and cell:
            row.setdefault(group, {})[key] = cell
    return row
