"""What a reader must know before a ranking is believed: warnings about raters, and about the choices themselves."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from practicum.arena import MIN_CLUSTERS, Agreement, JudgeCard, Ranking, RaterCard, SetFit
from practicum.report.table import Note, P, Ratio

MOST_MISSED = 0.05
"""A supervisor that picks more planted replies than this is not fit to judge."""
MOST_INVALID = 0.05
LEAST_CONSISTENT = 0.60
STRONG = 0.01
"""A p below this is not put down to chance."""
MOST_FAILED = 0.05


class Trust(StrEnum):
    """How far a rater may be believed, in a word."""

    SOUND = "sound"
    CARE = "with care"
    """There is a warning about it."""
    UNSOUND = "unsound"
    """It picked what no sound rater picks, or gave no verdict at all."""
    UNTESTED = "untested"
    """No warning, but neither orders nor canaries were tried."""


def trust_in(rater: RaterCard) -> Trust:
    """Return the word for a rater."""
    notes = rater_notes(rater)
    if any(note.severe for note in notes):
        return Trust.UNSOUND
    if notes:
        return Trust.CARE
    return Trust.SOUND if rater.in_orders or rater.canaries else Trust.UNTESTED


def rater_notes(rater: RaterCard) -> tuple[Note, ...]:
    """Return the warnings about a rater, the severe ones first."""
    notes = []
    if rater.canaries and rater.missed / rater.canaries > MOST_MISSED:
        kinds = ", ".join(f"{kind} {number}" for kind, number in rater.missed_kinds.items())
        notes.append(
            Note(
                f"{rater.rater} picked planted replies that no sound rater picks: {Ratio(rater.missed, rater.canaries)}"
                f"{f', {kinds}' if kinds else ''}; above {100 * MOST_MISSED:.0f} % its choices say nothing",
                severe=True,
            )
        )
    if rater.choices and rater.unscored == rater.choices:
        notes.append(Note(f"{rater.rater} gave no verdict that could be read, in {rater.choices:,} choices", severe=True))
    if rater.own_family:
        notes.append(Note(f"{rater.rater} judges its own family: {', '.join(rater.own_family)}"))
    if rater.ballots and rater.invalid / rater.ballots > MOST_INVALID:
        notes.append(Note(f"{rater.rater} often gave no readable verdict: {Ratio(rater.invalid, rater.ballots)} of its ballots"))
    if rater.in_orders and rater.consistent / rater.in_orders < LEAST_CONSISTENT:
        notes.append(
            Note(f"{rater.rater} often changes its mind with the order: the same verdict in {Ratio(rater.consistent, rater.in_orders)}")
        )
    if rater.slot_p is not None and rater.slot_p < STRONG and rater.slot_shares:
        most = max(rater.slot_shares, key=lambda slot: slot.share)
        notes.append(
            Note(
                f"{rater.rater} favours a slot: slot {most.slot} was picked {Ratio(most.picks, most.shown)}, "
                f"{P(rater.slot_p).told} if all slots were equal"
            )
        )
    return tuple(notes)


def card_notes(card: JudgeCard) -> tuple[Note, ...]:
    """Return the warnings about all raters, the severe ones first."""
    notes = [note for rater in card.raters for note in rater_notes(rater)]
    return tuple(sorted(notes, key=lambda note: not note.severe))


def poor_fits(fits: Sequence[SetFit]) -> tuple[SetFit, ...]:
    """Return the sets that the model fits badly, by Holm's correction for so many tests.

    References:
        Holm (1979), Scandinavian Journal of Statistics 6(2).
    """
    return tuple(fit for fit, p in zip(fits, holm(tuple(fit.p for fit in fits)), strict=True) if p < STRONG)


def holm(ps: Sequence[float]) -> tuple[float, ...]:
    """Correct p values for their number, each in its place."""
    corrected = [0.0] * len(ps)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda one: ps[one])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[place]))
        corrected[place] = largest
    return tuple(corrected)


def ranking_notes(ranking: Ranking) -> tuple[Note, ...]:
    """Return the warnings about the choices behind a ranking."""
    notes = []
    if ranking.too_few:
        notes.append(
            Note(
                f"{why_no_interval(ranking)}; {MIN_CLUSTERS} are the least. Without one, the order of the table may be chance.", severe=True
            )
        )
    poor = poor_fits(ranking.fits)
    if poor:
        worst = min(poor, key=lambda fit: fit.p)
        notes.append(
            Note(
                f"one strength for each counselor does not explain {Ratio(len(poor), len(ranking.fits))} sets of candidates; worst: "
                f"{' / '.join(worst.offered)} (n = {worst.choices:,}, {P(worst.p).told}). "
                "Alike counselors may split each other's votes."
            )
        )
    if ranking.ties and not ranking.wins:
        notes.append(Note(f"no choice was won outright: all {ranking.ties:,} scored ones are ties", severe=True))
    if ranking.drawn:
        notes.append(Note(f"what went on was drawn by lot at {ranking.drawn:,} turns: there, sessions did not follow the verdict"))
    if ranking.choices and ranking.unscored / ranking.choices > MOST_INVALID:
        notes.append(Note(f"{Ratio(ranking.unscored, ranking.choices)} choices are unscored and count in nothing"))
    for one in ranking.standings:
        if one.failed > MOST_FAILED * (one.failed + one.offered):
            notes.append(
                Note(f"{one.counselor} gave no reply {Ratio(one.failed, one.failed + one.offered)} times; its rating says nothing of those")
            )
    return tuple(notes)


def why_no_interval(ranking: Ranking) -> str:
    """Return why no counselor has an interval: too few clusters in all."""
    return f"too few {ranking.cluster}s for an interval (n = {ranking.clusters:,})"


def agreement_note(agreement: Agreement) -> Note | None:
    """Return what keeps the raters of a log from being compared."""
    if agreement.items:
        return None
    return Note(f"no choice was judged by two of the {len(agreement.raters)} raters: their agreement is not known")
