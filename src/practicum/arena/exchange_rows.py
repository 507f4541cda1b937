"""Files of ballots: one row a ballot, as CSV or as JSON lines, validated where it comes in, written the same way.

What stands in a cell and what in a JSON value differ in lists only: CSV separates names by `|` and has no texts.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails

from practicum.arena.canary import PREFIX
from practicum.arena.combine import NONE_ACCEPTABLE, tie, unscored, win
from practicum.arena.verdict import NONE, TIE
from practicum.arena.whole import WHOLE
from practicum.core import Language, Outcome, Verdict
from practicum.dataset.profile_files import RawRow, Unreadable, parse_rows
from practicum.dataset.texts import clean_name, clip

UNSCORED = "unscored"
SEPARATOR = "|"
BETWEEN = f"{TIE}:"
"""Begins a tie of some of the candidates: `tie:A|B`."""
IMPORTED = "imported"
"""The rater of a file that names none."""
IMPORTED_CHOICES = "imported choices"
"""What the identity of such a run consists of: its file's digest."""
COLUMNS = (
    "session", "turn", "profile", "language", "rater", "candidates", "chosen", "order", "repeat", "went_on", "drawn", "failed",
    "reason", "odds", "mass",
)  # fmt: skip
"""Of CSV; JSON lines may have `texts` besides."""
NEEDED = ("session", "candidates", "chosen")
LISTS = ("candidates", "failed")
MAX_SHOWN = 3
"""Mistakes of one row that its line names."""


def clean_candidate(text: str) -> str:
    """Return the name of a candidate without white space around it.

    Raises:
        ValueError: It is no name, or one that a verdict could be taken for; the message fits after a field's name.
    """
    name = clean_name(text)
    if name in (TIE, NONE, UNSCORED) or SEPARATOR in name or name.startswith((BETWEEN, PREFIX)):
        raise ValueError(
            f"{clip(name)} cannot be a candidate's name: {TIE}, {NONE} and {UNSCORED} are verdicts, {SEPARATOR} stands between names"
        )
    return name


def write_chosen(verdict: Verdict, shown: Sequence[str]) -> str:
    """Return a verdict as `chosen` has it: a name, `tie`, `tie:A|B`, `none` or `unscored`."""
    match verdict.outcome:
        case Outcome.WIN:
            return verdict.winners[0]
        case Outcome.TIE:
            return TIE if set(verdict.winners) == set(shown) else BETWEEN + SEPARATOR.join(verdict.winners)
        case outcome:
            return outcome.value


def _read_chosen(chosen: str, shown: Sequence[str], reason: str) -> Verdict:
    if chosen in ("", UNSCORED):
        return unscored(reason or "the file has no verdict")
    if chosen == NONE:
        return NONE_ACCEPTABLE
    if chosen == TIE:
        return tie(shown)
    names = [name.strip() for name in chosen.removeprefix(BETWEEN).split(SEPARATOR)]
    tied = chosen.startswith(BETWEEN)
    if set(names) <= set(shown) and (len(set(names)) > 1 if tied else len(names) == 1):
        return tie(set(names)) if tied else win(names[0])
    raise ValueError(f"chosen {clip(chosen)} must be one of the candidates, {TIE}, {BETWEEN}NAME{SEPARATOR}NAME, {NONE} or {UNSCORED}")


def _or_whole(value: object) -> object:
    return WHOLE if value in (None, "") else value


def _or_empty(value: object) -> object:
    return "" if value is None else value


Name = Annotated[str, AfterValidator(clean_name)]
MaybeName = Annotated[str, AfterValidator(lambda text: text and clean_name(text)), BeforeValidator(_or_empty)]
CandidateName = Annotated[str, AfterValidator(clean_candidate)]
Share = Annotated[float, Field(ge=0, le=1)]
Number = Annotated[int, Field(ge=0)]


class BallotLine(BaseModel):
    """One ballot as a file gives it. Null is the same as absent."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, str_strip_whitespace=True)

    session: Name
    """Any name; ballots of one session stand under one."""
    turn: Annotated[int, Field(ge=WHOLE), BeforeValidator(_or_whole)] = WHOLE
    """Index of the counselor's turn; -1, empty or absent for whole sessions."""
    profile: MaybeName = ""
    """Any name of the client: the same client is the same cluster. Empty: the session is its own."""
    language: Language | None = None
    """Of the session; guessed from the texts if absent, `zh` without any."""
    rater: MaybeName = IMPORTED
    candidates: tuple[CandidateName, ...]
    """Two or more, in the order in which they were shown."""
    chosen: Annotated[str, BeforeValidator(_or_empty)]
    """A candidate, `tie` (of all), `tie:A|B`, `none`, or `unscored` or empty where there is no verdict."""
    order: Number | None = None
    """Which of the choice's orders it is; by default they are numbered as they come."""
    repeat: Annotated[Number, BeforeValidator(lambda value: value or 0)] = 0
    """1, 2, … where the same was asked again: tells of stability, counts in nothing else."""
    texts: tuple[Annotated[str, StringConstraints(min_length=1, strict=True)], ...] | None = None
    """What each candidate said, in the order of `candidates`."""
    went_on: MaybeName = ""
    """The candidate whose reply went on in the session."""
    drawn: Annotated[bool, BeforeValidator(lambda value: value or False)] = False
    """What went on was drawn by lot."""
    failed: Annotated[tuple[CandidateName, ...], BeforeValidator(lambda value: value or ())] = ()
    """Counselors that should have been candidates, and gave no reply."""
    reason: Annotated[str, BeforeValidator(_or_empty)] = ""
    """Why there is no verdict."""
    odds: dict[str, Share] | None = None
    """Probabilities of every candidate, `tie` and `none`, where the rater gave them."""
    mass: Share | None = None
    """Probability that these had together."""

    @model_validator(mode="after")
    def _agree(self) -> BallotLine:
        if not 2 <= len(self.candidates) == len(set(self.candidates)):
            raise ValueError(f"candidates {clip(SEPARATOR.join(self.candidates))} must be two or more, each once")
        if self.texts is not None and len(self.texts) != len(self.candidates):
            raise ValueError(f"texts has {len(self.texts)} texts, expected {len(self.candidates)}: one a candidate")
        if self.went_on and self.went_on not in self.candidates:
            raise ValueError(f"went_on {clip(self.went_on)} must be one of the candidates")
        if both := set(self.failed) & set(self.candidates):
            raise ValueError(f"failed {clip(min(both))} stands among the candidates, too")
        if self.odds is not None and (self.odds.keys() != {*self.candidates, TIE, NONE} or abs(sum(self.odds.values()) - 1) > 1e-6):
            raise ValueError(f"odds must be a probability for each candidate, {TIE} and {NONE}, 1 together")
        _ = self.verdict
        return self

    @property
    def verdict(self) -> Verdict:
        """What it says; with the rater's probabilities as shares, where there are some."""
        verdict = _read_chosen(self.chosen, self.candidates, self.reason)
        if self.odds is None or verdict.outcome is Outcome.UNSCORED:
            return verdict
        return Verdict(outcome=verdict.outcome, winners=verdict.winners, shares=self.odds)


def parse_ballot(value: object) -> BallotLine:
    """Validate one row.

    Raises:
        ValueError: Something in it is wrong; the message is one line that names up to three mistakes.
    """
    match value:
        case Unreadable(reason):
            raise ValueError(reason)
        case dict():
            try:
                return BallotLine.model_validate(value)
            except ValidationError as error:
                mistakes = [_describe(detail) for detail in error.errors(include_url=False)]
        case _:
            raise ValueError(f"expected an object with {', '.join(NEEDED)}, got {clip(value)}")
    more = [f"and {len(mistakes) - MAX_SHOWN} more"] if len(mistakes) > MAX_SHOWN else []
    raise ValueError("; ".join([*mistakes[:MAX_SHOWN], *more]))


def _describe(error: ErrorDetails) -> str:
    field = str(error["loc"][0]) if error["loc"] else ""
    match error["type"]:
        case "missing":
            return f"{field} is missing"
        case "extra_forbidden":
            return f"unknown key {clip(field)} (known: {', '.join(BallotLine.model_fields)})"
        case "value_error":
            return f"{field} {error['ctx']['error']}".strip()
        case _:
            expected = error["msg"].replace("Input should", "must", 1)
            return f"{field} {clip(error['input'])} {expected if expected.startswith('must') else f'is wrong: {expected}'}"


def read_ballots(data: bytes, name: Path) -> Sequence[RawRow]:
    """Take a file's content apart: CSV by the suffix `.csv`, anything else as JSON lines (or a list of objects).

    Raises:
        ValueError: The content as a whole cannot be read; the message is one line.
    """
    if name.suffix.lower() != ".csv":
        return parse_rows(data, Path("ballots.jsonl"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"not UTF-8: byte 0x{data[error.start]:02x} in line {line}; save it as UTF-8") from error
    return list(_csv_rows(text))


def _csv_rows(text: str) -> Iterator[RawRow]:
    # Excel writes semicolons where the comma is the decimal sign, and tabs on request.
    separator = max(",;\t", key=text.partition("\n")[0].count)
    header: list[str] = []
    number = 0
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), start=1):
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if not header:
                header = _checked_header(cells)
            elif len(cells) != len(header):
                yield RawRow(f"row {number}", Unreadable(f"{len(cells)} cells, but the header has {len(header)}"))
            else:
                yield RawRow(f"row {number}", _from_cells(header, cells))
    except csv.Error as error:
        # What follows a broken quote cannot be told apart any more.
        yield RawRow(f"row {number + 1}", Unreadable(f"not CSV: {error}; nothing below it was read"))


def _checked_header(cells: list[str]) -> list[str]:
    known = f"known: {', '.join(COLUMNS)}"
    if lacking := [name for name in NEEDED if name not in cells]:
        raise ValueError(f"the header has no column {lacking[0]!r}; {known}")
    if strange := [name for name in cells if name not in COLUMNS]:
        raise ValueError(f"unknown column {clip(strange[0])}; {known} (texts go into JSON lines)")
    if twice := [name for name in cells if cells.count(name) > 1]:
        raise ValueError(f"column {clip(twice[0])} stands twice")
    return cells


def _from_cells(header: Sequence[str], cells: Sequence[str]) -> Mapping[str, Any] | Unreadable:
    row: dict[str, Any] = {name: cell for name, cell in zip(header, cells, strict=True) if cell or name in NEEDED}
    for name in LISTS:
        if name in row:
            row[name] = row[name].split(SEPARATOR)
    try:
        return {**row, "odds": orjson.loads(row["odds"])} if "odds" in row else row
    except orjson.JSONDecodeError as error:
        return Unreadable(f"odds {clip(row['odds'])} is not JSON: {error.msg}")


def to_cells(row: Mapping[str, Any]) -> list[str]:
    """Return the cells of a row as JSON lines have it, in the order of `COLUMNS`."""
    cells = []
    for name in COLUMNS:
        match row.get(name):
            case None | False:
                cells.append("")
            case True:
                cells.append("true")
            case dict() as odds:
                cells.append(orjson.dumps(odds).decode())
            case [*names]:
                cells.append(SEPARATOR.join(names))
            case value:
                cells.append(str(value))
    return cells
