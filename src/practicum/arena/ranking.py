"""`practicum rank`: from a log of choices to the whole table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from practicum.arena.counting import (
    Shares,
    Tally,
    average,
    count_shares,
    drawn_turns,
    judged_per_session,
    shares_by_turn,
    tally,
    win_matrix,
)
from practicum.arena.covariates import Controlled, control_style, slot_effects
from practicum.arena.elo import ELO_K, ELO_ORDERS, ELO_SCALE, ELO_START, elo
from practicum.arena.log import ChoiceLog, ChoiceRow
from practicum.arena.luce import set_fits
from practicum.arena.rating import Ratings, rate
from practicum.arena.results import Cluster, Effect, Elo, Ranking, Standing
from practicum.arena.table import ChoiceTable
from practicum.core import Outcome
from practicum.errors import ConfigError


def rank(
    log: ChoiceLog | Sequence[ChoiceRow],
    *,
    cluster: Cluster = "profile",
    anchor: str | None = None,
    seed: int = 0,
    bootstraps: int = 1000,
    elo_orders: int = ELO_ORDERS,
) -> Ranking:
    """Rank counselors by what raters chose.

    Args:
        log: Choices of one or several runs.
        cluster: What counts as one independent draw for intervals: the client's profile, the session, or the choice (all
            that was said of one turn).
        anchor: Whose rating is 1000; None: the mean of all is.
        seed: Of the bootstrap, the simultaneous ranks and the orders of Elo.
        bootstraps: Samples of the cross-check; 0 for none.
        elo_orders: Random orders to play Elo in, 1 or more.

    Returns:
        The table. Nothing in it but `Elo.sequential` depends on the order of the rows.

    Raises:
        ConfigError: Nobody is called like the anchor, or `elo_orders` is below 1.
        NotIdentifiedError: The choices do not determine strengths; the message names who is to blame. Counselors count
            even if they only ever failed or were in no scored choice.
    """
    if elo_orders < 1:
        raise ConfigError(f"elo_orders: expected 1 or more, got {elo_orders}")
    rows = log.rows if isinstance(log, ChoiceLog) else log
    table = ChoiceTable.of(rows, counselors=sorted({name for row in rows for name in (*row.offered, *row.failed)}))
    ratings = rate(table, cluster=cluster, anchor=anchor, seed=seed, bootstraps=bootstraps)
    controlled = control_style(rows, table.counselors, cluster=cluster, anchor=anchor)
    # Its own stream: how many bootstraps there are must not move Elo.
    orders = elo(table, elo_orders, np.random.default_rng((seed, 1)))
    standings = _standings(ratings, controlled, tally(rows), orders)
    return _summary(rows, ratings, standings, cluster, anchor, () if controlled is None else controlled.effects, elo_orders)


def _summary(
    rows: Sequence[ChoiceRow],
    ratings: Ratings,
    standings: tuple[Standing, ...],
    cluster: Cluster,
    anchor: str | None,
    style: tuple[Effect, ...],
    elo_orders: int,
) -> Ranking:
    names = [standing.counselor for standing in standings]
    outcomes = Counter(row.outcome for row in rows)
    return Ranking(
        standings=standings,
        cluster=cluster,
        clusters=ratings.counts.clusters,
        anchor=anchor,
        choices=len(rows),
        wins=outcomes[Outcome.WIN],
        ties=outcomes[Outcome.TIE],
        nones=outcomes[Outcome.NONE],
        unscored=outcomes[Outcome.UNSCORED],
        drawn=drawn_turns(rows),
        sessions=len({row.session for row in rows}),
        judged_per_session=judged_per_session(rows),
        slots=slot_effects(rows, cluster),
        style=style,
        fits=set_fits(ratings.counts, ratings.strengths, ratings.counselors),
        matrix=_matrix(ratings, names),
        by_turn=shares_by_turn(rows, names),
        elo_k=ELO_K,
        elo_scale=ELO_SCALE,
        elo_start=ELO_START,
        elo_orders=elo_orders,
    )


def _standings(ratings: Ratings, controlled: Controlled | None, counted: Tally, orders: Sequence[Elo]) -> tuple[Standing, ...]:
    shares: Shares = count_shares(ratings.counts)
    standings = [
        Standing(
            counselor=name,
            rating=ratings.ratings[place],
            se=ratings.se[place],
            interval=ratings.intervals[place],
            bootstrap=ratings.bootstrap[place],
            ranks=ratings.ranks[place],
            controlled=None if controlled is None else controlled.ratings[place],
            controlled_interval=None if controlled is None else controlled.intervals[place],
            sessions=counted.sessions[name],
            offered=shares.offered[place],
            selections=counted.selections[name],
            points=shares.points[place],
            average=average(counted.selections[name], counted.readings[name]),
            share=shares.points[place] / shares.offered[place],
            share_interval=shares.intervals[place],
            none_rate=counted.nones[name] / counted.judged[name],
            failed=counted.failed[name],
            elo=orders[place],
        )
        for place, name in enumerate(ratings.counselors)
    ]
    return tuple(sorted(standings, key=lambda standing: (-standing.rating, standing.counselor)))


def _matrix(ratings: Ratings, names: Sequence[str]) -> tuple[tuple[float | None, ...], ...]:
    """Bring the win matrix into the order of `names`."""
    order = [ratings.counselors.index(name) for name in names]
    found = win_matrix(ratings.counts)[np.ix_(order, order)].tolist()
    return tuple(tuple(None if np.isnan(part) else part for part in row) for row in found)
