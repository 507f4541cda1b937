"""Where conversations come from: a corpus on the disk, or a run in a store."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

from practicum.core import Ending
from practicum.dataset.conversation import Conversation
from practicum.dataset.corpora import Record, Unread, digest_path, read_records
from practicum.dataset.corpus_rows import Origin, conversation_of, parse_record
from practicum.dataset.rows import LeftOut
from practicum.dataset.stored import system_prompts
from practicum.errors import ConfigError, RowsError, StoreError
from practicum.store import DEFAULT_URL, RunInfo, Store

Item = Record | Unread | Conversation | LeftOut
"""What a source gives: a conversation, or what one can be made of, or why there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """What a data set's card says of one source."""

    name: str
    kind: str
    """corpus, run"""
    digest: str
    """Of the file or folder; of a run's identity and the keys of its sessions."""
    licence: str = ""
    """What the user said of a corpus; licences of single conversations are counted elsewhere."""
    made_by: Mapping[str, Any] = field(default_factory=dict)
    """Of a run: participants (model, prompts with digests, sampling), version."""


class Source(Protocol):
    """Conversations, in an order that does not change."""

    @property
    def origin(self) -> Origin:
        """Its name, and the licence of what does not say its own."""
        ...

    def items(self) -> Iterator[Item]:
        """Read it from its beginning."""
        ...

    def facts(self) -> SourceFacts:
        """Say what it is; asked after `items` has been read."""
        ...

    def learnt(self, ids: Sequence[str]) -> None:
        """Remember that these conversations went into a training set, where that can be remembered."""
        ...


@dataclass(frozen=True, slots=True)
class CorpusSource:
    """A file or a folder."""

    path: Path
    origin: Origin

    def items(self) -> Iterator[Item]:
        """Yield raw records; `RowsError` if there is no such file."""
        return read_records(self.path)

    def facts(self) -> SourceFacts:
        """Return name and digest; never the folder, which is nobody's business."""
        return SourceFacts(name=self.origin.name, kind="corpus", digest=digest_path(self.path), licence=self.origin.licence)

    def learnt(self, ids: Sequence[str]) -> None:
        """Do nothing: a file remembers nothing."""


@dataclass(slots=True)
class RunSource:
    """The sessions of a run; those that failed or never ended are left out."""

    run: str
    db: str
    origin: Origin
    _info: RunInfo | None = None
    _keys: str = ""

    def items(self) -> Iterator[Item]:
        """Yield conversations with profile, risk and the counselor's chat-form prompt; `StoreError` if there is no such run."""
        keys = sha256()
        with Store.open(self.db, create=False) as store:
            info = self._info = store.run(self.run)
            prompts = system_prompts(info)
            for session in store.sessions(self.run):
                if session.ending in (None, Ending.FAILED):
                    yield LeftOut.FAILED if session.ending else LeftOut.UNFINISHED
                    continue
                keys.update(session.key.encode())
                yield conversation_of(session, prompts(session), self.origin.name)
        self._keys = keys.hexdigest()

    def facts(self) -> SourceFacts:
        """Return who was on which chair, with digests."""
        info = self._info
        assert info is not None, "items() first"  # noqa: S101 -- a bug, not a user's mistake
        made_by = {
            "practicum": info.version,
            "participants": [asdict(participant) for participant in info.participants],
            "max_exchanges": info.identity.get("max_exchanges"),
            "seed": info.identity.get("seed"),
        }
        return SourceFacts(
            name=self.origin.name, kind="run", digest=sha256(f"{info.digest}{self._keys}".encode()).hexdigest(), made_by=made_by
        )

    def learnt(self, ids: Sequence[str]) -> None:
        """Mark the sessions in the store: an arena warns when a counselor meets the clients that it was trained on."""
        with Store.open(self.db, create=False) as store:
            store.mark_exported(self.run, list(ids), time.time())


def find_sources(names: Sequence[str | Path], *, db: str = DEFAULT_URL, licence: str = "") -> list[Source]:
    """Return a source for each name: a file or folder if there is one, else a run of the store.

    Sources of one name (`data.json` in two folders) are told apart by a number.

    Raises:
        ConfigError: A name is neither.
    """
    known: set[str] = set()
    found: list[Source] = []
    for name in names:
        path = Path(name)
        is_path = path.exists()
        if not is_path:
            _check_run(str(name), db)
        shown = unique = path.resolve().name if is_path else str(name)
        number = 1
        while unique in known:
            number += 1
            unique = f"{shown}~{number}"
        known.add(unique)
        found.append(CorpusSource(path, Origin(unique, licence)) if is_path else RunSource(str(name), db, Origin(unique)))
    return found


def _check_run(name: str, db: str) -> None:
    if not Store.exists(db):
        raise ConfigError(f"{name}: no such file or folder, and no store to look for a run of this name in; give --db, or a path")
    with Store.open(db, create=False) as store:
        try:
            store.run(name)
        except StoreError as error:
            raise ConfigError(f"{name}: no such file or folder, and {error}") from None


def read_corpus(path: Path, *, bad: list[str] | None = None) -> Iterator[Conversation]:
    """Yield the conversations of a corpus, holding one at a time; the format is told from the content.

    Args:
        path: A file or a folder.
        bad: Takes a line for each record that cannot be read. None: all of them are raised at the end.

    Raises:
        RowsError: There is no such file; or, without `bad`, some record cannot be read.
    """
    source = CorpusSource(path, Origin(path.name))
    problems: list[str] = [] if bad is None else bad
    count = 0
    for item in source.items():
        count += 1
        if isinstance(item, Unread):
            problems.append(f"{item.where}: {item.reason}")
            continue
        assert isinstance(item, Record)  # noqa: S101 -- a corpus gives nothing else
        try:
            found = parse_record(item, source.origin)
        except ValueError as error:
            problems.append(f"{item.where}: {error}")
            continue
        if isinstance(found, Conversation):
            yield found
    if bad is None and problems:
        raise RowsError(f"{path}: {len(problems):,} of {count:,} rows cannot be used", problems)


def example_dialogues() -> Path:
    """Return the 60 dialogues of SmileChat (CC0-1.0) that come with the package; `examples/LICENCE.md` says how they were chosen."""
    return Path(str(files("practicum.dataset").joinpath("examples", "smilechat-60.jsonl")))
