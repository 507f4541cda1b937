"""Options and arguments that several verbs take, each defined once."""

from __future__ import annotations

import re
from typing import Annotated

import typer

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


def shown_url(url: str) -> str:
    """Return a database URL without its password."""
    return re.sub(r"(://[^:/@]*):.*@", r"\1:***@", url)


def db_option(url: str) -> str:
    """Return what must be added to a suggested command so that it finds this store: nothing, for the default one."""
    return "" if url == DEFAULT_DB else f" --db {shown_url(url)}"
