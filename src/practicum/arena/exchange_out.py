"""Choices out: one row a ballot for those who count for themselves, chosen and rejected replies for preference tuning."""

from __future__ import annotations

import csv
import io
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from practicum.arena.exchange_rows import COLUMNS, IMPORTED_CHOICES, clean_candidate, to_cells, write_chosen
from practicum.arena.read import KINDS, TurnRecords, names_of, turns_of
from practicum.arena.supervisor import odds_of
from practicum.arena.whole import WHOLE
from practicum.core import Ballot, Choice, Outcome, Session, Speaker, Turn
from practicum.dataset import DATASET_INFO, Draft, LeftOut, as_dialogue, check_dataset_info, drafting, reason_against, system_prompts
from practicum.errors import ExportError
from practicum.store import DEFAULT_URL, Store

CHOICES = ("choices.jsonl", "choices.csv")
PREFERENCES = "preferences.jsonl"
LLAMA_FACTORY = "preferences.llamafactory.jsonl"
DATASET = "practicum_preferences"
"""The data set's name in LLaMA-Factory's `dataset_info.json`."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # without it, Excel shows Chinese as noise

HINTS: Mapping[LeftOut, str] = {
    LeftOut.UNFINISHED: "the same arena command goes on with them",
    LeftOut.FAILED: "the same arena command tries them again",
    LeftOut.TEST_SPLIT: "--format choices keeps them",
    LeftOut.RISK: "--include-risk keeps them",
}
"""What a user can do about it."""


class NoPair(StrEnum):
    """Why a choice gives no pair."""

    TIE = "a tie"
    NONE = "no candidate was acceptable"
    UNSCORED = "no verdict could be read"
    WHOLE = "between whole sessions"
    SAME_TEXT = "all replies said the same"


_BY_OUTCOME = {Outcome.TIE: NoPair.TIE, Outcome.NONE: NoPair.NONE, Outcome.UNSCORED: NoPair.UNSCORED}


@dataclass(slots=True, kw_only=True)
class ExchangeReport:
    """What an export of choices wrote, and what it did not."""

    what: str
    """Of the rows: ballot, pair."""
    rows: int = 0
    choices: int = 0
    """Of those rows."""
    sessions: list[str] = field(default_factory=list)
    """Keys of their sessions."""
    left_out: Counter[LeftOut] = field(default_factory=Counter)
    """Sessions that hold choices, each under one reason."""
    risks: Counter[str] = field(default_factory=Counter)
    """Of the sessions left out for risk: how many show each kind."""
    without_pair: Counter[NoPair] = field(default_factory=Counter)
    """Choices of sessions that were not left out."""
    canaries: int = 0
    """Ballots on planted replies, which are no choices."""
    files: tuple[Path, ...] = ()

    def lines(self) -> list[str]:
        """Return the report for people, one line a fact."""
        files = ", ".join(str(file) for file in self.files)
        of = f"{_count(self.rows, self.what)} of {_count(self.choices, 'choice')} in {_count(len(self.sessions), 'session')}"
        return [f"{of} written to {files}", *self.losses()]

    def losses(self) -> list[str]:
        """Return a line for each thing that did not go along."""
        lines = []
        for reason in LeftOut:
            if number := self.left_out[reason]:
                kinds = sorted(self.risks.items(), key=lambda kind: (-kind[1], kind[0])) if reason is LeftOut.RISK else []
                detail = f" ({', '.join(f'{kind} {times:,}' for kind, times in kinds)})" if kinds else ""
                hint = f"; {HINTS[reason]}" if reason in HINTS else ""
                lines.append(f"{_count(number, 'session')} left out: {reason}{detail}{hint}")
        lines += [f"{_count(number, 'choice')} without a pair: {why}" for why in NoPair if (number := self.without_pair[why])]
        if self.canaries:
            lines.append(f"{_count(self.canaries, 'ballot')} left out: on canaries")
        return lines

    def leave_out(self, session: Session, reason: LeftOut) -> None:
        """Count a session that does not go along."""
        self.left_out[reason] += 1
        if reason is LeftOut.RISK:
            self.risks.update(session.risk)


def export_choices(run: str, *, out: Path, include_risk: bool = False, db: str = DEFAULT_URL) -> ExchangeReport:
    """Write a run's ballots as `choices.jsonl` and, without what was said, `choices.csv`; `import_choices` reads both.

    Read back, they give the same ratings and intervals, if no session was left out for risk. What is resampled (the bootstrap,
    the orders of Elo) differs by chance: sessions and clients have other keys.

    Args:
        run: Its name.
        out: The folder; a complete new export replaces an old one, a failed one changes nothing.
        include_risk: Keep sessions in which a risk was found.
        db: SQLAlchemy URL of the store.

    Raises:
        StoreError: There is no such store or run.
        ExportError: The folder cannot be written, there is nothing to write, or a counselor's name cannot stand in a file.
    """
    report = ExchangeReport(what="ballot")
    with Store.open(db, create=False) as store:
        names = names_of([store.run(run)])
        with drafting(out, CHOICES) as (lines, table):
            table.write(BYTE_ORDER_MARK + _csv_row(COLUMNS))
            for session, turns in _judged(store, run):
                if session.risk and not include_risk:
                    report.leave_out(session, LeftOut.RISK)
                    continue
                report.sessions.append(session.key)
                for turn in turns:
                    _write_turn(session, turn, names, report, lines, table)
            _refuse_nothing(report, run, out)
    report.files = tuple(out / name for name in CHOICES)
    return report


def _judged(store: Store, run: str) -> Iterator[tuple[Session, list[TurnRecords]]]:
    """Yield the sessions of a run that hold choices, with their turns."""
    for session, records in store.records_of(run, KINDS, with_turns=True):
        if turns := list(turns_of(records)):
            yield session, turns


def _write_turn(session: Session, turn: TurnRecords, names: Mapping[str, str], report: ExchangeReport, lines: Draft, table: Draft) -> None:
    report.canaries += len(turn.canaries)
    for choice in turn.choices:
        report.choices += 1
        ballots = [one for one in turn.ballots if one.rater == choice.rater and set(one.shown) == set(choice.offered)]
        # In their order, not in that of arrival: sums of probabilities come out the same to the last digit.
        for ballot in sorted(ballots, key=lambda one: (one.order, one.repeat)):
            row = _ballot_row(session, turn, ballot, names)
            lines.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            table.write(_csv_row(to_cells(row)))
            report.rows += 1


def _ballot_row(session: Session, turn: TurnRecords, ballot: Ballot, names: Mapping[str, str]) -> dict[str, Any]:
    def named(digest: str) -> str:
        name = names.get(digest, digest)
        try:
            return clean_candidate(name)
        except ValueError as error:
            raise ExportError(f"counselor {error}; rename it in the arena's command, which changes nothing else") from error

    shown = [named(one) for one in ballot.shown]
    verdict = replace(ballot.verdict, winners=tuple(named(one) for one in ballot.verdict.winners))
    said = [turn.candidates[one].text for one in ballot.shown if one in turn.candidates]
    odds = odds_of(ballot)
    row: dict[str, Any] = {
        "session": session.key,
        "turn": turn.turn,
        "profile": session.profile.id,
        "language": session.profile.language,
        "rater": names.get(ballot.rater, ballot.rater),
        "candidates": shown,
        "chosen": write_chosen(verdict, shown),
        "order": ballot.order,
        "repeat": ballot.repeat,
        "texts": said if len(said) == len(shown) else None,
        "went_on": named(turn.went_on) if turn.went_on else None,
        "drawn": turn.drawn or None,
        "failed": [named(name) for name, one in turn.candidates.items() if one.failure] or None,
        "reason": verdict.reason or None,
        "odds": None if odds is None else {names.get(name, name): part for name, part in odds.items()},
        "mass": ballot.mass,
    }
    return {name: value for name, value in row.items() if value is not None}


def _csv_row(cells: Sequence[str]) -> bytes:
    row = io.StringIO(newline="")
    csv.writer(row).writerow(cells)
    return row.getvalue().encode()


# ── preferences ──────────────────────────────────────────────────────────────────────────────────────────────────────


def export_preferences(run: str, *, out: Path, include_risk: bool = False, db: str = DEFAULT_URL) -> ExchangeReport:
    """Write, for each choice that one candidate won, a pair with each that lost, and what the counselor had heard till then.

    `preferences.jsonl` is for TRL; `preferences.llamafactory.jsonl`, with `dataset_info.json`, says the same to LLaMA-Factory.
    The rules are those of every training export: finished sessions only, none of a test profile, none with a risk unless told
    otherwise; sessions of which a pair is written are marked in the store as learnt from.

    Args:
        run: Its name.
        out: The folder; a complete new export replaces an old one, a failed one changes nothing.
        include_risk: Keep sessions in which a risk was found.
        db: SQLAlchemy URL of the store.

    Raises:
        StoreError: There is no such store or run.
        ExportError: The folder cannot be written, its `dataset_info.json` lists data sets that are not ours, the run was
            imported, or there is nothing to write.
    """
    report = ExchangeReport(what="pair")
    check_dataset_info(out / DATASET_INFO, LLAMA_FACTORY)
    with Store.open(db, create=False) as store:
        info = store.run(run)
        if IMPORTED_CHOICES in info.identity:
            raise ExportError(f"run {run!r} was imported: what was said before its choices is not known, so they give no preferences")
        names, system = names_of([info]), system_prompts(info)
        with drafting(out, [PREFERENCES, LLAMA_FACTORY, DATASET_INFO]) as (trl, llama, registry):
            for row in _pairs(store, run, include_risk=include_risk, system=system, names=names, report=report):
                trl.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
                single = {name: row[name][0] for name in ("chosen", "rejected")}
                llama.write(orjson.dumps({"prompt": row["prompt"], **single}, option=orjson.OPT_APPEND_NEWLINE))
            registry.write(_registry())
            _refuse_nothing(report, run, out)
        store.mark_exported(run, report.sessions, time.time())
    report.files = tuple(out / name for name in (PREFERENCES, LLAMA_FACTORY, DATASET_INFO))
    return report


def _pairs(
    store: Store, run: str, *, include_risk: bool, system: Callable[[Session], str], names: Mapping[str, str], report: ExchangeReport
) -> Iterator[dict[str, Any]]:
    for session, turns in _judged(store, run):
        if reason := reason_against(session, include_risk=include_risk):
            report.leave_out(session, reason)
            continue
        before = report.rows
        for turn in turns:
            for choice in turn.choices:
                yield from _pairs_of(session, turn, choice, system=system, names=names, report=report)
        if report.rows > before:
            report.sessions.append(session.key)


def _pairs_of(
    session: Session,
    turn: TurnRecords,
    choice: Choice,
    *,
    system: Callable[[Session], str],
    names: Mapping[str, str],
    report: ExchangeReport,
) -> Iterator[dict[str, Any]]:
    """Yield a row for each candidate that lost against the winner of a choice, or count why there is none."""
    if turn.turn == WHOLE or choice.verdict.outcome is not Outcome.WIN:
        report.without_pair[NoPair.WHOLE if turn.turn == WHOLE else _BY_OUTCOME[choice.verdict.outcome]] += 1
        return
    winner = choice.verdict.winners[0]
    better = turn.candidates[winner].text
    # One that failed is not offered.
    losers = [name for name in choice.offered if name != winner and turn.candidates[name].text != better]
    if not losers:
        report.without_pair[NoPair.SAME_TEXT] += 1
        return
    report.choices += 1
    prompt = _context(session, turn.turn, system(session))
    shares = choice.verdict.shares
    for loser in losers:
        report.rows += 1
        yield {
            "prompt": prompt,
            "chosen": [{"role": "assistant", "content": better}],
            "rejected": [{"role": "assistant", "content": turn.candidates[loser].text}],
            "margin": shares[winner] - shares.get(loser, 0.0),
            "rater": names.get(choice.rater, choice.rater),
            "profile": session.profile.id,
            "session": session.key,
            "turn": turn.turn,
        }


def _context(session: Session, index: int, system: str) -> list[dict[str, str]]:
    """Return what the counselor had heard and said before a turn: an optional system message, then from user to user in turn."""
    # The rules of a training row end with an answer: one is lent, and taken away again.
    answer = Turn(index=index, speaker=Speaker.COUNSELOR, text="…")
    dialogue = as_dialogue(replace(session, turns=(*session.turns[:index], answer)), system)
    return [message._asdict() for message in dialogue.messages[:-1]]


def _registry() -> bytes:
    """Return LLaMA-Factory's registry with our one entry."""
    entry = {
        "file_name": LLAMA_FACTORY,
        "formatting": "sharegpt",
        "ranking": True,
        "columns": {"messages": "prompt", "chosen": "chosen", "rejected": "rejected"},
        "tags": {
            "role_tag": "role",
            "content_tag": "content",
            "user_tag": "user",
            "assistant_tag": "assistant",
            "system_tag": "system",
        },
    }
    return orjson.dumps({DATASET: entry}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _refuse_nothing(report: ExchangeReport, run: str, out: Path) -> None:
    """Refuse an export without rows before it replaces one that has some."""
    if not report.rows:
        losses = "; ".join(report.losses()) or f"run {run!r} holds no choices; `practicum arena` and `practicum import choices` make some"
        raise ExportError(f"{out}: nothing to export: {losses}")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
