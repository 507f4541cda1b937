"""A session as people read it: who says what, and what was marked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from practicum.cli.console import colored, count
from practicum.core import Ending, Language, Outcome, Speaker, Turn

if TYPE_CHECKING:
    from practicum.arena import TurnRecords

COLORS: Mapping[Speaker, str] = {Speaker.CLIENT: "cyan", Speaker.COUNSELOR: "green"}


class Narrator:
    """Prints the turns of one session as they are said; a `Watcher`."""

    def __init__(self, language: Language) -> None:
        self._language: Language = language
        self.turns = 0
        """Printed so far."""

    def turn(self, session: str, turn: Turn) -> None:
        """Print a turn, whatever its session."""
        print_turn(turn, self._language)
        self.turns += 1

    def ended(self, session: str, ending: Ending | None) -> None:
        """Say nothing: whoever holds the run tells its outcome."""


def print_turn(turn: Turn, language: Language) -> None:
    """Print a turn with its speaker's label in the session's language, then what was marked, if anything."""
    from practicum.roles import labels

    print(colored(labels(language)[turn.speaker], COLORS[turn.speaker], bold=True) + turn.text, flush=True)
    if marks := marks_of(turn.state):
        print(colored(f"    [{'; '.join(marks)}]", "yellow"), flush=True)


def marks_of(state: Mapping[str, Any]) -> list[str]:
    """Return what risk detector and reply check have found in a turn, in words."""
    marks = []
    if risk := state.get("risk"):
        marks.append(f"risk: {', '.join(risk)}")
    if check := state.get("check"):
        left = check.get("left", check["faults"])
        if "as_said" in check:
            marks.append(f"mended: {', '.join(check['faults'])}")
        if left:
            marks.append(f"taken although: {', '.join(left)}")
    return marks


def choice_lines(turn: TurnRecords, names: Mapping[str, str]) -> list[str]:
    """Return what was offered at a turn, ▸ before what went on, and what each rater chose."""
    lines = []
    for digest, candidate in turn.candidates.items():
        mark = "▸" if digest == turn.went_on else " "
        said = f"(failed: {candidate.failure})" if candidate.failure else candidate.text
        lines.append(f"    {mark} {names.get(digest, digest)}: {said}")
    for choice in turn.choices:
        verdict = choice.verdict
        winners = ", ".join(names.get(digest, digest) for digest in verdict.winners)
        what = " ".join(part for part in (verdict.outcome if verdict.outcome is not Outcome.WIN else "", winners) if part)
        reason = f": {verdict.reason}" if verdict.reason else ""
        asked = sum(
            ballot.rater == choice.rater and not ballot.repeat and set(ballot.shown) == set(choice.offered) for ballot in turn.ballots
        )
        lines.append(f"    → {names.get(choice.rater, choice.rater)}: {what}{reason} ({choice.combined}, {count(asked, 'ballot')})")
    if turn.drawn:
        lines.append("    → what went on was drawn by lot")
    return lines
