"""Names and configuration become live objects here: the one room that knows every implementation."""

from practicum.build.arena import ArenaPlan, hold_arena, plan_arena
from practicum.build.runs import Plan, hold_run, plan_run
from practicum.build.seats import Seat

__all__ = ["ArenaPlan", "Plan", "Seat", "hold_arena", "hold_run", "plan_arena", "plan_run"]
