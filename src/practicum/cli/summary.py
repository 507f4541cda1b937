"""What a run is, before it begins, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from practicum.cli.console import count, tell
from practicum.cli.meter import cost_of
from practicum.cli.options import db_option, shown_url
from practicum.core import Ending, Speaker

if TYPE_CHECKING:
    from practicum.build import Plan
    from practicum.engine import Progress, RunResult, SessionsConfig
    from practicum.store import RunInfo

INTERRUPTED = 130
"""Exit status: 128 + SIGINT, as shells have it."""


def print_plan(plan: Plan, db: str) -> None:
    """Say where a run is kept, what it is called, who speaks, and how many clients there are."""
    from practicum.dataset import describe_profiles

    profiles = describe_profiles(plan.profiles)
    flagged = f", {profiles['risky']:,} flagged for risk" if profiles["risky"] else ""
    print(f"store      {shown_url(db)}")
    print(f"run        {plan.name}")
    for speaker in Speaker:
        seat = plan.seats[speaker]
        where = f" at {', '.join(seat.model.addresses)}" if seat.model.addresses else ""
        print(f"{speaker:<9}  {seat.participant.model}{where} ({seat.participant.form})")
    print(f"profiles   {len(plan.profiles):,}{flagged}; {count(plan.config.per_profile, 'session')} each", flush=True)


def read_run(name: str, db: str) -> RunInfo:
    """Return what the store has of a run."""
    from practicum.store import Store

    with Store.open(db, create=False) as store:
        return store.run(name)


def print_summary(config: SessionsConfig, result: RunResult, info: RunInfo) -> None:
    """Say what came of a run: its sessions over all commands so far, and what this one noticed."""
    totals = info.totals
    endings = ", ".join(f"{number:,} {ending}" for ending, number in sorted(totals.endings.items()))
    unfinished = f", {totals.open:,} unfinished" if totals.open else ""
    print(f"sessions   {totals.done:,} of {totals.planned:,} done ({endings or 'none ended'}{unfinished})")
    print(f"exchanges  {totals.exchanges:,}")
    print(f"tokens     {totals.prompt_tokens:,} read, {totals.completion_tokens:,} written")
    cost = cost_of(config, totals.prompt_tokens, totals.completion_tokens)
    if cost is not None:
        print(f"cost       {cost:,.2f} {config.prices.currency}")
    print(f"replies    {totals.refused:,} refused by the check and asked for anew, {result.progress.marked:,} mended or marked this time")
    print(f"risk       {count(totals.flagged, 'session')} flagged")
    for note in dict.fromkeys(note.text for note in info.notes):
        print(f"note       {note}")
    for cause, number in result.progress.causes.most_common(3):
        print(f"failed     {number:,} × {cause}")


def summary(config: SessionsConfig, result: RunResult, info: RunInfo) -> dict[str, Any]:
    """Return the same for machines."""
    totals = info.totals
    cost = cost_of(config, totals.prompt_tokens, totals.completion_tokens)
    return {
        "run": result.run,
        "store": result.store,
        "complete": status_of(result) == 0,
        "stopped": result.stopped,
        "planned": totals.planned,
        "unfinished": totals.open,
        "endings": totals.endings,
        "exchanges": totals.exchanges,
        "prompt_tokens": totals.prompt_tokens,
        "completion_tokens": totals.completion_tokens,
        "cost": None if cost is None else {"amount": cost, "currency": config.prices.currency},
        "refused": totals.refused,
        "mended_or_marked_this_time": result.progress.marked,
        "flagged": totals.flagged,
        "notes": [note.text for note in info.notes],
        "failed_because": dict(result.progress.causes),
    }


def owed(progress: Progress) -> int:
    """Return how many of the sessions that this command asked for are still owed: failed, cut or never begun."""
    return progress.planned - progress.done_before - progress.ended + progress.failed


def status_of(result: RunResult) -> int:
    """Return the exit status of a run that was not broken off by an error."""
    if result.stopped:
        return INTERRUPTED
    return 1 if owed(result.progress) else 0


def print_what_is_owed(result: RunResult, db: str) -> None:
    """Say how to go on with a run, if sessions are owed."""
    if result.stopped:
        tell(f"practicum: put aside, {count(owed(result.progress), 'session')} still owed; the same command goes on with them")
    elif status_of(result):
        failed = result.sessions.get(Ending.FAILED, 0)
        tell(
            f"practicum: {count(owed(result.progress), 'session')} still owed, {failed:,} failed "
            f"(practicum show {result.run}{db_option(db)} tells why); the same command tries them again"
        )


def print_what_next(result: RunResult, db: str) -> None:
    """Say how to go on: with the run, if sessions are owed, and with what it has brought."""
    print_what_is_owed(result, db)
    print("\nnext")
    print(f"  practicum show {result.run} 1{db_option(db)}")
    print(f"  practicum export {result.run} --format sharegpt --out practicum-export{db_option(db)}")
