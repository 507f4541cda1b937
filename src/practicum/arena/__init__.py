"""Which counselor is better, and how sure are we: panels, supervisors, choices, ratings.

Statistics need numpy, which takes a tenth of a second to load: they are loaded when they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from practicum.arena.combine import Combine, GoOn
from practicum.arena.config import ArenaConfig, Mode, SupervisorConfig, read_arena_config, read_chair, read_member
from practicum.arena.design import find_combinations
from practicum.arena.exchange_in import ImportReport, import_choices
from practicum.arena.exchange_out import ExchangeReport, export_choices, export_preferences
from practicum.arena.log import BallotRow, CanaryRow, ChoiceLog, ChoiceRow
from practicum.arena.orders import Orders
from practicum.arena.panel import Member, Panel, Replay
from practicum.arena.read import TurnRecords, choice_rows, names_of, read_comparisons, read_log, turns_of
from practicum.arena.referee import Bench
from practicum.arena.results import (
    MIN_CLUSTERS,
    Agreement,
    Cluster,
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
from practicum.arena.supervisor import Question, Supervisor
from practicum.arena.verdict import read_verdict
from practicum.arena.whole import WHOLE, Comparison, compare

if TYPE_CHECKING:
    from practicum.arena.judge_card import judge
    from practicum.arena.ranking import rank

__all__ = [
    "MIN_CLUSTERS",
    "WHOLE",
    "Agreement",
    "ArenaConfig",
    "BallotRow",
    "Bench",
    "CanaryRow",
    "ChoiceLog",
    "ChoiceRow",
    "Cluster",
    "Combine",
    "Comparison",
    "Effect",
    "Elo",
    "ExchangeReport",
    "GoOn",
    "ImportReport",
    "Interval",
    "JudgeCard",
    "Member",
    "Mode",
    "Orders",
    "Panel",
    "Question",
    "Ranking",
    "Ranks",
    "RaterCard",
    "Replay",
    "SetFit",
    "SlotShare",
    "Standing",
    "Supervisor",
    "SupervisorConfig",
    "TurnRecords",
    "TurnShare",
    "choice_rows",
    "compare",
    "export_choices",
    "export_preferences",
    "find_combinations",
    "import_choices",
    "judge",
    "names_of",
    "rank",
    "read_arena_config",
    "read_chair",
    "read_comparisons",
    "read_log",
    "read_member",
    "read_verdict",
    "turns_of",
]


def __getattr__(name: str) -> Any:
    if name == "rank":
        from practicum.arena.ranking import rank

        return rank
    if name == "judge":
        from practicum.arena.judge_card import judge

        return judge
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
