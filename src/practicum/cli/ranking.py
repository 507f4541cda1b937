"""How the judge card and a ranking look on a terminal of 100 columns: the card first, always."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from practicum.cli.console import colored, table, width_of
from practicum.errors import NotIdentifiedError

if TYPE_CHECKING:
    from practicum.arena import Agreement, ChoiceLog, Cluster, Effect, JudgeCard, Ranking, RaterCard
    from practicum.report import Note, Table

COLUMNS = 100
PARTS = (
    (
        ("rank", "counselor", "rating", "interval", "bootstrap", "controlled", "controlled interval"),
        ("bootstrap", "controlled interval"),
    ),
    (("counselor", "sessions", "offered", "selections", "average", "share", "share interval", "none", "failed"), ()),
    (("counselor", "Elo", "Elo sd", "Elo range"), ()),
)
"""The columns of the standings that stand beside each other, and those of them that go where there is no room."""
MOST_COLUMNS = 12
"""Of a table beside the standings: more do not fit, and are left to --out."""
LEAST_NAME = 16
"""Columns that a counselor's name keeps at least; others give way."""


def print_ranking(log: ChoiceLog, *, cluster: Cluster = "profile", anchor: str | None = None, seed: int = 0) -> tuple[JudgeCard, Ranking]:
    """Judge the judge and print its card, then rank the counselors and print that; return both.

    Raises:
        NotIdentifiedError: Strengths are not determined; the card and the counts have been printed by then.
        ConfigError: Nobody is called like the anchor.
    """
    from practicum.arena import judge, rank

    card = judge(log, seed=seed)
    _print_card(card)
    try:
        ranking = rank(log, cluster=cluster, anchor=anchor, seed=seed)
    except NotIdentifiedError:
        _print_counts(log)
        raise
    _print_standings(ranking)
    return card, ranking


def _print_card(card: JudgeCard) -> None:
    print(colored("judge card", "", bold=True))
    for rater in card.raters:
        for line in _rater_lines(rater):
            print(line)
    if card.agreement is not None:
        for line in _agreement_lines(card.agreement):
            print(line)
    print()


def _rater_lines(rater: RaterCard) -> Iterator[str]:
    from practicum.report import Number, P, Ratio, Trust, rater_notes, slot_shares, trust_in

    trust = trust_in(rater)
    model = f" ({rater.model})" if rater.model and rater.model != rater.rater else ""
    colour = {Trust.SOUND: "green", Trust.CARE: "yellow", Trust.UNSOUND: "red", Trust.UNTESTED: ""}[trust]
    yield f"\n{rater.rater}{model}: {colored(trust.value, colour, bold=True)}"
    asked = f"; {rater.ballots:,} ballots, invalid {Ratio(rater.invalid, rater.ballots)}" if rater.ballots else ""
    yield from _fact("choices", f"{rater.choices:,}, unscored {Ratio(rater.unscored, rater.choices)}{asked}")
    orders = f"the same verdict in {Ratio(rater.consistent, rater.in_orders)}" if rater.in_orders else "not tried"
    yield from _fact("orders", orders)
    if rater.slot_p is not None:
        yield from _fact("slots", f"{slot_shares(rater)}; {P(rater.slot_p).told} if all were equal")
    if rater.repeated:
        yield from _fact("repeats", f"answered as before {Ratio(rater.stable, rater.repeated)}")
    if rater.longest_wins is not None and rater.longest_by_chance is not None:
        wins, chance = (Number(share, 1, percent=True) for share in (rater.longest_wins, rater.longest_by_chance))
        shares = f"the longest reply wins {wins}, by chance {chance}, n ≤ {rater.choices:,}"
        size = f"; {_effect(rater.length_effect)} logits per sd of log length" if rater.length_effect else ""
        yield from _fact("length", shares + size)
    yield from _fact("canaries", f"missed {Ratio(rater.missed, rater.canaries)}" if rater.canaries else "not tried")
    for note in rater_notes(rater):
        yield from _warning(note)


def _agreement_lines(agreement: Agreement) -> Iterator[str]:
    from practicum.report import agreement_table, shown

    made = agreement_table(agreement)
    yield f"\nagreement of {len(agreement.raters)} raters, n = {agreement.items:,} choices that two or more of them judged"
    for name, value, interval, _ in made.rows:
        spread = "" if interval is None else f" {shown(interval)}"
        yield f"  {name}: {shown(value)}{spread}"
    for note in made.notes:
        yield from _warning(note)


def _print_counts(log: ChoiceLog) -> None:
    """Print what can be said without strengths."""
    from practicum.arena.counting import tally
    from practicum.report import Table

    counts = tally(log.rows)
    names = sorted({name for row in log.rows for name in (*row.offered, *row.failed)})
    found = (counts.sessions, counts.judged, counts.selections, counts.nones, counts.failed)
    rows: tuple[tuple[str | int, ...], ...] = tuple((name, *(one.get(name, 0) for one in found)) for name in names)
    header = ("counselor", "sessions", "judged", "selections", "none", "failed")
    counts_table = Table("counts", "", header, rows)
    for line in _lines(counts_table, _room(counts_table)):
        print(line)


def _print_standings(ranking: Ranking) -> None:
    from practicum.report import counted, elo_note, ranking_notes, standings_table

    print(colored("ranking", "", bold=True))
    anchor = "the mean" if ranking.anchor is None else ranking.anchor
    independent = f"{'' if ranking.too_few else '95 % intervals over '}{ranking.clusters:,} {ranking.cluster}s"
    about = f"{counted(ranking)}; {independent}; 1000 = {anchor}"
    for line in _wrapped(about):
        print(line)
    for note in ranking_notes(ranking):
        for line in _warning(note):
            print(line)
    whole = standings_table(ranking)
    parts = [_fitting(whole.only(*columns), dispensable) for columns, dispensable in PARTS]
    room = min(map(_room, parts))
    for part in parts:
        print()
        for line in _lines(part, room):
            print(line)
    print()
    for line in _extras(ranking):
        print(line)
    for name, effects in (("slot effects", ranking.slots), ("style effects", ranking.style)):
        for line in _effect_lines(name, effects):
            print(line)
    for line in _wrapped(elo_note(ranking).text):
        print(line)


def _extras(ranking: Ranking) -> Iterator[str]:
    """Yield who beats whom, who is chosen early and who late, and how much was judged; large tables stand in --out only."""
    from practicum.report import course_table, matrix_table

    for made in (matrix_table(ranking), course_table(ranking)):
        if made.rows and len(made.header) <= MOST_COLUMNS:
            brief = _fitting(made)
            yield colored(made.title, "", bold=True)
            yield from _lines(brief, _room(brief))
            yield ""
    judged = ranking.judged_per_session
    yield from _wrapped(
        f"judged turns per session: mean {judged['mean']:.1f}, median {judged['median']:g}, from {judged['min']:g} to {judged['max']:g}"
    )


def _effect_lines(name: str, effects: Sequence[Effect]) -> Iterator[str]:
    if effects:
        told = ", ".join(f"{effect.name} {_effect(effect)}" for effect in effects)
        yield from _wrapped(f"{name}, in logits: {told}")


def _effect(effect: Effect) -> str:
    from practicum.report import Number, Span

    return f"{Number(effect.logits, 2)} {Span(effect.interval, 2, why='(no interval)')}"


def _fitting(made: Table, dispensable: Sequence[str] = ()) -> Table:
    """Return a table of text, without the dispensable columns that say nothing or for which there is no room."""
    from practicum.report import Span, Table

    # Why there is no interval is said once in a line.
    brief = tuple(
        tuple(
            None if isinstance(cell, Span) and cell.interval is None and heading != "interval" else cell
            for heading, cell in zip(made.header, row, strict=True)
        )
        for row in made.rows
    )
    fitting = Table(made.name, made.title, made.header, brief)
    columns = dict(zip(made.header, zip(*brief, strict=True), strict=True))
    fitting = fitting.only(*(one for one in made.header if one not in dispensable or any(cell is not None for cell in columns[one])))
    while _room(fitting) < LEAST_NAME and (gone := [one for one in fitting.header if one in dispensable]):
        fitting = fitting.only(*(one for one in fitting.header if one != gone[-1]))
    return fitting


def _room(made: Table) -> int:
    """Return how many columns are left for the names; below 0 where the rest alone is too wide."""
    from practicum.report import shown

    others = (
        2 + max(width_of(heading), *(width_of(shown(row[place])) for row in made.rows))
        for place, heading in enumerate(made.header)
        if heading != "counselor"
    )
    return COLUMNS - sum(others)


def _lines(made: Table, room: int) -> Iterator[str]:
    """Yield the lines of a table, names cut to so many columns."""
    from practicum.report import shorten, shown, to_the_right

    columns = []
    for heading, right, cells in zip(made.header, to_the_right(made.rows), zip(*made.rows, strict=True), strict=True):
        texts = [shown(cell) for cell in cells]
        if heading == "counselor":
            texts = shorten(texts, max(room, LEAST_NAME))
        head = "interval" if heading == "controlled interval" else heading
        width = max(map(width_of, [head, *texts]))
        columns.append([text.rjust(width) if right else text for text in (head, *texts)])
    header, *rows = zip(*columns, strict=True)
    yield from table(header, rows)


def _fact(name: str, text: str) -> Iterator[str]:
    yield from _wrapped(f"  {name:<9} {text}", indent=12)


def _warning(note: Note) -> Iterator[str]:
    for line in _wrapped(f"  ! {note.text}", indent=4):
        yield colored(line, "red" if note.severe else "yellow", bold=note.severe)


def _wrapped(text: str, indent: int = 0) -> Iterator[str]:
    """Yield lines of at most 100 columns, broken at blanks; all but the first are indented by so many."""
    body = text.lstrip()
    first, *words = body.split(" ")
    line = text[: len(text) - len(body)] + first
    for word in words:
        if width_of(f"{line} {word}") > COLUMNS:
            yield line
            line = " " * indent + word
        else:
            line = f"{line} {word}"
    yield line
