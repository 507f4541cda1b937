"""`practicum arena`: counselors compete for each reply, supervisors choose, and a table says who is better and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

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
    db_option,
    shown_url,
)
from practicum.core import Split
from practicum.errors import ConfigError, NotIdentifiedError, PracticumError, StoreError

if TYPE_CHECKING:
    from practicum.build import ArenaPlan
    from practicum.core import Profile
    from practicum.engine import RunResult, Watcher

OrdersName = Literal["cyclic", "all", "one"]
ModeName = Literal["turns", "sessions"]
"""The values of `practicum.arena.Orders` and `Mode`, for the help; that room is loaded when it is used."""

QUIET_SECONDS = 60.0
"""Between two lines of progress, where the turns themselves are told."""

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "interactive-agents": {
        "size": 3,
        "go_on": "winner",
        "orders": "one",
        "limit": 100,
        "split": "test",
        "max_exchanges": 50,
        "ending.policy": "paper",
        "client.max_tokens": 100,
    },
}
"""The design of a paper, as configuration; options and --set override it. `combinations` is added: with the first member."""


def arena(  # noqa: PLR0913 - one parameter an option
    *,
    member: Annotated[
        list[str] | None,
        typer.Option(
            "--member",
            metavar="NAME=MODEL",
            help="A counselor: NAME=MODEL[;prompt=FILE][;temperature=0.7]; prompt=bundled:NAME takes one of ours. Two or more times.",
            show_default=False,
        ),
    ] = None,
    supervisor: Annotated[
        list[str] | None,
        typer.Option(
            "--supervisor", metavar="MODEL", help="Who chooses: MODEL[;prompt=FILE]. Several choose by majority.", show_default=False
        ),
    ] = None,
    profiles: Annotated[
        Path | None,
        typer.Option(
            "--profiles", metavar="FILE", help="Client profiles, as for simulate; not with --continue fixed:RUN.", show_default=False
        ),
    ] = None,
    client: Client = None,
    preset: Annotated[
        Literal["interactive-agents"] | None,
        typer.Option("--preset", help="A paper's design: the first member and every pair of the others, 100 test profiles."),
    ] = None,
    mode: Annotated[
        ModeName | None,
        typer.Option(
            "--mode", help="turns (the default): replies to one turn. sessions: whole sessions, each counselor alone with the client."
        ),
    ] = None,
    size: Annotated[
        int | None, typer.Option("--size", metavar="N", help="Counselors that meet; default: 3, or 2 of two members or whole sessions.")
    ] = None,
    combinations: Annotated[
        str | None,
        typer.Option(
            "--combinations", metavar="WHICH", help="all (the default), with:NAME, or a file: names separated by commas, a line each."
        ),
    ] = None,
    orders: Annotated[
        OrdersName | None,
        typer.Option("--orders", help="cyclic (the default): each candidate once in each slot. all. one: a third of the calls, balanced."),
    ] = None,
    go_on: Annotated[
        str | None,
        typer.Option(
            "--continue", metavar="WHICH", help="Whose reply goes on: winner (the default), random, or fixed:RUN (replays its sessions)."
        ),
    ] = None,
    canaries: Annotated[
        str | None, typer.Option("--canaries", metavar="SHARE", help="Choices with a planted bad reply asked besides; default: 2%.")
    ] = None,
    split: Annotated[Split | None, typer.Option("--split", help="Split of the profiles that name none.")] = None,
    allow_train: Annotated[bool, typer.Option("--allow-train", help="Take profiles that are marked for training.")] = False,
    run: Run = None,
    db: Db = DEFAULT_DB,
    language: SessionLanguage = None,
    limit: Limit = None,
    per_profile: Annotated[
        int | None, typer.Option("--per-profile", metavar="N", help="Sessions of each combination for each profile; default: 1.")
    ] = None,
    max_exchanges: MaxExchanges = None,
    ending: Ending = None,
    client_prompt: ClientPrompt = None,
    at_once: AtOnce = None,
    seed: Seed = None,
    stop_on_risk: StopOnRisk = False,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Let counselors compete for each reply of a session, under supervisors.

    Every candidate, ballot and choice is kept as it comes. The same command goes on where an earlier one was stopped, and
    asks nobody twice. `practicum rank RUN` prints the table again, with plots by --out.

    Exits like simulate: 0 once every session has ended, 1 if some are still owed, 2 if the command is wrong, 130 if interrupted.
    """
    from practicum.arena import read_arena_config
    from practicum.build import plan_arena
    from practicum.cli.simulate import refuse_memory

    continuation, _, history = (go_on or "").partition(":")
    flags: dict[str, Any] = {
        **_people(member or (), supervisor or ()),
        "client.model": client,
        "client.prompt": client_prompt,
        "mode": mode,
        "size": size,
        "combinations": combinations,
        "orders": orders,
        "go_on": continuation or None,
        "history": history or None,
        "canaries": None if canaries is None else read_share(canaries),
        "split": split,
        "allow_train": allow_train or None,
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
    configuration = read_arena_config(flags, file=config, settings=[*_preset(preset, member or ()), *(settings or ())])
    plan = plan_arena(
        configuration, _read(profiles, configuration.split, history), db=db, settings={"profiles": str(profiles), "preset": preset}
    )
    for note in plan.notes:
        tell(f"note: {note}")
    raise typer.Exit(hold_and_rank(plan, db, json=json))


def hold_and_rank(plan: ArenaPlan, db: str, *, json: bool = False, watcher: Watcher | None = None) -> int:
    """Hold an arena, show it, and print card and table; return the exit status.

    Args:
        plan: The arena.
        db: The store.
        json: Print the outcome as JSON, and no table.
        watcher: Tells what is said in place of the live counters.
    """
    from practicum.cli.summary import print_summary, print_what_is_owed, read_run, status_of, summary

    if not json:
        print_arena(plan, db)
    result = _hold(plan, db, json=json, watcher=watcher)
    info = read_run(result.run, db)
    if json:
        print_json(summary(plan.config, result, info))
        return status_of(result)
    print()
    print_summary(plan.config, result, info)
    print_what_is_owed(result, db)
    _print_table(plan.name, db)
    print("\nnext")
    print(f"  practicum rank {plan.name} --out practicum-rank{db_option(db)}")
    print(f"  practicum show {plan.name} 1{db_option(db)}")
    return status_of(result)


def _people(member: Sequence[str], supervisor: Sequence[str]) -> dict[str, Any]:
    from practicum.arena import read_chair, read_member

    members: dict[str, Any] = {}
    for text in member:
        name, chair = read_member(text)
        if name in members:
            raise ConfigError(f"--member {name!r} is there twice; give each counselor a name of its own")
        members[name] = chair
    supervisors: dict[str, Any] = {}
    for text in supervisor:
        chair = read_chair(text, "--supervisor")
        name = chair["model"].partition("@")[0]
        supervisors[name if name not in supervisors else f"{name} ({len(supervisors) + 1})"] = chair
    return {"members": members or None, "supervisors": supervisors or None}


def _preset(name: str | None, member: Sequence[str]) -> list[str]:
    if name is None:
        return []
    if not member:
        raise ConfigError(f"--preset {name}: give the counselors by --member, your own first: every pair of the others meets it")
    first = member[0].partition("=")[0].strip()
    return [f"{key}={value}" for key, value in {**PRESETS[name], "combinations": f"with:{first}"}.items()]


def read_share(text: str) -> float:
    """Read `2%` or `0.02`.

    Raises:
        ConfigError: It is no share from 0 to 1.
    """
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ConfigError(f"--canaries {text!r}: expected a share from 0 to 1, e.g. 2% or 0.02")
    return share


def _read(profiles: Path | None, split: Split | None, history: str) -> list[Profile]:
    from practicum.dataset import read_profiles

    if history:
        if profiles is not None:
            raise ConfigError("--profiles: the clients are those of the run that --continue fixed:RUN replays; give one of the two")
        return []
    if profiles is None:
        raise ConfigError("--profiles is missing; give a file of client profiles, or --continue fixed:RUN to replay stored sessions")
    return read_profiles(profiles, split=split)


def print_arena(plan: ArenaPlan, db: str) -> None:
    """Say where an arena is kept, who meets, and how large it is."""
    print(f"store        {shown_url(db)}")
    print(f"run          {plan.name}")
    if plan.client is not None:
        print(f"client       {plan.client.participant.model} ({plan.client.participant.form})")
    for what, seats in (("member", plan.members), ("supervisor", plan.supervisors)):
        for name, seat in seats.items():
            prompts = ", ".join(dict.fromkeys(ref.id for ref in seat.participant.prompts if not ref.id.startswith("question")))
            print(f"{what:<11}  {name}: {seat.participant.model} ({seat.participant.form}: {prompts})")
    meet = f"{len(plan.combinations):,} combination{'s' if len(plan.combinations) > 1 else ''}"
    config = plan.config
    print(f"design       {meet} × {len(plan.profiles):,} clients × {config.per_profile:,}, {config.mode}")
    print(f"             orders {config.orders}, {config.go_on} goes on")
    print(f"sessions     {len(plan.meetings):,}", flush=True)


def _hold(plan: ArenaPlan, db: str, *, json: bool, watcher: Watcher | None) -> RunResult:
    from practicum.build import hold_arena
    from practicum.cli.live import in_lines, watching
    from practicum.cli.meter import Meter
    from practicum.engine import Progress

    progress = Progress()
    try:
        meter = Meter(progress, plan.config)
        with watching(meter, title=plan.name, json=json) if watcher is None else in_lines(meter, every=QUIET_SECONDS):
            return hold_arena(plan, db=db, progress=progress, watcher=watcher, signals=True)
    except PracticumError:
        if progress.turns:
            tell(f"practicum: {progress.turns:,} turns were kept; the same command goes on after them")
        raise


def _print_table(run: str, db: str) -> None:
    """Print card and table of what there is; an arena that was cut early has neither, which is no error of its own."""
    from practicum.arena import read_log
    from practicum.cli.ranking import print_ranking

    print()
    try:
        print_ranking(read_log([run], db=db))
    except (NotIdentifiedError, StoreError) as problem:
        tell(f"practicum: no table yet: {problem}")
