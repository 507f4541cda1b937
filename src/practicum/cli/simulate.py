"""`practicum simulate`: profiles in, durable sessions out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from practicum.cli.console import print_json, tell
from practicum.cli.options import (
    DEFAULT_DB,
    AtOnce,
    Client,
    ClientPrompt,
    Config,
    Db,
    Ending,
    Json,
    Limit,
    MaxExchanges,
    Run,
    Seed,
    SessionLanguage,
    Settings,
    StopOnRisk,
)
from practicum.errors import ConfigError, PracticumError

if TYPE_CHECKING:
    from practicum.build import Plan
    from practicum.engine import RunResult


def simulate(  # noqa: PLR0913 - one parameter an option
    *,
    profiles: Annotated[
        Path,
        typer.Option(
            "--profiles",
            metavar="FILE",
            help="Client profiles: .json, .jsonl, .csv, .txt, or a folder of .txt files. `practicum profiles check FILE` looks into it.",
            show_default=False,
        ),
    ],
    client: Client = None,
    counselor: Annotated[str | None, typer.Option("--counselor", metavar="MODEL", help="The counselor's model.")] = None,
    run: Run = None,
    db: Db = DEFAULT_DB,
    language: SessionLanguage = None,
    limit: Limit = None,
    per_profile: Annotated[int | None, typer.Option("--per-profile", metavar="N", help="Sessions for each profile; default: 1.")] = None,
    max_exchanges: MaxExchanges = None,
    ending: Ending = None,
    client_prompt: ClientPrompt = None,
    counselor_prompt: Annotated[
        Path | None, typer.Option("--counselor-prompt", metavar="FILE", help="Your own prompt for the counselor (text or Jinja).")
    ] = None,
    at_once: AtOnce = None,
    seed: Seed = None,
    stop_on_risk: StopOnRisk = False,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Hold a session for every client profile, in a durable store.

    The same command goes on where an earlier one was stopped.

    Exits with 0 once every session has ended, 1 if some are still owed, 2 if the command is wrong, 130 if interrupted.
    With --json the outcome is one JSON object on standard output, and progress is a JSON line every 5 s on standard error.
    """
    from practicum.build import plan_run
    from practicum.cli.summary import print_plan, print_summary, print_what_next, read_run, status_of, summary
    from practicum.dataset import read_profiles
    from practicum.engine import read_config

    flags = {
        "client.model": client,
        "client.prompt": client_prompt,
        "counselor.model": counselor,
        "counselor.prompt": counselor_prompt,
        "run": run,
        "language": language,
        "limit": limit,
        "per_profile": per_profile,
        "max_exchanges": max_exchanges,
        "ending.policy": ending,
        "at_once": at_once,
        "seed": seed,
        "stop_on_risk": stop_on_risk or None,
    }
    refuse_memory(db)
    configuration = read_config(flags, file=config, settings=settings or ())
    plan = plan_run(configuration, read_profiles(profiles), settings={"profiles": str(profiles)})
    if not json:
        print_plan(plan, db)
    result = _hold(plan, db, json=json)
    info = read_run(result.run, db)
    if json:
        print_json(summary(plan.config, result, info))
    else:
        print()
        print_summary(plan.config, result, info)
        print_what_next(result, db)
    raise typer.Exit(status_of(result))


def _hold(plan: Plan, db: str, *, json: bool) -> RunResult:
    from practicum.build import hold_run
    from practicum.cli.live import watching
    from practicum.cli.meter import Meter
    from practicum.engine import Progress

    progress = Progress()
    try:
        with watching(Meter(progress, plan.config), title=plan.name, json=json):
            return hold_run(plan, db=db, progress=progress, signals=True)
    except PracticumError:
        if progress.turns:
            tell(f"practicum: {progress.turns:,} turns were kept; the same command goes on after them")
        raise


def refuse_memory(db: str) -> None:
    """Refuse a store that would be gone with the command that has filled it."""
    if db in ("sqlite://", "sqlite:///", "sqlite:///:memory:"):
        raise ConfigError(f"db: {db} lives in memory and is lost when the command ends; name a file, e.g. {DEFAULT_DB}")
