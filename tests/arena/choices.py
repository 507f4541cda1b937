"""Made-up choices that follow Luce's model, with whatever effects a test plants."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from practicum.arena.log import BallotRow, ChoiceRow
from practicum.arena.table import ChoiceTable, Floats
from practicum.core import Outcome

NAMES = ("cpsycounx", "mechat", "psychat", "simpsybot", "soulchat")
STRENGTHS = (0.3, 0.0, -0.2, 0.8, -0.9)


def choice(
    offered: str | Sequence[str], shares: Sequence[float], *, session: str = "s", turn: int = 1, profile: str = "", rater: str = "judge"
) -> ChoiceRow:
    """One choice; shares of 0 alone are `none`, several are a tie."""
    above = sum(share > 0 for share in shares)
    outcome = Outcome.NONE if not above else Outcome.WIN if above == 1 else Outcome.TIE
    return ChoiceRow(
        session=session, turn=turn, profile=profile or session, rater=rater, offered=tuple(offered), outcome=outcome, shares=tuple(shares)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """How choices come about: logits of strengths, of sessions, of clients."""

    strengths: Sequence[float] = STRENGTHS
    size: int = 3
    turns: int = 12
    session_sd: float = 0.0
    client_sd: float = 0.0


def simulate(rng: np.random.Generator, clients: int, world: World = World()) -> ChoiceTable:
    """Every client meets every set of the size once, so many turns long."""
    count = len(world.strengths)
    sets = np.array(list(itertools.combinations(range(count), world.size)), np.int32)
    sessions = clients * len(sets)
    client = np.repeat(np.arange(clients), len(sets))
    liking = np.array(world.strengths) + rng.normal(0, world.session_sd, (sessions, count))
    liking += rng.normal(0, world.client_sd, (clients, count))[client]
    offered = np.repeat(np.tile(sets, (clients, 1)), world.turns, axis=0)
    session = np.repeat(np.arange(sessions), world.turns)
    heard = np.take_along_axis(liking[session], offered.astype(np.int64), axis=1) + rng.gumbel(size=offered.shape)
    return ChoiceTable(
        counselors=tuple("abcdefghij"[:count]),
        offered=offered,
        shares=(heard == heard.max(axis=1, keepdims=True)).astype(np.float64),
        profile=np.repeat(client, world.turns),
        session=session,
    )


def shuffled(table: ChoiceTable, rng: np.random.Generator) -> ChoiceTable:
    """The same choices in another order, the candidates of each in another order, too."""
    rows = rng.permutation(len(table.offered))
    columns = np.argsort(rng.random(table.offered.shape), axis=1)
    return ChoiceTable(
        counselors=table.counselors,
        offered=np.take_along_axis(table.offered[rows], columns, axis=1),
        shares=np.take_along_axis(table.shares[rows], columns, axis=1),
        profile=table.profile[rows],
        session=table.session[rows],
    )


def as_rows(table: ChoiceTable, names: Sequence[str] = NAMES) -> list[ChoiceRow]:
    """The same choices as a log would hold them, every ballot in the order of its row."""
    turns = np.concatenate([np.arange(many) for many in np.bincount(table.session)])
    rows = []
    for offered, shares, profile, session, turn in zip(table.offered, table.shares, table.profile, table.session, turns, strict=True):
        there = tuple(names[who] for who in offered if who >= 0)
        ballot = BallotRow(shown=there, outcome=Outcome.WIN, picked=int(shares.argmax()))
        rows.append(
            ChoiceRow(
                session=f"s{session:05}",
                turn=2 * int(turn) + 1,
                profile=f"p{profile:05}",
                rater="judge",
                offered=there,
                outcome=Outcome.WIN,
                shares=tuple(shares[: len(there)].tolist()),
                ballots=(ballot,),
            )
        )
    return rows


def logits(values: Sequence[float]) -> Floats:
    """The same with mean 0."""
    return np.array(values, np.float64) - math.fsum(values) / len(values)
