"""The formats of an export: what a row looks like as bytes, and how rows become a file.

No format holds anything but what the sessions say, so that the same sessions give the same bytes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path

import orjson

from practicum.core import Session
from practicum.dataset.drafts import drafting
from practicum.dataset.rows import Dialogue
from practicum.errors import ExportError


class Format(StrEnum):
    """What an export is for."""

    SHAREGPT = "sharegpt"
    """LLaMA-Factory: `data.json`, one list, and `dataset_info.json`."""
    MESSAGES = "messages"
    """TRL, ms-swift, Axolotl: `messages.jsonl`, one dialogue a line."""
    JSONL = "jsonl"
    """`sessions.jsonl`: every session as it is kept, failed and unfinished ones too, and the counselor's system prompt."""
    CSV = "csv"
    """`turns.csv`: one row a turn, failed and unfinished sessions too; UTF-8 with a byte order mark, without which Excel
    shows Chinese as noise (Python reads it as `utf-8-sig`)."""

    @property
    def for_training(self) -> bool:
        """Whether its rows are dialogues to learn from, and so must be finished and alternate."""
        return self in (Format.SHAREGPT, Format.MESSAGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How rows stand in their file."""

    file: str
    head: bytes = b""
    between: bytes = b""
    tail: bytes = b""


COLUMNS = (
    "session", "run", "profile", "language", "split", "number", "index", "speaker", "text", "prompt_tokens", "completion_tokens",
    "ending", "risk",
)  # fmt: skip
"""Of the table of turns. `risk` holds the session's kinds, separated by spaces; `ending` is empty while it is unfinished."""

DATASET_INFO = "dataset_info.json"
LAYOUTS: Mapping[Format, Layout] = {
    Format.SHAREGPT: Layout(file="data.json", head=b"[\n", between=b",\n", tail=b"\n]\n"),
    Format.MESSAGES: Layout(file="messages.jsonl", between=b"\n", tail=b"\n"),
    Format.JSONL: Layout(file="sessions.jsonl", between=b"\n", tail=b"\n"),
    Format.CSV: Layout(file="turns.csv", head=b"\xef\xbb\xbf" + ",".join(COLUMNS).encode() + b"\r\n"),
}


def encode_dialogue(dialogue: Dialogue) -> bytes:
    """Return a training row: one line of JSON, `{"messages": [{"role", "content"}, …]}`."""
    return orjson.dumps({"messages": [{"role": role, "content": content} for role, content in dialogue.messages]})


def encode_session(session: Session, system: str) -> bytes:
    """Return everything that is kept of a session, and the counselor's system prompt, as one line of JSON."""
    whole = {field.name: getattr(session, field.name) for field in fields(session)}
    return orjson.dumps(whole | {"system": system}, default=dict)  # a state may be any mapping


def encode_turns(session: Session) -> bytes:
    """Return one CSV row for each turn of a session, with `COLUMNS`."""
    profile = session.profile
    before = (session.key, session.run, profile.id, profile.language, profile.split or "", session.number)
    after = (session.ending or "", " ".join(session.risk))
    table = io.StringIO(newline="")
    csv.writer(table).writerows(
        (*before, turn.index, turn.speaker, turn.text, turn.prompt_tokens, turn.completion_tokens, *after) for turn in session.turns
    )
    return table.getvalue().encode()


def write_rows(rows: Iterable[bytes], *, form: Format, out: Path, name: str) -> tuple[Path, ...]:
    """Write encoded rows as one export, holding one at a time; what was there is replaced when the new one is complete.

    Args:
        rows: From the `encode_…` function of the format. If they raise, nothing has changed.
        form: The format.
        out: The folder, made if need be.
        name: The data set's name in `dataset_info.json`; other formats have none.

    Returns:
        The files written.

    Raises:
        ExportError: The folder cannot be written, or its `dataset_info.json` lists data sets that are not ours.
    """
    layout = LAYOUTS[form]
    names = [layout.file]
    if form is Format.SHAREGPT:
        check_dataset_info(out / DATASET_INFO, layout.file)
        names.append(DATASET_INFO)
    with drafting(out, names) as drafts:
        lead = layout.head
        for row in rows:
            drafts[0].write(lead + row)
            lead = layout.between
        drafts[0].write(layout.tail)
        for draft in drafts[1:]:
            draft.write(dataset_info({name: layout.file}))
    return tuple(out / file for file in names)


def dataset_info(files: Mapping[str, str]) -> bytes:
    """Return LLaMA-Factory's registry with our entries: names of data sets to their files."""
    return orjson.dumps({name: _entry(file) for name, file in files.items()}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _entry(file: str) -> Mapping[str, object]:
    return {
        "file_name": file,
        "formatting": "sharegpt",
        "columns": {"messages": "messages"},
        "tags": {
            "role_tag": "role",
            "content_tag": "content",
            "user_tag": "user",
            "assistant_tag": "assistant",
            "system_tag": "system",
        },
    }


def check_dataset_info(path: Path, *files: str) -> None:
    """Refuse to replace a registry with entries of others: someone exports into LLaMA-Factory's own data folder.

    Args:
        path: The registry; none is fine.
        files: Our own.
    """
    try:
        known = orjson.loads(path.read_bytes())
        strange = [name for name, entry in known.items() if entry.get("file_name") not in files]
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, orjson.JSONDecodeError, AttributeError) as error:
        raise ExportError(f"{path}: exists and is not a LLaMA-Factory registry; choose another --out") from error
    if strange:
        raise ExportError(
            f"{path}: lists other data sets ({', '.join(strange[:5])}), which an export would drop; "
            "choose another --out and name it to LLaMA-Factory as dataset_dir"
        )
