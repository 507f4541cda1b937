"""What an arena is asked to be: one frozen tree, as for a run of sessions, and who sits on its panels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from practicum.arena.combine import Combine, GoOn
from practicum.arena.orders import LABELS, Orders
from practicum.core import Split
from practicum.engine import ChairConfig, SessionsConfig, Text, read_tree
from practicum.errors import ConfigError

Share = Annotated[float, Field(ge=0, le=1)]


def _two_or_more(members: dict[str, ChairConfig]) -> dict[str, ChairConfig]:
    if len(members) < 2:
        raise ValueError("one counselor has nobody to compete with; give another --member NAME=MODEL")
    return members


class Mode(StrEnum):
    """What is compared."""

    TURNS = "turns"
    """The replies to one turn of a shared session."""
    SESSIONS = "sessions"
    """Whole sessions that two counselors held with the same client, each alone."""


class SupervisorConfig(ChairConfig):
    """A supervisor's chair."""

    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = 600


class ArenaConfig(SessionsConfig):
    """An arena: a client, counselors by name, supervisors by name, and what is asked of them."""

    client: ChairConfig | None = None
    """None only where stored sessions are replayed (`go_on` fixed)."""
    members: Annotated[dict[Text, ChairConfig], AfterValidator(_two_or_more)]
    """Counselors by the name that the table shows."""
    supervisors: Annotated[dict[Text, SupervisorConfig], Field(min_length=1)]
    """Supervisors by name."""
    mode: Mode = Mode.TURNS
    size: Annotated[int, Field(ge=2, le=len(LABELS))] | None = None
    """Counselors of one panel; none: three, or two where there are but two or whole sessions are compared."""
    combinations: Text = "all"
    """all, with:NAME (all that hold this member), or a file with a combination of names a line."""
    orders: Orders = Orders.CYCLIC
    go_on: GoOn = GoOn.WINNER
    """Whose reply goes on in the session."""
    history: Text | None = None
    """The run whose sessions are replayed, where `go_on` is fixed."""
    combine: Combine = Combine.MAJORITY
    constrain: bool = False
    """Hold supervisors' answers to the form; refused at start-up where a server does not obey."""
    canaries: Share = 0.02
    """Share of the choices at which a canary is asked about besides."""
    repeats: Share = 0.05
    """Share of the choices at which one order is asked again."""
    split: Split | None = None
    """Split of the profiles that name none."""
    allow_train: bool = False
    """Take profiles that are marked for training."""


def read_arena_config(flags: Mapping[str, Any], *, file: Path | None = None, settings: Sequence[str] = ()) -> ArenaConfig:
    """Put an arena's configuration together, as `read_config` does for a run.

    Raises:
        ConfigError: One line for every mistake.
    """
    config = read_tree(ArenaConfig, flags, file=file, settings=settings)
    if (config.go_on is GoOn.FIXED) != (config.history is not None):
        raise ConfigError("go_on: fixed needs the run whose sessions are replayed, and only fixed does: give --continue fixed:RUN")
    if config.mode is Mode.SESSIONS and config.go_on is not GoOn.WINNER:
        raise ConfigError(f"go_on: {config.go_on} will not do: whole sessions go on by themselves (mode sessions)")
    if config.language is not None and config.go_on is GoOn.FIXED:
        raise ConfigError(f"language: {config.language} will not do: replayed sessions keep the language that they were held in")
    if config.client is None and config.go_on is not GoOn.FIXED:
        raise ConfigError("client is missing; give --client MODEL, e.g. --client local:qwen2.5-coder-1.5b")
    return config


def read_member(text: str) -> tuple[str, dict[str, Any]]:
    """Read `NAME=MODEL[;KEY=VALUE…]`: a counselor's name, and its chair.

    Raises:
        ConfigError: It has no name, no model, or a setting without a value.
    """
    name, equals, rest = text.partition("=")
    if not equals or not name.strip() or not rest.strip():
        raise ConfigError(f"--member {text!r}: expected NAME=MODEL[;prompt=FILE][;temperature=0.7], e.g. ours=vllm:Qwen2.5-7B-Instruct")
    return name.strip(), read_chair(rest, f"--member {name.strip()}")


def read_chair(text: str, where: str) -> dict[str, Any]:
    """Read `MODEL[;KEY=VALUE…]`.

    Raises:
        ConfigError: A setting has no value.
    """
    model, *settings = text.split(";")
    chair: dict[str, Any] = {"model": model.strip()}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise ConfigError(f"{where}: {setting!r}: expected KEY=VALUE with KEY one of {', '.join(sorted(ChairConfig.model_fields))}")
        chair[key.strip()] = value.strip()
    return chair
