"""What is kept, durably: runs, their sessions, and every turn before the session goes on."""

from practicum.store.dialect import DEFAULT_URL
from practicum.store.limits import raise_open_files
from practicum.store.owner import RunOwner
from practicum.store.rows import Claim, Note, OwedSession, PlannedSession, PromptText, RunInfo, RunRecord, RunSummary, Totals
from practicum.store.store import Store

__all__ = [
    "DEFAULT_URL",
    "Claim",
    "Note",
    "OwedSession",
    "PlannedSession",
    "PromptText",
    "RunInfo",
    "RunOwner",
    "RunRecord",
    "RunSummary",
    "Store",
    "Totals",
    "raise_open_files",
]
