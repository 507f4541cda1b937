"""Names and configuration become live objects here: the one room that knows every implementation."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from practicum.build.runs import Plan, hold_run, plan_run
from practicum.build.seats import Seat

if TYPE_CHECKING:
    from practicum.build.arena import hold_arena
    from practicum.build.arena_plan import ArenaPlan, plan_arena
    from practicum.build.bots import MadeBot, make_bot
    from practicum.build.serving import GatewayPlan, hold_gateway, plan_gateway
    from practicum.build.training import Trained, TrainingPlan, hold_training, plan_training

__all__ = [
    "ArenaPlan",
    "GatewayPlan",
    "MadeBot",
    "Plan",
    "Seat",
    "Trained",
    "TrainingPlan",
    "hold_arena",
    "hold_gateway",
    "hold_run",
    "hold_training",
    "make_bot",
    "plan_arena",
    "plan_gateway",
    "plan_run",
    "plan_training",
]

_LATER = {
    "hold_arena": "arena",
    "ArenaPlan": "arena_plan",
    "plan_arena": "arena_plan",
    "MadeBot": "bots",
    "make_bot": "bots",
    "GatewayPlan": "serving",
    "hold_gateway": "serving",
    "plan_gateway": "serving",
    "Trained": "training",
    "TrainingPlan": "training",
    "hold_training": "training",
    "plan_training": "training",
}
"""Names to their modules. A simulation begins at once: it loads neither the arena nor the gateway."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"practicum.build.{_LATER[name]}"), name)
