"""A data set's folder: rows in three formats, what was dropped, the card, and a manifest with the digest of every file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

from practicum.core import Split
from practicum.core.version import VERSION
from practicum.dataset.card import render_card
from practicum.dataset.curate_config import CurateConfig
from practicum.dataset.curate_report import render_report
from practicum.dataset.curated import CurateReport, SplitSize
from practicum.dataset.drafts import Draft, drafting
from practicum.dataset.formats import DATASET_INFO, LAYOUTS, Format, check_dataset_info, dataset_info
from practicum.dataset.pile import Pile
from practicum.dataset.select import Selection
from practicum.dataset.sift import turn_rows
from practicum.dataset.sources import SourceFacts

MANIFEST, CARD, REPORT = "manifest.json", "README.md", "report.html"
KEPT, DROPPED, RISK = "kept.jsonl", "dropped.jsonl", "risk.jsonl"
SHAREGPT: Mapping[Split, str] = {"train": "data.json", "dev": "data-dev.json", "test": "data-test.json"}
MESSAGES: Mapping[Split, str] = {"train": "messages-train.jsonl", "dev": "messages-dev.jsonl", "test": "messages-test.jsonl"}
PARQUET: Mapping[Split, str] = {"train": "train.parquet", "dev": "dev.parquet", "test": "test.parquet"}
NAMES: Mapping[Split, str] = {"train": "practicum", "dev": "practicum_dev", "test": "practicum_test"}
"""Of the splits in LLaMA-Factory's registry."""
ROW_GROUP = 1000
"""Rows that Parquet holds in memory."""


@dataclass(slots=True)
class Book:
    """A file of the data set on its way to the disk, and what its manifest says of it."""

    draft: Draft
    rows: int = 0
    size: int = 0
    closed: bool = False
    """Asked for by pyarrow."""
    _digest: Any = field(default_factory=sha256)

    def write(self, data: bytes) -> int:
        """Append bytes."""
        data = bytes(data)  # pyarrow gives a view
        self.draft.write(data)
        self._digest.update(data)
        self.size += len(data)
        return len(data)

    def row(self, data: bytes, *, between: bytes = b"", head: bytes = b"") -> None:
        """Append a row, after what stands before it."""
        self.write((between if self.rows else head) + data)
        self.rows += 1

    def tell(self) -> int:
        """Return where it is."""
        return self.size

    def flush(self) -> None:
        """Do nothing: `drafting` brings everything to the disk."""

    def close(self) -> None:
        """Do nothing, for the same reason."""

    def entry(self) -> dict[str, Any]:
        """Return its line of the manifest."""
        return {"sha256": self._digest.hexdigest(), "bytes": self.size} | ({"rows": self.rows} if self.rows else {})


def check_folder(out: Path) -> None:
    """Refuse a folder in which somebody else's data sets are registered, before any work is done; `ExportError`."""
    check_dataset_info(out / DATASET_INFO, *SHAREGPT.values())


def write_dataset(
    pile: Pile,
    selection: Selection,
    config: CurateConfig,
    result: CurateReport,
    *,
    facts: Sequence[SourceFacts],
    test_facts: Sequence[SourceFacts],
    report: bool,
) -> CurateReport:
    """Write everything, or nothing; return the figures with sizes and files.

    Raises:
        ExportError: The folder cannot be written.
    """
    out = result.folder
    before = _written_before(out)
    parquet = find_spec("pyarrow") is not None
    names = _names(selection, parquet=parquet, report=report)
    with drafting(out, names) as drafts:
        books = {name: Book(draft) for name, draft in zip(names, drafts, strict=True)}
        sizes = {split: _write_split(split, pile, selection, config, books) for split, indices in selection.placed.items() if indices}
        _write_apart(pile, selection, books)
        _write_dropped(pile, selection, books[DROPPED])
        notes = () if parquet else ("no Parquet: pyarrow is not installed; pip install pyarrow, or 'practicum[report]'",)
        result = replace(result, written=sizes, files=tuple(names), notes=(*result.notes, *notes))
        licences = _licences(pile, selection)
        if report:
            books[REPORT].write(render_report(pile, selection, config, result).encode())
        books[CARD].write(render_card(result, config, facts, licences).encode())
        books[DATASET_INFO].write(dataset_info({NAMES[split]: SHAREGPT[split] for split in sizes}))
        books[MANIFEST].write(_manifest(result, config, facts, test_facts, books))
    for name in before - set(names):  # of an earlier curation with more splits
        with suppress(OSError):
            (out / name).unlink()
    return result


def _names(selection: Selection, *, parquet: bool, report: bool) -> list[str]:
    """Return the files in the order in which they appear: the manifest, which vouches for them, last."""
    splits = [split for split, indices in selection.placed.items() if indices]
    kinds = [SHAREGPT, MESSAGES, *([PARQUET] if parquet else [])]
    names = [kind[split] for kind in kinds for split in splits]
    return [*names, *([RISK] if selection.apart else []), KEPT, DROPPED, *([REPORT] if report else []), CARD, DATASET_INFO, MANIFEST]


def _written_before(out: Path) -> set[str]:
    """Return the files that an earlier curation says are its own."""
    try:
        files = orjson.loads((out / MANIFEST).read_bytes())["files"]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        return set()
    known = {*SHAREGPT.values(), *MESSAGES.values(), *PARQUET.values(), RISK, REPORT}
    return {name for name in files if name in known}


def _write_split(split: Split, pile: Pile, selection: Selection, config: CurateConfig, books: Mapping[str, Book]) -> SplitSize:
    indices = selection.placed[split]
    sharegpt, messages = books[SHAREGPT[split]], books[MESSAGES[split]]
    layout = LAYOUTS[Format.SHAREGPT]
    table = _Table(books[PARQUET[split]]) if PARQUET[split] in books else None
    for index, row in pile.rows(indices):
        before = messages.rows
        for id_, part in _parts(pile.key(index), row, config):
            whole = b'{"id":' + orjson.dumps(id_) + b"," + part[1:]
            sharegpt.row(whole, head=layout.head, between=layout.between)
            messages.row(whole + b"\n")
            if table:
                table.add(id_, part, pile, index)
        _write_kept(pile, selection, index, split, messages.rows - before, books[KEPT])
    sharegpt.write(layout.tail)
    if table:
        table.close()
    return SplitSize(sessions=len(indices), rows=messages.rows, clients=len({selection.clients[index] for index in indices}))


def _parts(key: str, row: bytes, config: CurateConfig) -> Iterator[tuple[str, bytes]]:
    if config.samples == "session":
        yield key, row
    else:
        yield from ((f"{key}#{number}", part) for number, part in enumerate(turn_rows(row), start=1))


def _write_kept(pile: Pile, selection: Selection, index: int, split: Split, rows: int, book: Book) -> None:
    passed = pile.passed[index]
    line = {
        "id": pile.key(index),
        "split": split,
        "client": selection.groups[selection.clients[index]],
        "language": passed.language,
        "licence": passed.licence,
        "rows": rows,
        "exchanges": passed.exchanges,
        "risk": passed.risk,
        "mended": {mend.value: number for mend, number in passed.mends.items() if number},
        "cut": {cut.value: number for cut, number in passed.cut.items()},
    }
    book.row(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


def _write_apart(pile: Pile, selection: Selection, books: Mapping[str, Book]) -> None:
    for index, row in pile.rows(selection.apart):
        head = orjson.dumps({"id": pile.key(index), "risk": pile.passed[index].risk})
        books[RISK].row(head[:-1] + b"," + row[1:] + b"\n")


def _write_dropped(pile: Pile, selection: Selection, book: Book) -> None:
    for one in sorted([*pile.refused, *selection.refused], key=lambda one: one.index):
        line: dict[str, Any] = {"key": one.key, "check": one.reason, "detail": one.detail, "line": one.line, "also": one.also}
        book.row(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


def _licences(pile: Pile, selection: Selection) -> Mapping[str, Mapping[str, int]]:
    """Return for each source how many of its sessions were written under which licence."""
    found: dict[str, Counter[str]] = {name: Counter() for name in pile.names}
    for indices in selection.placed.values():
        for index in indices:
            found[pile.names[pile.source[index]]][pile.passed[index].licence] += 1
    return {name: dict(sorted(counts.items())) for name, counts in found.items()}


def _manifest(
    result: CurateReport,
    config: CurateConfig,
    facts: Sequence[SourceFacts],
    test_facts: Sequence[SourceFacts],
    books: Mapping[str, Book],
) -> bytes:
    counts = {name: value for name, value in asdict(result).items() if name not in ("folder", "files")}
    whole = {
        "practicum": VERSION,
        # How many processes there were says nothing about what they did.
        "config": config.model_dump(mode="json", exclude={"processes"}),
        "sources": [asdict(one) for one in facts],
        "test": [asdict(one) for one in test_facts],
        "counts": counts,
        "files": {name: book.entry() for name, book in books.items() if name != MANIFEST},
    }
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


class _Table:
    """Rows on their way into a Parquet file, column by column."""

    FACTS = ("id", "source", "language", "licence")

    def __init__(self, book: Book) -> None:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter

        self._message = pa.struct([("role", pa.string()), ("content", pa.string())])
        self._schema = pa.schema([*((name, pa.string()) for name in self.FACTS), ("messages", pa.list_(self._message))])
        self._book = book
        self._writer = ParquetWriter(pa.PythonFile(book, mode="w"), self._schema, compression="zstd")
        self._facts: list[tuple[str, ...]] = []
        self._roles: list[str] = []
        self._contents: list[str] = []
        self._ends = [0]

    def add(self, id_: str, row: bytes, pile: Pile, index: int) -> None:
        passed = pile.passed[index]
        self._facts.append((id_, pile.names[pile.source[index]], passed.language, passed.licence))
        for message in orjson.loads(row)["messages"]:
            self._roles.append(message["role"])
            self._contents.append(message["content"])
        self._ends.append(len(self._roles))
        self._book.rows += 1
        if len(self._facts) >= ROW_GROUP:
            self._write()

    def _write(self) -> None:
        import pyarrow as pa

        messages = pa.StructArray.from_arrays([pa.array(self._roles), pa.array(self._contents)], fields=list(self._message))
        columns = [pa.array(column, pa.string()) for column in zip(*self._facts, strict=True)]
        columns.append(pa.ListArray.from_arrays(pa.array(self._ends, pa.int32()), messages))
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))
        self._facts, self._roles, self._contents, self._ends = [], [], [], [0]

    def close(self) -> None:
        if self._facts:
            self._write()
        self._writer.close()
