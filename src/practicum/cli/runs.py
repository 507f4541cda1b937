"""`practicum runs`: what a store holds."""

from __future__ import annotations

from practicum.cli.console import local_time, print_json, table
from practicum.cli.options import DEFAULT_DB, Db, Json, shown_url


def runs(db: Db = DEFAULT_DB, json: Json = False) -> None:
    """List the runs in a store."""
    from practicum.store import Store

    with Store.open(db, create=False) as store:
        found = store.runs()
    if json:
        print_json(found)
        return
    print(f"store {shown_url(db)}")
    if not found:
        print("no runs yet; `practicum simulate` makes one")
        return
    header = ("run", "sessions", "done", "failed", "open", "exchanges", "flagged", "begun")
    rows = [
        (
            run.name,
            run.totals.planned,
            run.totals.done,
            run.totals.failed,
            run.totals.open,
            run.totals.exchanges,
            run.totals.flagged,
            local_time(run.created_at),
        )
        for run in found
    ]
    for line in table(header, rows):
        print(line)
