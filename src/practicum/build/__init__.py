"""Names and configuration become live objects here: the one room that knows every implementation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from practicum.build.runs import Plan, hold_run, plan_run
from practicum.build.seats import Seat

if TYPE_CHECKING:
    from practicum.build.arena import hold_arena
    from practicum.build.arena_plan import ArenaPlan, plan_arena

__all__ = ["ArenaPlan", "Plan", "Seat", "hold_arena", "hold_run", "plan_arena", "plan_run"]


def __getattr__(name: str) -> Any:
    # A simulation begins at once: it does not load the arena.
    if name == "hold_arena":
        from practicum.build.arena import hold_arena

        return hold_arena
    if name in ("ArenaPlan", "plan_arena"):
        from practicum.build import arena_plan

        return getattr(arena_plan, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
