"""`practicum keys`: who may ask a gateway beyond this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from practicum.cli.console import local_time, print_json, table, tell
from practicum.cli.options import Json
from practicum.cli.serve import KEYS
from practicum.errors import ConfigError

if TYPE_CHECKING:
    from practicum.serve.keys import Scope

keys = typer.Typer(name="keys", help="Make, list and revoke the API keys of a gateway.", no_args_is_help=True, rich_markup_mode=None)

File = Annotated[Path, typer.Option("--keys", metavar="FILE", help="The file of keys. It holds digests only.")]


@keys.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is.", show_default=False)],
    scopes: Annotated[
        str, typer.Option("--for", metavar="SCOPE,…", help="What it opens: bots, clients (simulated ones), metrics.")
    ] = "bots,clients",
    per_minute: Annotated[int | None, typer.Option("--per-minute", metavar="N", help="Most questions a minute; default: no limit.")] = None,
    file: File = KEYS,
) -> None:
    """Make a key and print it. It is shown this once and kept nowhere.

    A gateway that runs with this file takes it within about a second.
    """
    from practicum.serve.keys import new_key

    key, secret = new_key(file, name, _read_scopes(scopes), per_minute=per_minute)
    print(secret)
    tell(f"key {key.id} for {name} opens {', '.join(key.scopes)}; keep it, it is not shown again ({file} holds its digest)")


@keys.command("list")
def list_keys(file: File = KEYS, json: Json = False) -> None:
    """List the keys, revoked ones too; never a secret."""
    from practicum.serve.keys import read_keys

    found = read_keys(file)
    if json:
        print_json([key.model_dump(mode="json", exclude={"sha256"}) for key in found])
        return
    rows = [
        (
            key.id,
            key.name,
            ",".join(key.scopes),
            f"{key.per_minute:,}" if key.per_minute else "-",
            local_time(key.created),
            f"revoked {local_time(key.revoked)}" if key.revoked is not None else "in use",
        )
        for key in found
    ]
    for line in table(("id", "name", "opens", "per minute", "made", "state"), rows):
        print(line)


@keys.command()
def revoke(
    which: Annotated[str, typer.Argument(metavar="ID|NAME", help="The key, by its id or name.", show_default=False)],
    file: File = KEYS,
) -> None:
    """Revoke a key: a running gateway refuses it within about a second."""
    from practicum.serve.keys import revoke_key

    gone = revoke_key(file, which)
    print(f"key {gone.id} ({gone.name}) is revoked")


def _read_scopes(text: str) -> list[Scope]:
    from practicum.serve.keys import Scope

    named = [part.strip() for part in text.split(",") if part.strip()]
    for one in named:
        if one not in set(Scope):
            raise ConfigError(f"--for {one!r}: expected {', '.join(Scope)}, separated by commas")
    return [Scope(one) for one in dict.fromkeys(named)]
