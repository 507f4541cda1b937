"""practicum: simulated psychological counseling, with language models on every chair.

`simulate` holds sessions between a simulated client and a counselor and keeps every turn in a durable store; the
command line (`practicum --help`) does the same and more.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from practicum.core import Ending, Language, Profile, Session, Speaker, Turn
from practicum.core.version import VERSION
from practicum.errors import PracticumError

if TYPE_CHECKING:
    from practicum.dataset import ExportReport
    from practicum.engine import Progress, RunResult, Watcher

__version__ = VERSION

__all__ = [
    "Ending",
    "Language",
    "PracticumError",
    "Profile",
    "Session",
    "Speaker",
    "Turn",
    "__version__",
    "export",
    "read_sessions",
    "simulate",
]


def simulate(
    profiles: Path | str | Sequence[Profile],
    *,
    client: str,
    counselor: str,
    db: str = "sqlite:///practicum.db",
    progress: Progress | None = None,
    watcher: Watcher | None = None,
    **options: Any,
) -> RunResult:
    """Hold a session for every profile and return what came of it; prints nothing.

    The same call goes on where an earlier one was stopped: sessions that have ended are not held again, cut ones go on
    after their last turn.

    Args:
        profiles: A file (JSON, JSONL, CSV, a folder of texts) or profiles.
        client: The client's model, `BACKEND:NAME[@ADDRESS]`, e.g. `openai:gpt-4.1` or `local:qwen2.5-coder-1.5b`.
        counselor: The counselor's model.
        db: SQLAlchemy URL of the store.
        progress: Counters to look at while the run goes on, from another thread.
        watcher: Told of every turn and ending.
        options: Any key of the configuration, a dot written as two underscores: `max_exchanges=10`,
            `client__temperature=0.7`, `ending__policy="paper"`.

    Raises:
        ConfigError: Something in the above is wrong; nothing was started.
        EndpointError: A model server never answered, or stayed away; the sessions under way are resumable.
        StoreError: The store cannot be written.
    """
    from practicum.build import hold_run, plan_run
    from practicum.dataset import read_profiles
    from practicum.engine import read_config

    flags = {"client.model": client, "counselor.model": counselor} | {name.replace("__", "."): value for name, value in options.items()}
    found = read_profiles(Path(profiles)) if isinstance(profiles, str | Path) else profiles
    return hold_run(plan_run(read_config(flags), found), db=db, progress=progress, watcher=watcher)


def read_sessions(run: str, *, db: str = "sqlite:///practicum.db") -> list[Session]:
    """Return every session of a run, turns included, in plan order.

    Raises:
        StoreError: There is no such store, or no such run in it.
    """
    from practicum.store import Store

    store = Store.open(db, create=False)
    try:
        return list(store.sessions(run))
    finally:
        store.close()


def export(
    run: str,
    out: Path | str,
    *,
    form: Literal["sharegpt", "messages", "jsonl", "csv"] = "sharegpt",
    include_risk: bool = False,
    db: str = "sqlite:///practicum.db",
) -> ExportReport:
    """Write the sessions of a run into files and return what was written, cut and left out; prints nothing.

    Args:
        run: Its name.
        out: A folder; made if need be.
        form: sharegpt (LLaMA-Factory), messages (TRL), jsonl (everything), csv (a turn a row).
        include_risk: Keep sessions in which a risk was found.
        db: SQLAlchemy URL of the store.

    Raises:
        StoreError: There is no such store, or no such run in it.
        ExportError: The folder cannot be written, or there is nothing to write.
    """
    from practicum.dataset import Format, export_run

    return export_run(run, form=Format(form), out=Path(out), include_risk=include_risk, db=db)
