"""Rankings and judge cards made by hand, plausible and small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from practicum.arena.results import (
    Agreement,
    Effect,
    Elo,
    Interval,
    JudgeCard,
    Ranking,
    Ranks,
    RaterCard,
    SetFit,
    SlotShare,
    Standing,
    TurnShare,
)

ENGLISH = ("integrative", "person-centred", "baseline")
CHINESE = ("整合咨询师", "以人为中心", "基线模型")


def standing(counselor: str, place: int, **changes: Any) -> Standing:
    """A counselor's line: every place is 80 points and 8 % below the one before."""
    rating = 1090.0 - 80 * place
    share = max(0.02, 0.42 - 0.08 * place)
    made = Standing(
        counselor=counselor,
        rating=rating,
        se=9.0,
        interval=Interval(rating - 18, rating + 18),
        bootstrap=Interval(rating - 17.6, rating + 18.9),
        ranks=Ranks(place + 1, place + 1) if place == 0 else Ranks(place + 1, place + 2),
        controlled=rating + 12,
        controlled_interval=Interval(rating - 10, rating + 34),
        sessions=100,
        offered=1100,
        selections=400 - 90 * min(place, 4),
        points=1100 * share,
        average=(400 - 90 * min(place, 4)) / 100,
        share=share,
        share_interval=Interval(share - 0.03, share + 0.03),
        none_rate=0.043,
        failed=3,
        elo=Elo(mean=rating + 5, sd=21, low=rating - 55, high=rating + 71, sequential=rating + 40),
    )
    return replace(made, **changes)


def ranking(names: Sequence[str] = ENGLISH, **changes: Any) -> Ranking:
    """1,200 choices among all names, 100 profiles."""
    many = len(names)
    made = Ranking(
        standings=tuple(standing(name, place) for place, name in enumerate(names)),
        cluster="profile",
        clusters=100,
        anchor=None,
        choices=1200,
        wins=1000,
        ties=100,
        nones=50,
        unscored=50,
        drawn=0,
        sessions=100,
        judged_per_session={"mean": 12.0, "median": 12.0, "min": 8.0, "max": 15.0},
        slots=(
            Effect(name="slot 2", logits=-0.12, interval=Interval(-0.2, -0.04)),
            Effect(name="slot 3", logits=-0.3, interval=Interval(-0.39, -0.21)),
        ),
        style=(Effect(name="log_length", logits=0.25, interval=Interval(0.11, 0.39)),),
        fits=(
            SetFit(
                offered=tuple(names), choices=1100, observed=(1 / many,) * many, expected=(1 / many,) * many, chi2=1.2, df=many - 1, p=0.55
            ),
        ),
        matrix=tuple(
            tuple(None if row == column else min(0.97, max(0.03, 0.5 + 0.08 * (column - row))) for column in range(many))
            for row in range(many)
        ),
        by_turn=tuple(
            TurnShare(
                counselor=name,
                exchange=exchange,
                offered=100 if exchange < 10 else 7,
                share=max(0.02, 0.4 - 0.08 * place + 0.01 * ((exchange * (place + 3)) % 7)),
            )
            for place, name in enumerate(names)
            for exchange in range(1, 13)
        ),
        elo_k=4.0,
        elo_scale=400.0,
        elo_start=1000.0,
        elo_orders=1000,
    )
    return replace(made, **changes)


def rater(name: str = "judge", **changes: Any) -> RaterCard:
    """A rater without a fault."""
    made = RaterCard(
        rater=name,
        model="deepseek:deepseek-chat",
        choices=1200,
        ballots=3600,
        invalid=36,
        unscored=12,
        slot_shares=tuple(
            SlotShare(slot=slot, picks=picks, shown=3300, share=picks / 3300) for slot, picks in enumerate((1120, 1100, 1080), start=1)
        ),
        slot_chi2=0.73,
        slot_p=0.69,
        consistent=930,
        in_orders=1150,
        stable=45,
        repeated=50,
        longest_wins=0.412,
        longest_by_chance=1 / 3,
        length_effect=Effect(name="log_length", logits=0.25, interval=Interval(0.11, 0.39)),
        canaries=60,
        missed=1,
        missed_kinds={"copy": 1},
        own_family=(),
    )
    return replace(made, **changes)


def person(name: str = "李老师") -> RaterCard:
    """A person whose choices were imported: nothing but the choices is known."""
    return rater(
        name,
        model="",
        ballots=0,
        invalid=0,
        slot_shares=(),
        slot_p=None,
        consistent=0,
        in_orders=0,
        stable=0,
        repeated=0,
        longest_wins=None,
        longest_by_chance=None,
        length_effect=None,
        canaries=0,
        missed=0,
        missed_kinds={},
    )


def card(*raters: RaterCard, **changes: Any) -> JudgeCard:
    """A card of these raters, or of one without a fault."""
    return replace(JudgeCard(raters=raters or (rater(),), agreement=None), **changes)


def agreement(**changes: Any) -> Agreement:
    """Two raters who agree somewhat."""
    made = Agreement(
        raters=("judge", "李老师"),
        items=180,
        alpha=0.41,
        alpha_interval=Interval(0.3, 0.52),
        kappa=0.42,
        kappa_interval=Interval(0.31, 0.53),
        raw=0.63,
    )
    return replace(made, **changes)


def without_intervals(made: Ranking, clusters: int) -> Ranking:
    """The same, of too few clusters."""
    nothing: dict[str, Any] = dict.fromkeys(("se", "interval", "bootstrap", "ranks", "controlled_interval", "share_interval"))
    return replace(made, clusters=clusters, standings=tuple(replace(one, **nothing) for one in made.standings))
