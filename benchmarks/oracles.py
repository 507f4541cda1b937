"""Figure 13: what others compute from the same data, to one part in a million.

Luce's model for choices among three, four and sets of changing size against choix (`ilsr_top1`); for pairs against evalica's
Bradley and Terry; Elo in a given order against evalica's, ties included; Krippendorff's alpha, ratings missing, against the
package `krippendorff`. Compared are logits, ratings and alphas: the largest difference over the largest value.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import choix
import evalica
import krippendorff
import numpy as np

from benchmarks.bench import Bench
from benchmarks.table import Row, Verdict
from practicum.arena.elo import sequential_elo
from practicum.arena.rating import rate
from practicum.arena.table import ChoiceTable, Floats
from practicum.measures.agreement import krippendorff_alpha

LIMIT = 1e-6
LEVELS: tuple[Literal["nominal", "ordinal", "interval"], ...] = ("nominal", "ordinal", "interval")
STRENGTHS = (0.3, 0.0, -0.2, 0.8, -0.9)


def measure_figure(bench: Bench) -> list[Row]:
    """Return one row; --quick makes the same comparisons on fewer choices."""
    choices = 2_000 if bench.quick else 20_000
    rng = np.random.default_rng(13)
    found = {f"choix, {low} to {high} candidates": choix_apart(draw(rng, choices, low, high)) for low, high in ((3, 3), (4, 4), (2, 5))}
    pairs = draw(rng, choices, 2, 2)
    found["evalica, Bradley and Terry"] = bradley_terry_apart(pairs)
    found["evalica, Elo"] = elo_apart(with_ties(pairs))
    ratings = np.where(rng.random((4, 500)) < 0.2, np.nan, rng.integers(1, 6, 500) + rng.integers(0, 2, (4, 500)))
    for level in LEVELS:
        theirs = float(krippendorff.alpha(reliability_data=ratings, level_of_measurement=level))
        found[f"krippendorff, {level}"] = apart(np.array([krippendorff_alpha(ratings, level)]), np.array([theirs]))
    worst = max(found.values())
    return [
        Row(
            figure=13,
            measure="agreement with choix, evalica (Bradley–Terry, Elo) and krippendorff: largest relative difference",
            reach="≤ 1e-6",
            ours=f"{worst:.0e}",
            verdict=Verdict.of(worst <= LIMIT),
            detail=found,
        )
    ]


def draw(rng: np.random.Generator, choices: int, low: int, high: int) -> ChoiceTable:
    """Draw choices by Luce's model among so many of five counselors."""
    order = np.argsort(rng.random((choices, len(STRENGTHS))), axis=1)[:, :high]
    there = np.arange(high) < rng.integers(low, high + 1, (choices, 1))
    offered = np.where(there, order, -1)
    heard = np.where(there, np.array(STRENGTHS)[order] + rng.gumbel(size=order.shape), -np.inf)
    return ChoiceTable(
        counselors=tuple("abcde"),
        offered=offered,
        shares=(heard == heard.max(axis=1, keepdims=True)).astype(np.float64),
        profile=np.arange(choices) // 20,
        session=np.arange(choices) // 10,
    )


def with_ties(table: ChoiceTable) -> ChoiceTable:
    """Make every tenth choice a tie."""
    tied = np.arange(len(table.offered)) % 10 == 0
    return replace(table, shares=np.where(tied[:, None], 0.5, table.shares))


def choix_apart(table: ChoiceTable) -> float:
    """Compare the fit with choix's."""
    data = [
        (int(offered[winner]), tuple(int(who) for who in offered if who not in (-1, offered[winner])))
        for offered, winner in zip(table.offered.tolist(), table.shares.argmax(axis=1).tolist(), strict=True)
    ]
    return apart(rate(table, bootstraps=0).strengths, choix.ilsr_top1(len(table.counselors), data, tol=1e-10))


def bradley_terry_apart(table: ChoiceTable) -> float:
    """Compare the fit to pairs with evalica's, whose scores are odds."""
    result = evalica.bradley_terry(*games(table), tolerance=1e-14, limit=100_000)
    theirs = np.log(result.scores.sort_index().to_numpy())
    return apart(rate(table, bootstraps=0).strengths, theirs - theirs.mean())


def elo_apart(table: ChoiceTable) -> float:
    """Compare Elo in the order of the table with evalica's."""
    result = evalica.elo(*games(table), k=32, scale=400, initial=1000)
    return apart(np.array(sequential_elo(table)), result.scores.sort_index().to_numpy())


def games(table: ChoiceTable) -> tuple[list[str], list[str], list[evalica.Winner]]:
    """Return pairs as evalica takes them."""
    first, second = ([table.counselors[who] for who in column] for column in table.offered.T.tolist())
    names = {1.0: evalica.Winner.X, 0.0: evalica.Winner.Y, 0.5: evalica.Winner.Draw}
    return first, second, [names[share] for share in table.shares[:, 0].tolist()]


def apart(ours: Floats, theirs: Floats) -> float:
    """Return the largest difference, relative to the largest value."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())
