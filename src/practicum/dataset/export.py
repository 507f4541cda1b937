"""Export: sessions on their way into files, with a count of everything that did not go along."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from practicum.core import Session
from practicum.dataset.formats import Format, encode_dialogue, encode_session, encode_turns, write_rows
from practicum.dataset.rows import Cut, LeftOut, as_dialogue, reason_against
from practicum.errors import ExportError

HINTS: Mapping[LeftOut, str] = {
    LeftOut.UNFINISHED: "the command that began them goes on with them",
    LeftOut.FAILED: "the command that began them tries them again",
    LeftOut.TEST_SPLIT: "--format jsonl keeps them",
    LeftOut.RISK: "--include-risk keeps them",
}
"""What a user can do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What an export wrote, and what it did not."""

    written: int
    """Sessions."""
    turns: int
    """Turns of the sessions written, after cutting."""
    left_out: Mapping[LeftOut, int]
    """Sessions, each under one reason."""
    risks: Mapping[str, int]
    """Of the sessions left out for risk: how many show each kind; one session may show several."""
    cut: Mapping[Cut, int]
    """Turns of the sessions written that were cut or joined."""
    files: tuple[Path, ...]
    trained: tuple[str, ...] = ()
    """Keys of the sessions written, where the format is one to train on."""

    def lines(self) -> list[str]:
        """Return the report for people, one line a fact."""
        files = ", ".join(str(file) for file in self.files)
        return [f"{_count(self.written, 'session')}, {_count(self.turns, 'turn')} written to {files}", *_losses(self)]


@dataclass(slots=True)
class _Tally:
    """The report in the making."""

    written: int = 0
    turns: int = 0
    left_out: Counter[LeftOut] = field(default_factory=Counter)
    risks: Counter[str] = field(default_factory=Counter)
    cut: Counter[Cut] = field(default_factory=Counter)
    trained: list[str] = field(default_factory=list)

    def leave_out(self, session: Session, reason: LeftOut) -> None:
        self.left_out[reason] += 1
        if reason is LeftOut.RISK:
            self.risks.update(session.risk)


def export_sessions(
    sessions: Iterable[Session],
    *,
    form: Format,
    out: Path,
    include_risk: bool,
    system_prompt: Callable[[Session], str],
    name: str = "practicum",
) -> ExportReport:
    """Write sessions into a folder, one at a time, in the order in which they come.

    `sharegpt` and `messages` take finished sessions only, made to alternate (see `rows`), and none of a test profile;
    `jsonl` and `csv` take every session that has something to show. All leave out flagged sessions, unless told otherwise.

    Args:
        sessions: Read once; may be a generator over a store.
        form: The format.
        out: The folder; a complete new export replaces an old one, a failed or interrupted one changes nothing.
        include_risk: Keep sessions in which a risk was found.
        system_prompt: Gives the counselor's chat-form prompt of a session; "" leaves the system message away.
        name: The data set's name in LLaMA-Factory's `dataset_info.json`.

    Raises:
        ExportError: The folder cannot be written, or there is nothing to write; what was there before stays.
    """
    tally = _Tally()
    rows = _rows(sessions, form, include_risk, system_prompt, tally)
    files = write_rows(_at_least_one(rows, out, tally), form=form, out=out, name=name)
    return ExportReport(
        written=tally.written,
        turns=tally.turns,
        left_out=dict(tally.left_out),
        risks=dict(tally.risks),
        cut=dict(tally.cut),
        files=files,
        trained=tuple(tally.trained),
    )


def _rows(
    sessions: Iterable[Session], form: Format, include_risk: bool, system_prompt: Callable[[Session], str], tally: _Tally
) -> Iterator[bytes]:
    for session in sessions:
        if reason := _reason_against(session, form, include_risk):
            tally.leave_out(session, reason)
            continue
        tally.written += 1
        if form.for_training:
            dialogue = as_dialogue(session, system_prompt(session))
            tally.turns += dialogue.turns
            tally.cut.update(dialogue.cut)
            tally.trained.append(session.key)
            yield encode_dialogue(dialogue)
        else:
            tally.turns += len(session.turns)
            yield encode_turns(session) if form is Format.CSV else encode_session(session, system_prompt(session))


def _reason_against(session: Session, form: Format, include_risk: bool) -> LeftOut | None:
    if form.for_training:
        return reason_against(session, include_risk=include_risk)
    if form is Format.CSV and not session.turns:
        return LeftOut.NO_EXCHANGE
    return LeftOut.RISK if session.risk and not include_risk else None


def _at_least_one(rows: Iterable[bytes], out: Path, tally: _Tally) -> Iterator[bytes]:
    """Refuse an export without rows before it replaces one that has some: no trainer takes an empty file."""
    yield from rows
    if not tally.written:
        raise ExportError(f"{out}: nothing to export: {'; '.join(_losses(tally)) or 'the run has no sessions yet'}")


def _losses(report: ExportReport | _Tally) -> Iterator[str]:
    """Yield a line for each reason and each kind of cut, in the order in which the enums name them."""
    for reason in LeftOut:
        if number := report.left_out.get(reason):
            kinds = sorted(report.risks.items(), key=lambda kind: (-kind[1], kind[0])) if reason is LeftOut.RISK else []
            detail = f" ({', '.join(f'{kind} {times:,}' for kind, times in kinds)})" if kinds else ""
            hint = f"; {HINTS[reason]}" if reason in HINTS else ""
            yield f"{_count(number, 'session')} left out: {reason}{detail}{hint}"
    for cut in Cut:
        if number := report.cut.get(cut):
            yield f"{_count(number, 'turn')} {cut}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
