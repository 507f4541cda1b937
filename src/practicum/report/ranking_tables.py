"""The ranking as tables: standings, who beats whom, slots, style, fit, and what changes in the course of a session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from practicum.arena import MIN_CLUSTERS, Cluster, Effect, Interval, JudgeCard, Ranking, Standing
from practicum.report.card_tables import CARD_COLUMNS, agreement_table, card_table
from practicum.report.cautions import STRONG, holm, why_no_interval
from practicum.report.table import BLANK, Cell, Note, Number, P, Span, Table

RATING_COLUMNS = ("rank", "counselor", "rating", "interval", "bootstrap", "controlled", "controlled interval", "Elo", "Elo sd", "Elo range")
PARTS = 3
"""Of a session's course, on a terminal."""
COUNT_COLUMNS = ("counselor", "sessions", "offered", "selections", "average", "share", "share interval", "none", "failed")
"""The standings on two pages of paper."""

STANDINGS_LEGEND = (
    Note(
        "Rating: Luce's choice model on the Elo scale (400/ln 10 points per logit); rank: the ranks that a counselor may have, all "
        "together with 95 %; intervals: 95 %, from the clustered sandwich, the bootstrap beside it as a check; controlled: the rating "
        "with length and style held equal, to compare with, not to replace it."
    ),
    Note(
        "Offered: scored choices (wins and ties) with this counselor; selections: those it won outright; average: selections per "
        "session; share: its part of the points per time offered; none: of its choices that were read, those in which no reply was "
        "acceptable; failed: choices that it missed because it gave no reply."
    ),
)


def tables_of(ranking: Ranking, card: JudgeCard) -> tuple[Table, ...]:
    """Return every table there is something for, in the order of reading: the judge card always comes first."""
    tables = (
        card_table(card),
        *((agreement_table(card.agreement),) if card.agreement else ()),
        standings_table(ranking),
        matrix_table(ranking),
        slots_table(ranking),
        style_table(ranking),
        fits_table(ranking),
        turns_table(ranking),
    )
    return tuple(table for table in tables if table.rows)


def counted(ranking: Ranking) -> str:
    """Return what was counted, in a line."""
    return (
        f"{ranking.choices:,} choices ({ranking.wins:,} wins, {ranking.ties:,} ties, {ranking.nones:,} none acceptable, "
        f"{ranking.unscored:,} unscored) in {ranking.sessions:,} sessions"
    )


def standings_table(ranking: Ranking) -> Table:
    """Return a row for each counselor, the best first."""
    anchor = "the mean" if ranking.anchor is None else ranking.anchor
    title = f"Standings: {counted(ranking)}; 1000 = {anchor}; {ranking.clusters:,} {ranking.cluster}s"
    header = (*RATING_COLUMNS, *COUNT_COLUMNS[1:])
    notes = (*STANDINGS_LEGEND, elo_note(ranking))
    return Table("standings", title, header, tuple(_standing_row(ranking, one) for one in ranking.standings), notes)


def _standing_row(ranking: Ranking, one: Standing) -> tuple[Cell, ...]:
    why = _why(ranking, one)
    known = one.controlled is not None
    return (
        _ranks(one),
        one.counselor,
        Number(one.rating),
        Span(one.interval, why=why),
        Span(one.bootstrap, why=why if one.interval is None else BLANK),
        None if one.controlled is None else Number(one.controlled),
        Span(one.controlled_interval, why=why if known else BLANK),
        Number(one.elo.mean),
        Number(one.elo.sd),
        Span(Interval(one.elo.low, one.elo.high)),
        one.sessions,
        one.offered,
        one.selections,
        Number(one.average, 2),
        Number(one.share, 1, percent=True),
        Span(one.share_interval, 1, percent=True, why=why),
        Number(one.none_rate, 1, percent=True),
        one.failed,
    )


def _ranks(one: Standing) -> str | None:
    if one.ranks is None:
        return None
    best, worst = one.ranks
    # "2 to 3", not "2-3", which a spreadsheet takes for the second of March.
    return str(best) if best == worst else f"{best} to {worst}"


def _why(ranking: Ranking, one: Standing) -> str:
    """Tell why a counselor has no interval: the log has too few clusters, or those in which it was offered are too few."""
    if ranking.too_few:
        return why_no_interval(ranking)
    own: dict[Cluster, str] = {"session": f"= {one.sessions:,}", "choice": f"= {one.offered:,}", "profile": f"< {MIN_CLUSTERS}"}
    return f"too few {ranking.cluster}s for an interval (n {own[ranking.cluster]})"


def elo_note(ranking: Ranking) -> Note:
    """Say in one line why a single sequential Elo means little."""
    most = max(ranking.standings, key=lambda one: one.elo.high - one.elo.low)
    return Note(
        f"A single sequential Elo means little: it depends on the order of the same choices. Over {ranking.elo_orders:,} random orders "
        f"of n = {ranking.wins + ranking.ties:,} (K = {ranking.elo_k:g}, scale {ranking.elo_scale:g}, start {ranking.elo_start:g}) "
        f"that of {most.counselor} runs from {most.elo.low:,.0f} to {most.elo.high:,.0f}."
    )


def matrix_table(ranking: Ranking) -> Table:
    """Return the share of each counselor against each other, the columns numbered in the order of the rows."""
    numbers = tuple(str(place) for place in range(1, len(ranking.standings) + 1))
    rows = tuple(
        (place, one.counselor, *(None if share is None else Number(share, 1, percent=True) for share in shares))
        for place, (one, shares) in enumerate(zip(ranking.standings, ranking.matrix, strict=True), start=1)
    )
    note = Note(
        f"Of the points that two counselors shared in choices with both, the part of the row's; n = {ranking.wins + ranking.ties:,} "
        "scored choices in all."
    )
    return Table("win_matrix", "Who beats whom", ("#", "counselor", *numbers), rows, (note,))


def slots_table(ranking: Ranking) -> Table:
    """Return what a slot is worth, in logits against the first."""
    note = Note("Logits against slot 1 (0 by definition), strengths held equal; from single ballots.")
    return Table("slot_effects", "Slot effects", ("slot", "logits", "interval"), _effect_rows(ranking, ranking.slots), (note,))


def style_table(ranking: Ranking) -> Table:
    """Return what each feature of style is worth, in logits per standard deviation."""
    note = Note(
        "Logits per standard deviation within a choice, strengths held equal: what the raters like apart from who speaks; "
        f"n = {ranking.wins + ranking.ties:,} scored choices."
    )
    return Table("style_effects", "Style effects", ("feature", "logits", "interval"), _effect_rows(ranking, ranking.style), (note,))


def _effect_rows(ranking: Ranking, effects: Sequence[Effect]) -> tuple[tuple[Cell, ...], ...]:
    why = why_no_interval(ranking) if ranking.too_few else BLANK
    return tuple((effect.name, Number(effect.logits, 2), Span(effect.interval, 2, why=why)) for effect in effects)


def fits_table(ranking: Ranking) -> Table:
    """Return how well the model fits each set of candidates, the largest set first."""
    corrected = holm(tuple(fit.p for fit in ranking.fits))
    rows = tuple(
        (
            " / ".join(fit.offered),
            fit.choices,
            " / ".join(str(Number(share, 1, percent=True)) for share in fit.observed),
            " / ".join(str(Number(share, 1, percent=True)) for share in fit.expected),
            Number(fit.chi2, 1),
            fit.df,
            P(fit.p),
            P(holm_p),
        )
        for fit, holm_p in zip(ranking.fits, corrected, strict=True)
    )
    header = ("candidates", "n", "observed", "expected", "chi²", "df", "p", "Holm p")
    note = Note(f"Pearson's test of each set; Holm p is corrected for their number ({len(rows):,}); below {STRONG} the set does not fit.")
    return Table("fit", "Fit of the choice model", header, rows, (note,))


def turns_table(ranking: Ranking) -> Table:
    """Return each counselor's share of the choices at each exchange."""
    place = {one.counselor: number for number, one in enumerate(ranking.standings)}
    ordered = sorted(ranking.by_turn, key=lambda one: (place.get(one.counselor, len(place)), one.counselor, one.exchange))
    rows = tuple((one.counselor, one.exchange, one.offered, Number(one.share, 1, percent=True)) for one in ordered)
    judged = ranking.judged_per_session
    spread = ", ".join(f"{name} {value:,.1f}" for name, value in judged.items())
    notes = (Note(f"Judged turns per session: {spread} (n = {ranking.sessions:,} sessions)."),) if spread else ()
    return Table("share_by_exchange", "Share by exchange", ("counselor", "exchange", "n", "share"), rows, notes)


def course_table(ranking: Ranking) -> Table:
    """Return each counselor's share early, in the middle and late: the exchanges in at most three equal parts."""
    exchanges = sorted({one.exchange for one in ranking.by_turn})
    size = -(-len(exchanges) // PARTS) or 1
    parts = [exchanges[start : start + size] for start in range(0, len(exchanges), size)]
    header = tuple(str(part[0]) if part[0] == part[-1] else f"{part[0]} to {part[-1]}" for part in parts)
    rows = tuple((one.counselor, *(_share_in(ranking, one.counselor, part) for part in parts)) for one in ranking.standings)
    title = "Share by exchange: early choices and late ones"
    return Table("course", title, ("counselor", *header), rows if len(parts) > 1 else ())


def _share_in(ranking: Ranking, counselor: str, exchanges: Sequence[int]) -> Number | None:
    found = [one for one in ranking.by_turn if one.counselor == counselor and one.exchange in exchanges]
    offered = sum(one.offered for one in found)
    return Number(sum(one.share * one.offered for one in found) / offered, 1, percent=True) if offered else None


def pages_of(tables: Sequence[Table]) -> Iterator[Table]:
    """Yield tables no wider than paper: wide ones in two parts, the notes under the last."""
    parts = {"judge_card": CARD_COLUMNS, "standings": (RATING_COLUMNS, COUNT_COLUMNS)}
    for table in tables:
        pages = [table.only(*columns) for columns in parts.get(table.name, (table.header,))]
        for number, page in enumerate(pages, start=1):
            title = page.title if number == 1 else f"{page.title.partition(':')[0]}, continued"
            name = page.name if number == 1 else f"{page.name}_{number}"
            yield Table(name, title, page.header, page.rows, page.notes if number == len(pages) else ())
