"""`practicum serve`: bots and simulated clients behind one door that speaks OpenAI's protocol."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from practicum.cli.console import table, tell
from practicum.cli.options import DEFAULT_DB, MODEL, AtOnce, Config, Db, Settings, TrustRemoteCode
from practicum.core import Language
from practicum.errors import ConfigError

if TYPE_CHECKING:
    from practicum.build import GatewayPlan

KEYS = Path("practicum-keys.json")
"""Where `practicum keys` keeps the gateway's keys, in the current folder like the store."""
SHOWN_CLIENTS = 5
_NAMED = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]*)=(?P<rest>.+)")


def serve(  # noqa: PLR0913 - one parameter an option
    *,
    bots: Annotated[
        str | None,
        typer.Option("--bots", metavar="NAME,…", help="Bots by name, or bot files (.toml); default: practicum's own."),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="[BOT=]MODEL", help=f"What a bot, or every bot, answers with in place of its own: {MODEL}"),
    ] = None,
    prompts: Annotated[
        list[str] | None, typer.Option("--prompt", metavar="BOT=FILE", help="Your copy of a bot's instruction, where ours stands in.")
    ] = None,
    clients: Annotated[
        str | None, typer.Option("--clients", metavar="RUN|FILE", help="Serve these clients too, each as client/PROFILE_ID.")
    ] = None,
    client: Annotated[
        str | None, typer.Option("--client", metavar="MODEL", help="The model that plays the clients; default: that of the run.")
    ] = None,
    host: Annotated[str | None, typer.Option("--host", help="Default: 127.0.0.1. Beyond this machine only with keys.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Default: 8080; 0 takes any free one.")] = None,
    keys: Annotated[
        Path | None, typer.Option("--keys", metavar="FILE", help=f"API keys (`practicum keys new`); default: {KEYS}, if there is one.")
    ] = None,
    language: Annotated[
        Language | None, typer.Option("--language", help="Of every conversation; default: told from each caller's words.")
    ] = None,
    country: Annotated[
        str | None,
        typer.Option(
            "--country", metavar="CODE", help="Whose crisis lines the risk banner names: a two-letter code such as CN, or international."
        ),
    ] = None,
    no_banner: Annotated[
        bool, typer.Option("--no-banner", help="No crisis lines before replies to words that speak of risk; the header stays.")
    ] = False,
    at_once: AtOnce = None,
    trust_remote_code: TrustRemoteCode = False,
    db: Db = DEFAULT_DB,
    config: Config = None,
    settings: Settings = None,
) -> None:
    """Serve bots, and simulated clients, to anything that speaks OpenAI's protocol.

    Names are bot/NAME and client/PROFILE_ID. Ctrl-C closes the door and lets requests under way finish.

    Exits with 0 once closed, 2 if the command is wrong.
    """
    from practicum.build import hold_gateway, plan_gateway
    from practicum.engine import read_tree
    from practicum.serve import ServeConfig

    flags: dict[str, Any] = {
        "bots": None if bots is None else [name for name in bots.split(",") if name],
        "models": read_named(models or (), "--model", lone="*"),
        "prompts": read_named(prompts or (), "--prompt"),
        "clients": clients,
        "client_model": client,
        "host": host,
        "port": port,
        "language": language,
        "banner.country": country,
        "banner.on": False if no_banner else None,
        "at_once": at_once,
        "hf.trust_remote_code": trust_remote_code or None,
    }
    plan = plan_gateway(read_tree(ServeConfig, flags, file=config, settings=settings or ()), db=db)
    _log_to_stderr(errors_only=plan.config.log == "errors")
    print_names(plan)
    hold_gateway(plan, keys=keys or (KEYS if KEYS.exists() else None), on_ready=_tell_address, notify=tell)


def read_named(given: Sequence[str], option: str, *, lone: str = "") -> dict[str, str] | None:
    """Read `NAME=VALUE` options; one without a name is for `lone`, where there may be such.

    Raises:
        ConfigError: No name where one is needed.
    """
    found: dict[str, str] = {}
    for one in given:
        match = _NAMED.fullmatch(one)
        if match is None and not lone:
            raise ConfigError(f"{option} {one!r}: expected BOT={option.removeprefix('--').upper()}, e.g. {option} mechat=instruction.txt")
        found[match["name"] if match else lone] = match["rest"] if match else one
    return found or None


def print_names(plan: GatewayPlan) -> None:
    """Print what is served, with which model, and what stands in for something else."""
    rows: list[tuple[str, str, str]] = []
    for made in plan.bots:
        note = "our instruction stands in for its authors'; --prompt takes theirs" if made.bot.stands_in else ""
        where = f" at {', '.join(made.model.addresses)}" if made.model.addresses else ""
        rows.append((f"bot/{made.bot.name}", f"{made.model.identity}{where}", note))
    if plan.clients is not None:
        profiles = plan.clients.profiles
        rows += [(f"client/{profile.id}", plan.clients.seat.participant.model, "") for profile in profiles[:SHOWN_CLIENTS]]
        if len(profiles) > SHOWN_CLIENTS:
            rows.append((f"… {len(profiles) - SHOWN_CLIENTS:,} more", "", "GET /v1/models lists all"))
    for line in table(("name", "model", "note"), rows):
        print(line.rstrip())
    print(flush=True)


def _tell_address(address: str) -> None:
    print(f"serving {address}/v1   (Ctrl-C stops)", flush=True)


def _log_to_stderr(*, errors_only: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("practicum.serve")
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING if errors_only else logging.INFO)
    logger.propagate = False
