"""What rating and judging the judge bring forth: frozen results, to be printed, drawn and written by whoever likes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

Cluster = Literal["profile", "session", "choice"]
"""What counts as one independent draw for an interval."""

MIN_CLUSTERS = 10
"""With fewer there is no interval: their spread says too little."""


class Interval(NamedTuple):
    """A 95 % interval."""

    low: float
    high: float


class Ranks(NamedTuple):
    """The ranks that a counselor may have, 1 the best; all of a table's hold together with 95 %."""

    best: int
    worst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Elo:
    """Sequential Elo over many random orders of the same choices."""

    mean: float
    sd: float
    low: float
    """The lowest over the orders …"""
    high: float
    """… and the highest: how far the order alone moves it."""
    sequential: float
    """In the order in which the choices stand in the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One counselor's line of the table."""

    counselor: str
    rating: float
    """Elo scale: 400/ln 10 per logit, mean 1000 or the anchor's 1000."""
    se: float | None
    """Standard error in points; None with too few clusters. 0 for the anchor."""
    interval: Interval | None
    """From the clustered sandwich."""
    bootstrap: Interval | None
    """The cross-check: percentiles over resampled clusters."""
    ranks: Ranks | None
    controlled: float | None
    """The rating with length and style held equal; None where texts are not known."""
    controlled_interval: Interval | None
    sessions: int
    """Sessions in which it was offered at least once."""
    offered: int
    """Scored choices (wins and ties) in which it was a candidate."""
    selections: int
    """Choices that it won outright; drawn continuations are none."""
    points: float
    """Sum of its shares: ties and probabilities count in part."""
    average: float
    """Selections per session (and rater, where there are several): the paper's score."""
    share: float
    """Points per time offered."""
    share_interval: Interval | None
    none_rate: float
    """Share of the choices that it was in (unscored ones left out) in which no candidate was acceptable."""
    failed: int
    """Turns at which it gave no reply."""
    elo: Elo


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One coefficient of the choice model, in logits."""

    name: str
    """slot A is 0 by definition and not listed: `slot 2`, `slot 3` …; or a feature of style, in standard deviations."""
    logits: float
    interval: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFit:
    """How well the model fits one set of candidates."""

    offered: tuple[str, ...]
    choices: int
    observed: tuple[float, ...]
    """Share of each."""
    expected: tuple[float, ...]
    chi2: float
    """Pearson's, over the set's candidates."""
    df: int
    p: float
    """From the chi-square distribution; small: these counselors split each other's votes, or the order of strength turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnShare:
    """A counselor's share of the choices at one exchange."""

    counselor: str
    exchange: int
    """From 1."""
    offered: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Which counselor is better, and how sure we are."""

    standings: tuple[Standing, ...]
    """The best first; equal ratings by name."""
    cluster: Cluster
    clusters: int
    anchor: str | None
    choices: int
    """Rows in all."""
    wins: int
    ties: int
    nones: int
    unscored: int
    drawn: int
    sessions: int
    judged_per_session: Mapping[str, float]
    """mean, median, min, max of judged turns per session."""
    slots: tuple[Effect, ...]
    """From single ballots, strengths held equal; empty where no order is known."""
    style: tuple[Effect, ...]
    fits: tuple[SetFit, ...]
    """By number of choices, the largest set first."""
    matrix: tuple[tuple[float | None, ...], ...]
    """Row i, column j, in the order of `standings`: of the points that i and j shared in choices with both, i's part; None
    on the diagonal and where they never met."""
    by_turn: tuple[TurnShare, ...]
    elo_k: float
    elo_scale: float
    elo_start: float
    elo_orders: int

    @property
    def too_few(self) -> bool:
        """Whether there are too few clusters for an interval."""
        return self.clusters < MIN_CLUSTERS


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotShare:
    """How often one slot was picked, over first askings with a win."""

    slot: int
    """From 1."""
    picks: int
    shown: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RaterCard:
    """How far one rater can be trusted."""

    rater: str
    model: str
    """`BACKEND:NAME`, "" for a person or an import."""
    choices: int
    ballots: int
    """First askings."""
    invalid: int
    """First askings without a verdict."""
    unscored: int
    """Choices without a verdict."""
    slot_shares: tuple[SlotShare, ...]
    slot_chi2: float
    slot_p: float | None
    """Of equal slots, Pearson's chi-square over sets of the commonest size; None without any win."""
    consistent: int
    """Choices asked in two or more orders whose every ballot gave the same verdict …"""
    in_orders: int
    """… of so many with at least two readable ballots in different orders."""
    stable: int
    """Repeated questions answered as before …"""
    repeated: int
    """… of so many."""
    longest_wins: float | None
    """Share of the wins, among choices whose texts differ in length, that the longest reply has; None if none is known."""
    longest_by_chance: float | None
    """What chance alone would give there: the mean of one in so many."""
    length_effect: Effect | None
    """Logits per standard deviation of log length, strengths held equal."""
    canaries: int
    missed: int
    """Canaries picked."""
    missed_kinds: Mapping[str, int]
    own_family: tuple[str, ...]
    """Counselors whose model is of the rater's family."""

    @property
    def canary_miss_rate(self) -> float | None:
        """Missed canaries; None where none was read."""
        return self.missed / self.canaries if self.canaries else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far raters agree, over the choices that two or more of them judged."""

    raters: tuple[str, ...]
    items: int
    alpha: float | None
    """Krippendorff's, nominal; None where it is not defined."""
    alpha_interval: Interval | None
    kappa: float | None
    """Cohen's for two raters, else the mean over pairs."""
    kappa_interval: Interval | None
    raw: float | None
    """Share of pairs of verdicts that are the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCard:
    """Shown before any ranking."""

    raters: tuple[RaterCard, ...]
    agreement: Agreement | None
    """None with one rater."""
