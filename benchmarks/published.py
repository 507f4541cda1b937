"""Figure 11: the published counts give the published averages, through `rank`, to the two decimals that are printed.

Every table of the arena of Qiu & Lan (arXiv 2408.15787v1) is made a log of choices: as many sessions of the own model with
two baselines as were held, as many choices won by each as were counted. What `practicum rank` prints of it must be the paper's.

The paper's Elo is not claimed. Nothing is said of its first rating, K, order, or of how a choice among three becomes games;
and its tables sum up to 5328.58, 5491.31 and 6915.46, where games between five players who start alike and win what others
lose always leave the same sum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.bench import Bench
from benchmarks.table import Row, Verdict
from practicum.arena import ChoiceRow, Ranking, rank
from practicum.core import Outcome

OWN = "SimPsyBot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of the paper: sessions, selections, average and Elo by counselor."""

    name: str
    counted: Mapping[str, tuple[int, int, str, str]]

    @property
    def elo_sum(self) -> float:
        """What its Elo ratings sum up to."""
        return sum(float(rating) for *_, rating in self.counted.values())


TABLES = (
    Table(
        name="LLM supervisor",
        counted={
            "MeChat": (300, 560, "1.87", "792.04"),
            "SoulChat": (300, 253, "0.84", "724.26"),
            "PsyChat": (300, 427, "1.42", "729.20"),
            "CPsyCounX": (300, 722, "2.41", "1187.81"),
            OWN: (600, 5185, "8.64", "1895.27"),
        },
    ),
    Table(
        name="LLM supervisor, second run",
        counted={
            "MeChat": (300, 618, "2.06", "869.60"),
            "SoulChat": (300, 243, "0.81", "772.16"),
            "PsyChat": (300, 474, "1.58", "803.46"),
            "CPsyCounX": (300, 760, "2.53", "1288.04"),
            OWN: (600, 4773, "7.96", "1758.05"),
        },
    ),
    Table(
        name="experts",
        counted={
            "MeChat": (96, 264, "2.75", "1352.80"),
            "SoulChat": (95, 200, "2.11", "1221.64"),
            "PsyChat": (102, 333, "3.26", "1355.53"),
            "CPsyCounX": (107, 167, "1.56", "1113.52"),
            OWN: (200, 1570, "7.85", "1871.97"),
        },
    ),
)


def measure_figure(bench: Bench) -> list[Row]:
    """Return one row; it is the same with --quick."""
    found = {table.name: as_printed(rank(log_of(table), bootstraps=0, elo_orders=1)) for table in TABLES}
    published = {table.name: {name: counted[:3] for name, counted in table.counted.items()} for table in TABLES}
    cells = [(table, name) for table, lines in published.items() for name in lines]
    equal = sum(found[table][name] == published[table][name] for table, name in cells)
    return [
        Row(
            figure=11,
            measure="published counts of Qiu & Lan (2024), three tables: averages as printed there",
            reach="all",
            ours=f"{equal} of {len(cells)}",
            verdict=Verdict.of(equal == len(cells)),
            detail={"found": found, "published": published, "published_elo_sums": {table.name: table.elo_sum for table in TABLES}},
        )
    ]


def as_printed(ranking: Ranking) -> dict[str, tuple[int, int, str]]:
    """Return sessions, selections and the average with two decimals, by counselor."""
    return {one.counselor: (one.sessions, one.selections, f"{one.average:.2f}") for one in ranking.standings}


def log_of(table: Table) -> list[ChoiceRow]:
    """Return choices that were counted so: each session the own model with two baselines, wins dealt out session by session."""
    pairs = pair_up({name: counted[0] for name, counted in table.counted.items() if name != OWN})
    wins = Counter({name: counted[1] for name, counted in table.counted.items()})
    turns: Counter[int] = Counter()
    rows = []
    while wins.total():
        for session, pair in enumerate(pairs):
            offered = (OWN, *pair)
            winner = max(offered, key=lambda name: (wins[name], name))
            if wins[winner]:
                wins[winner] -= 1
                rows.append(_choice(session, turns[session], offered, winner))
                turns[session] += 1
    return rows


def pair_up(sessions: Mapping[str, int]) -> list[tuple[str, str]]:
    """Return two baselines for each session, so that each is in as many as it was: always the two that have most left."""
    left = Counter(sessions)
    pairs = []
    while left.total():
        (one, _), (other, many) = left.most_common(2)
        if not many:
            raise ValueError(f"{one} cannot meet anybody in {left[one]} sessions")
        left.subtract((one, other))
        pairs.append((one, other))
    return pairs


def _choice(session: int, turn: int, offered: Sequence[str], winner: str) -> ChoiceRow:
    return ChoiceRow(
        session=f"s{session}",
        turn=2 * turn + 1,
        profile=f"p{session}",
        rater="paper",
        offered=tuple(offered),
        outcome=Outcome.WIN,
        shares=tuple(float(name == winner) for name in offered),
    )
