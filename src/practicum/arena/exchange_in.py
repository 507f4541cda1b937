"""Choices in: ballots that others cast become a run, and are counted as our own are."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from practicum.arena.combine import by_majority, by_probability
from practicum.arena.exchange_rows import IMPORTED_CHOICES, BallotLine, parse_ballot, read_ballots
from practicum.arena.records import BALLOT, CANDIDATE, CHOICE, DECISION, to_record
from practicum.arena.supervisor import odds_of
from practicum.core import Ballot, Candidate, Choice, Language, Outcome, Profile, Record, digest_of, guess_language
from practicum.core.version import VERSION
from practicum.dataset.texts import clip
from practicum.errors import ChoicesError
from practicum.store import DEFAULT_URL, PlannedSession, RunRecord, Store
from practicum.store.hot import chunks

FAILURE = "it gave no reply, as the file says"
AT_ONCE = 500
"""Sessions that are written at once: enough for large transactions, few enough to hold."""

Records = Mapping[int, Sequence[Record]]
"""What belongs to the turns of one session, by their index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import found in its file, and what of it is new."""

    file: Path
    run: str
    ballots: int
    choices: int
    sessions: int
    outcomes: Mapping[Outcome, int]
    """Of the choices."""
    candidates: tuple[str, ...]
    """Sorted."""
    raters: tuple[str, ...]
    """Sorted."""
    written: int
    """Turns whose choices were not there yet; 0 where the same file was imported before."""

    def lines(self) -> list[str]:
        """Return the report for people, one line a fact."""
        told = [
            f"{_count(self.ballots, 'ballot')} from {self.file}: {_count(self.choices, 'choice')} in {_count(self.sessions, 'session')}",
            "choices     " + ", ".join(f"{outcome} {self.outcomes[outcome]:,}" for outcome in Outcome if outcome in self.outcomes),
            f"candidates  {_listed(self.candidates)}",
            f"raters      {_listed(self.raters)}",
        ]
        return [*told, f"written as run {self.run}" if self.written else f"run {self.run} had all of it already: nothing was written"]


def import_choices(file: Path, *, run: str, db: str = DEFAULT_URL) -> ImportReport:
    """Read a file of ballots into a store, as a run that `read_log` reads like any other.

    Ballots of one rater on the same candidates of one turn are the orders of one choice, and become one verdict as those of
    our own supervisors do. All is checked before anything is written; the same file again changes nothing, and goes on
    where an import was cut.

    Args:
        file: `.csv` with a header, or JSON lines.
        run: The run's name.
        db: SQLAlchemy URL of the store, made if need be.

    Raises:
        ChoicesError: The file cannot be used; `problems` has one line for each bad row.
        RunConflictError: There is a run of this name, of another file or held here.
        RunLockedError: Another process is writing this run.
        StoreError: The store cannot be used.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ChoicesError(f"{file}: cannot be read ({error.strerror or error})") from error
    lines = _checked(data, file)
    names = sorted({name for line in lines for name in (*line.candidates, *line.failed)})
    raters = sorted({line.rater for line in lines})
    sessions = _by_session(lines)
    plan = RunRecord(
        name=run,
        identity={IMPORTED_CHOICES: sha256(data).hexdigest()[:16]},
        settings={"file": file.name, "names": {name: name for name in names}},
        version=VERSION,
    )
    with Store.open(db) as store, store.own_run(run):
        run_id = store.begin_run(plan, at=time.time())
        store.plan_sessions(run_id, (_planned(run, name, its) for name, its in sessions.items()))
        outcomes, written = _write(store, run, run_id, sessions)
        if not store.run(run).notes:
            store.note(run_id, f"imported {len(lines):,} ballots, {outcomes.total():,} choices from {file.name}", time.time())
    return ImportReport(
        file=file,
        run=run,
        ballots=len(lines),
        choices=outcomes.total(),
        sessions=len(sessions),
        outcomes=outcomes,
        candidates=tuple(names),
        raters=tuple(raters),
        written=written,
    )


# ── checking ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _checked(data: bytes, file: Path) -> list[BallotLine]:
    """Return the ballots of a file, all sound and none against another."""
    try:
        rows = read_ballots(data, file)
    except ValueError as error:
        raise ChoicesError(f"{file}: {error}") from error
    if not rows:
        raise ChoicesError(f"{file}: holds no ballots")
    lines: list[BallotLine] = []
    problems: list[str] = []
    seen = _Seen()
    for where, value in rows:
        try:
            line = parse_ballot(value)
            seen.add(line, where)
        except ValueError as error:
            problems.append(f"{where}: {error}")
        else:
            lines.append(line)
    if not problems:
        problems = list(seen.unasked())
    if problems:
        raise ChoicesError(f"{file}: {len(problems):,} of {len(rows):,} rows cannot be used", problems)
    return lines


class _ChoiceKey(NamedTuple):
    session: str
    turn: int
    rater: str
    offered: frozenset[str]


def _choice_of(line: BallotLine) -> _ChoiceKey:
    return _ChoiceKey(line.session, line.turn, line.rater, frozenset(line.candidates))


@dataclass(slots=True)
class _Seen:
    """What rows have said so far, so that none says otherwise."""

    facts: dict[tuple[object, ...], tuple[object, str]] = field(default_factory=dict)
    """What is one for a session, a turn or a candidate: its value, and the first row that gives it."""
    asked: dict[_ChoiceKey, str] = field(default_factory=dict)
    """Choices with a first asking."""
    again: dict[_ChoiceKey, str] = field(default_factory=dict)
    """Choices with a repeat."""

    def add(self, line: BallotLine, where: str) -> None:
        """Take one more row in, or raise a ValueError of one line."""
        choice = _choice_of(line)
        turn = (line.session, line.turn)
        ballot = ("ballot", choice, line.candidates, line.repeat)
        if ballot in self.facts:
            raise ValueError(
                f"the same ballot as {self.facts[ballot][1]}: one rater, turn and order of candidates; "
                "give repeat=1 if it was asked again, or name the raters"
            )
        texts = zip(line.candidates, line.texts or (), strict=False)
        facts: dict[tuple[object, ...], object] = {
            ("profile", line.session): line.profile or None,
            ("language", line.session): line.language,
            ("went_on", *turn): line.went_on or None,
            ("drawn", *turn): line.drawn if line.went_on else None,
            **{("texts", *turn, name): text for name, text in texts},
            **{("failed", *turn, name): name in line.failed for name in (*line.candidates, *line.failed)},
        }
        for key, value in facts.items():
            first, row = self.facts.get(key, (value, where))
            if None not in (value, first) and value != first:
                what = f" of {clip(key[-1])}" if key[0] in ("texts", "failed") else ""
                raise ValueError(f"{key[0]}{what}: {clip(value)} here, {clip(first)} in {row}; expected the same")
        self.facts |= {key: (value, where) for key, value in facts.items() if value is not None and key not in self.facts}
        self.facts[ballot] = (None, where)
        (self.again if line.repeat else self.asked).setdefault(choice, where)

    def unasked(self) -> Iterator[str]:
        """Yield a line for each choice that consists of repeats alone."""
        for choice, where in self.again.items():
            if choice not in self.asked:
                yield f"{where}: repeat must be 0 in one row of each choice: there is nothing that it repeats"


# ── from rows to records ─────────────────────────────────────────────────────────────────────────────────────────────


def _by_session(lines: Sequence[BallotLine]) -> Mapping[str, list[BallotLine]]:
    found: defaultdict[str, list[BallotLine]] = defaultdict(list)
    for line in lines:
        found[line.session].append(line)
    return found


def _key(run: str, session: str) -> str:
    return digest_of(["imported", run, session])


def _planned(run: str, session: str, lines: Sequence[BallotLine]) -> PlannedSession:
    """Return the session under which ballots are kept; nothing was said in it here."""
    profile = next((line.profile for line in lines if line.profile), "")
    key = _key(run, session)
    return PlannedSession(
        key=key,
        # Its story is not known: the name stands for it, so that the same client is one cluster, and a nameless one its own.
        profile=Profile(id=profile or session, text=profile or f"session {session} of {run}", language=_language(lines)),
        case=key,
        number=1,
        client="",
        counselor="",
        seed=0,
    )


def _language(lines: Sequence[BallotLine]) -> Language:
    given = next((line.language for line in lines if line.language), None)
    texts = next((line.texts for line in lines if line.texts), ())
    return given or (guess_language("".join(texts)) if texts else "zh")


def _records(lines: Sequence[BallotLine]) -> Records:
    """Return what is kept of one session: candidates, ballots, choices and what went on, by turn."""
    turns: defaultdict[int, list[BallotLine]] = defaultdict(list)
    for line in lines:
        turns[line.turn].append(line)
    return {turn: _turn_records(its) for turn, its in turns.items()}


def _turn_records(lines: Sequence[BallotLine]) -> list[Record]:
    said = {name: text for line in lines if line.texts for name, text in zip(line.candidates, line.texts, strict=True)}
    candidates = [Candidate(participant=name, text=text) for name, text in said.items()]
    failed = dict.fromkeys(name for line in lines for name in line.failed)
    candidates += [Candidate(participant=name, text="", failure=FAILURE) for name in failed]
    grouped: defaultdict[_ChoiceKey, list[BallotLine]] = defaultdict(list)
    for line in lines:
        grouped[_choice_of(line)].append(line)
    ballots = {choice: _ballots(its) for choice, its in grouped.items()}
    records = [to_record(CANDIDATE, one) for one in candidates]
    records += [to_record(BALLOT, one) for its in ballots.values() for one in its]
    records += [to_record(CHOICE, _choice(its)) for its in ballots.values()]
    went_on = next(((line.went_on, line.drawn) for line in lines if line.went_on), None)
    if went_on is not None:
        records.append(Record(kind=DECISION, data={"went_on": went_on[0], "drawn": went_on[1]}))
    return records


def _ballots(lines: Sequence[BallotLine]) -> list[Ballot]:
    orders: dict[tuple[str, ...], int] = {}
    return [
        Ballot(
            rater=line.rater,
            shown=line.candidates,
            labels=(),  # what they were called is not known
            answers=(),
            verdict=line.verdict,
            order=orders.setdefault(line.candidates, len(orders) if line.order is None else line.order),
            repeat=line.repeat,
            mass=1.0 if line.odds and line.mass is None else line.mass,
        )
        for line in lines
    ]


def _choice(ballots: Sequence[Ballot]) -> Choice:
    """Combine ballots as the bench does: by probabilities where every readable one has them, else by majority."""
    offered = tuple(sorted(ballots[0].shown))
    counted = [one for one in ballots if not one.repeat]
    readable = [one for one in counted if one.verdict.outcome is not Outcome.UNSCORED]
    odds = [found for one in readable if (found := odds_of(one)) is not None]
    if odds and len(odds) == len(readable):
        verdict, how = by_probability(odds, offered), "probability"
    else:
        verdict, how = by_majority([one.verdict for one in counted], offered), "majority"
    return Choice(rater=ballots[0].rater, offered=offered, verdict=verdict, combined=how if len(counted) > 1 else "single")


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _write(store: Store, run: str, run_id: int, sessions: Mapping[str, Sequence[BallotLine]]) -> tuple[Counter[Outcome], int]:
    """Keep what is not there yet; a turn's records are there together or not at all.

    Returns:
        How many choices there are of each outcome, and at how many turns there were none yet.
    """
    there = {session.key: {index for index, _ in found} for session, found in store.records_of(run, (CHOICE,))}
    ids = {one.key: one.id for one in store.owed_sessions(run_id)}
    outcomes: Counter[Outcome] = Counter()
    written = 0
    for names in chunks(sessions, AT_ONCE):
        missing: dict[int, Records] = {}
        for name in names:
            key, turns = _key(run, name), _records(sessions[name])
            outcomes.update(one.data["verdict"].outcome for its in turns.values() for one in its if one.kind == CHOICE)
            if owed := {turn: its for turn, its in turns.items() if turn not in there[key]}:
                missing[ids[key]] = owed
                written += len(owed)
        if missing:
            asyncio.run(_keep(store, missing))
    return outcomes, written


async def _keep(store: Store, sessions: Mapping[int, Records]) -> None:
    claims = await store.claim(list(sessions), time.time())
    writes = [store.keep(one.session_id, one.epoch, turn, its) for one in claims for turn, its in sessions[one.session_id].items()]
    await asyncio.gather(*writes)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _listed(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
