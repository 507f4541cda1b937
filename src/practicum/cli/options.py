"""Options and arguments that several verbs take, each defined once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from practicum.core import EndingPolicy, Language

DEFAULT_DB = "sqlite:///practicum.db"
"""`practicum.store.DEFAULT_URL`, repeated because the store's room loads SQLAlchemy."""

Db = Annotated[str, typer.Option("--db", metavar="URL", help="The store: sqlite:///FILE.db.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="Name of the run; `practicum runs` lists them.")]

MODEL = (
    "BACKEND:NAME[@ADDRESS], e.g. openai:gpt-4.1, deepseek:deepseek-chat, openai:NAME@http://localhost:8000/v1, "
    "ollama:qwen2.5:7b, local:qwen2.5-coder-1.5b, script:FILE."
)
"""What a model's name looks like, for the help."""


# What simulate and arena have in common; None: not given, so that a configuration file may say it.
Client = Annotated[str | None, typer.Option("--client", metavar="MODEL", help=f"The client's model: {MODEL}")]
ClientPrompt = Annotated[
    Path | None, typer.Option("--client-prompt", metavar="FILE", help="Your own prompt for the client (text or Jinja).")
]
Run = Annotated[
    str | None, typer.Option("--run", metavar="NAME", help="Name of the run; default: derived from all that determines its sessions.")
]
SessionLanguage = Annotated[Language | None, typer.Option("--language", help="Language of every session; default: each profile's own.")]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", help="Use the first N profiles only.")]
MaxExchanges = Annotated[int | None, typer.Option("--max-exchanges", metavar="N", help="Most exchanges of a session; default: 50.")]
Ending = Annotated[
    EndingPolicy | None,
    typer.Option("--ending", help="What ends a session earlier. mutual (the default): both said goodbye. paper: the origin's rule."),
]
AtOnce = Annotated[
    int | None, typer.Option("--at-once", metavar="N", help="Calls in flight, from the start; default: what the servers or slots take.")
]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Seed of the whole run; default: 0.")]
StopOnRisk = Annotated[
    bool, typer.Option("--stop-on-risk", help="End a session at the first turn in which a risk is found; else it is only labelled.")
]
TrustRemoteCode = Annotated[
    bool, typer.Option("--trust-remote-code", help="Run code that comes with an hf: model, where the bot file says so too.")
]
Config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="A TOML file; --set and options override it.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any key of the configuration, e.g. client.temperature=0.7.")
]


def shown_url(url: str) -> str:
    """Return a database URL without its password."""
    return re.sub(r"(://[^:/@]*):.*@", r"\1:***@", url)


def db_option(url: str) -> str:
    """Return what must be added to a suggested command so that it finds this store: nothing, for the default one."""
    return "" if url == DEFAULT_DB else f" --db {shown_url(url)}"
