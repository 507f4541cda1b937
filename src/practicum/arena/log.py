"""What was chosen, as statistics read it: one row for each rater's choice, whoever the rater was and wherever it is kept.

Counselors and raters stand here by the names that a reader sees; two that differ never share one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from practicum.core import Language, Outcome
from practicum.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class BallotRow:
    """One asking of one rater in one order."""

    shown: tuple[str, ...]
    """Counselors in the order in which they were shown: `shown[0]` is the first slot."""
    outcome: Outcome
    picked: int = -1
    """The slot that won, from 0; -1 unless the outcome is a win."""
    order: int = 0
    """Which of the choice's orders, from 0."""
    repeat: int = 0
    """0 for the first asking in this order; 1, 2, … for the same question asked again. Repeats tell of the rater's
    stability and count in nothing else."""
    mass: float | None = None
    """Probability that the labels had together, where the rater gave probabilities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceRow:
    """One rater's choice among the replies of one turn, or between two whole sessions."""

    session: str
    """Key of the session; for whole sessions, of their comparison."""
    turn: int
    """Index of the counselor's turn, odd, from 1; -1 for whole sessions."""
    profile: str
    """Digest of the client's profile: the same client is the same cluster in every run."""
    rater: str
    offered: tuple[str, ...]
    """Counselors whose replies were judged, each once, two or more."""
    outcome: Outcome
    shares: tuple[float, ...]
    """The part of the win of each in `offered`: sums to 1 for a win (1, 0, 0), a tie (½, ½, 0) or probabilities; all 0 for
    `none` and `unscored`."""
    texts: tuple[str, ...] = ()
    """What each in `offered` said; empty where it is not known (imports)."""
    language: Language = "zh"
    """The session's."""
    ballots: tuple[BallotRow, ...] = ()
    went_on: str = ""
    """The counselor whose reply went on in the session; "" where none did (fixed history, whole sessions, imports)."""
    drawn: bool = False
    """What went on was drawn by lot: it is no selection."""
    failed: tuple[str, ...] = ()
    """Members of the panel that gave no reply here."""

    @property
    def scored(self) -> bool:
        """Whether it says something about strengths: a win or a tie."""
        return self.outcome in (Outcome.WIN, Outcome.TIE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryRow:
    """One planted reply that no sound rater picks."""

    rater: str
    kind: str
    """shuffled, empty_advice, unsafe, copy, language."""
    caught: bool | None
    """Whether it was not picked (a tie with it is a pick); None: no verdict could be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceLog:
    """All choices of one or several runs."""

    rows: Sequence[ChoiceRow]
    canaries: Sequence[CanaryRow] = ()
    models: Mapping[str, str] = field(default_factory=dict)
    """Counselors and raters to `BACKEND:NAME` of their model; people and imports are absent."""

    def without(self, names: Collection[str]) -> ChoiceLog:
        """Return the choices that none of these counselors was offered in, as if they had never been there.

        Raises:
            ConfigError: One of them is nobody here.
        """
        known = {name for row in self.rows for name in (*row.offered, *row.failed)}
        if strangers := sorted(set(names) - known):
            raise ConfigError(f"without: {', '.join(strangers)}: no such counselor; expected {', '.join(sorted(known))}")
        rows = [
            replace(row, failed=tuple(name for name in row.failed if name not in names))
            for row in self.rows
            if not set(row.offered) & set(names)
        ]
        return replace(self, rows=rows)
