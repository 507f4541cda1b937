"""Choices read back from a store: rows for statistics, and the comparisons of whole sessions that are still owed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from practicum.arena.canary import PREFIX
from practicum.arena.log import BallotRow, CanaryRow, ChoiceLog, ChoiceRow
from practicum.arena.records import BALLOT, CANARY, CANDIDATE, CHOICE, DECISION, read_ballot, read_candidate, read_choice
from practicum.arena.supervisor import write_transcript
from practicum.arena.whole import WHOLE, Comparison
from practicum.core import Ballot, Candidate, Choice, Ending, Outcome, Record, Session, digest_of
from practicum.errors import StoreError
from practicum.roles import labels
from practicum.store import DEFAULT_URL, RunInfo, Store

KINDS = (BALLOT, CANARY, CANDIDATE, CHOICE, DECISION)


def read_log(runs: Sequence[str], *, db: str = DEFAULT_URL) -> ChoiceLog:
    """Return every choice of some runs, in the order in which they were planned and held.

    Counselors that differ in anything that determines what they say are different, whatever their names; where two would
    share a name, the digest's first digits follow it.

    Raises:
        StoreError: There is no such store or run, or no choice in any of them.
    """
    rows: list[ChoiceRow] = []
    canaries: list[CanaryRow] = []
    with Store.open(db, create=False) as store:
        infos = [store.run(run) for run in runs]
        names = names_of(infos)
        for run in dict.fromkeys(runs):  # a run named twice is no more evidence
            for session, records in store.records_of(run, KINDS):
                for turn in turns_of(records):
                    rows += choice_rows(session, turn, names)
                    canaries += [_canary_row(ballot, names) for ballot in turn.canaries]
    if not rows:
        raise StoreError(f"no choice in run {', '.join(runs)}; `practicum arena` and `practicum import choices` make some")
    models = {names[one.digest]: one.model for info in infos for one in info.participants if one.digest in names}
    return ChoiceLog(rows=rows, canaries=canaries, models=models)


def names_of(infos: Sequence[RunInfo]) -> Mapping[str, str]:
    """Return the name of each participant of an arena by its digest, no name twice; a later run's names stand."""
    given: dict[str, str] = {}
    for info in infos:
        given |= info.settings.get("names", {})
    used = Counter(given.values())
    return {digest: name if used[name] == 1 else f"{name} ({digest[:8]})" for digest, name in given.items()}


class TurnRecords(NamedTuple):
    """What was offered and chosen at one turn."""

    turn: int
    """Its index."""
    candidates: Mapping[str, Candidate]
    """By participant's digest; those that failed among them."""
    ballots: Sequence[Ballot]
    canaries: Sequence[Ballot]
    choices: Sequence[Choice]
    """Empty for a turn that was never said."""
    went_on: str
    """Digest; "" where the history is fixed."""
    drawn: bool


def turns_of(records: Sequence[tuple[int, Record]]) -> Iterator[TurnRecords]:
    """Yield the judged turns of a session; what was kept for a turn that was never said has no choices and is left out."""
    by_turn: defaultdict[int, list[Record]] = defaultdict(list)
    for index, record in records:
        by_turn[index].append(record)
    for index, found in by_turn.items():
        of = {kind: [record.data for record in found if record.kind == kind] for kind in KINDS}
        if not of[CHOICE]:
            continue
        decision: Mapping[str, Any] = of[DECISION][-1] if of[DECISION] else {"went_on": "", "drawn": False}
        candidates = [read_candidate(data) for data in of[CANDIDATE]]
        yield TurnRecords(
            turn=index,
            candidates={one.participant: one for one in candidates},
            ballots=[read_ballot(data) for data in of[BALLOT]],
            canaries=[read_ballot(data) for data in of[CANARY]],
            choices=[read_choice(data) for data in of[CHOICE]],
            went_on=decision["went_on"],
            drawn=decision["drawn"],
        )


def choice_rows(session: Session, turn: TurnRecords, names: Mapping[str, str]) -> list[ChoiceRow]:
    """Return a row for each rater's choice at one turn."""
    rows = []
    for choice in turn.choices:
        offered = choice.offered
        texts = tuple(turn.candidates[one].text for one in offered) if all(one in turn.candidates for one in offered) else ()
        ballots = [one for one in turn.ballots if one.rater == choice.rater and set(one.shown) == set(offered)]
        rows.append(
            ChoiceRow(
                session=session.key if turn.turn != WHOLE else digest_of([session.key, *offered]),
                turn=turn.turn,
                profile=session.profile.digest,
                rater=names.get(choice.rater, choice.rater),
                offered=tuple(names.get(one, one) for one in offered),
                outcome=choice.verdict.outcome,
                shares=tuple(choice.verdict.shares.get(one, 0.0) for one in offered),
                texts=texts,
                language=session.profile.language,
                ballots=tuple(_ballot_row(one, names) for one in ballots),
                went_on=names.get(turn.went_on, turn.went_on),
                drawn=turn.drawn,
                failed=tuple(names.get(name, name) for name, one in turn.candidates.items() if one.failure),
            )
        )
    return rows


def _ballot_row(ballot: Ballot, names: Mapping[str, str]) -> BallotRow:
    won = ballot.verdict.outcome is Outcome.WIN
    return BallotRow(
        shown=tuple(names.get(one, one) for one in ballot.shown),
        outcome=ballot.verdict.outcome,
        picked=ballot.shown.index(ballot.verdict.winners[0]) if won else -1,
        order=ballot.order,
        repeat=ballot.repeat,
        mass=ballot.mass,
    )


def _canary_row(ballot: Ballot, names: Mapping[str, str]) -> CanaryRow:
    planted = next(one for one in ballot.shown if one.startswith(PREFIX))
    unread = ballot.verdict.outcome is Outcome.UNSCORED
    return CanaryRow(
        rater=names.get(ballot.rater, ballot.rater),
        kind=planted.removeprefix(PREFIX),
        caught=None if unread else planted not in ballot.verdict.winners,
    )


class OwedComparison(NamedTuple):
    """A comparison of whole sessions that has no choice yet."""

    comparison: Comparison
    first: str
    """Key of the session that keeps its records."""
    kept: Sequence[tuple[int, Record]]
    """What the session keeps already."""


def read_comparisons(store: Store, run: str, combinations: Sequence[Sequence[str]], *, run_seed: int) -> list[OwedComparison]:
    """Return the comparisons that are owed: all whose sessions have ended well, and that have no choice yet.

    Args:
        store: Where the sessions are.
        run: The run's name.
        combinations: Digests of the counselors that are compared with each other.
        run_seed: The run's seed.
    """
    held: defaultdict[tuple[str, str, int], dict[str, tuple[Session, list[tuple[int, Record]]]]] = defaultdict(dict)
    for session, records in store.records_of(run, KINDS, with_turns=True):
        if session.ending not in (None, Ending.FAILED) and session.exchanges:
            held[session.profile.id, session.profile.digest, session.number][session.counselor] = (session, records)
    owed = []
    seen: Counter[tuple[str, ...]] = Counter()
    for sessions in held.values():
        for combination in combinations:
            digests = tuple(sorted(combination))
            if not set(digests) <= sessions.keys():
                continue
            ordinal = seen[digests]
            seen[digests] += 1
            first, kept = sessions[digests[0]]
            if any(turn.turn == WHOLE and any(one.offered == digests for one in turn.choices) for turn in turns_of(kept)):
                continue
            texts = {digest: write_transcript(sessions[digest][0].turns, labels(first.profile.language)) for digest in digests}
            comparison = Comparison(
                key=digest_of([sessions[digest][0].key for digest in digests]),
                ordinal=ordinal,
                language=first.profile.language,
                run_seed=run_seed,
                texts=texts,
            )
            owed.append(OwedComparison(comparison, first.key, [(index, record) for index, record in kept if index == WHOLE]))
    return owed
