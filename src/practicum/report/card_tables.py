"""The judge card as tables: what is known of each rater, and of their agreement."""

from __future__ import annotations

from practicum.arena import Agreement, JudgeCard, RaterCard
from practicum.report.cautions import agreement_note, trust_in
from practicum.report.table import BLANK, Cell, Note, Number, P, Ratio, Span, Table

CARD_COLUMNS = (
    ("rater", "model", "verdict", "choices", "unscored", "ballots", "invalid", "canaries missed", "own family"),
    (
        "rater",
        "order consistency",
        "slot shares",
        "slot p",
        "repeats stable",
        "longest wins",
        "by chance",
        "length effect",
        "length interval",
    ),
)
"""The card's columns on two pages of paper."""

CARD_LEGEND = (
    Note(
        "Order consistency: of the choices asked in two or more orders, those with the same verdict in all. Slot shares: of the ballots "
        "with a win that showed the slot, those that picked it. Longest wins: of the wins among replies whose lengths differ. "
        "Length effect: logits per standard deviation of log length, strengths held equal."
    ),
)


def card_table(card: JudgeCard) -> Table:
    """Return one row for each rater."""
    header = (*CARD_COLUMNS[0], *CARD_COLUMNS[1][1:])
    rows = tuple(_rater_row(rater) for rater in card.raters)
    return Table("judge_card", "Judge card", header, rows, CARD_LEGEND)


def _rater_row(rater: RaterCard) -> tuple[Cell, ...]:
    effect = rater.length_effect
    return (
        rater.rater,
        rater.model or None,
        trust_in(rater).value,
        rater.choices,
        rater.unscored,
        rater.ballots,
        Ratio(rater.invalid, rater.ballots),
        Ratio(rater.missed, rater.canaries),
        ", ".join(rater.own_family) or None,
        Ratio(rater.consistent, rater.in_orders),
        slot_shares(rater),
        None if rater.slot_p is None else P(rater.slot_p),
        Ratio(rater.stable, rater.repeated),
        None if rater.longest_wins is None else Number(rater.longest_wins, 1, percent=True),
        None if rater.longest_by_chance is None else Number(rater.longest_by_chance, 1, percent=True),
        None if effect is None else Number(effect.logits, 2),
        Span(None if effect is None else effect.interval, 2),
    )


def slot_shares(rater: RaterCard) -> str:
    """Return how often each slot was picked, the first slot first, each with its n."""
    return ", ".join(f"{Number(slot.share, 1, percent=True)} of {slot.shown:,}" for slot in rater.slot_shares) or BLANK


def agreement_table(agreement: Agreement) -> Table:
    """Return how far raters agree, a row for each measure, each with its n."""
    kappa = "kappa (Cohen)" if len(agreement.raters) == 2 else "kappa (Cohen, mean over pairs)"
    rows = (
        ("alpha (Krippendorff, nominal)", _coefficient(agreement.alpha), Span(agreement.alpha_interval, 2), agreement.items),
        (kappa, _coefficient(agreement.kappa), Span(agreement.kappa_interval, 2), agreement.items),
        ("same verdict", _coefficient(agreement.raw), None, agreement.items),
    )
    note = agreement_note(agreement)
    title = f"Agreement of {len(agreement.raters)} raters: {', '.join(agreement.raters)}"
    return Table("agreement", title, ("measure", "value", "interval", "n"), rows, (note,) if note else ())


def _coefficient(value: float | None) -> Number | None:
    return None if value is None else Number(value, 2)
