"""`practicum curate`: sessions and corpora in, a checked data set out."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from practicum.cli.console import count, print_json, table, tell
from practicum.cli.options import DEFAULT_DB, Config, Db, Json, Settings

if TYPE_CHECKING:
    from practicum.dataset import CurateReport

EVERY = 2.0
"""Seconds between two lines of progress where standard error is no terminal."""


def curate(  # noqa: PLR0913 - one parameter an option
    *,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|FILE...", help="Runs of the store, and files or folders of conversations; the format is told from the content."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DATASET", help="The folder; made if need be.", show_default=False)],
    samples: Annotated[
        Literal["session", "turn"] | None,
        typer.Option("--samples", help="A row is a session (the default), or one counselor turn with what was said till then."),
    ] = None,
    include_risk: Annotated[bool, typer.Option("--include-risk", help="Keep sessions with a risk among the others.")] = False,
    test: Annotated[
        list[str] | None,
        typer.Option(
            "--test", metavar="RUN|FILE", help="A test set: clients and conversations in it are dropped. May be given several times."
        ),
    ] = None,
    dev: Annotated[
        float | None, typer.Option("--dev", metavar="SHARE", help="Share of the clients held out for choosing; default: 0.05.")
    ] = None,
    licence: Annotated[str, typer.Option("--licence", metavar="TEXT", help="Of the files named, where their rows name none.")] = "",
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Go on without rows that cannot be read.")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Write report.html: what was dropped and why, what the rest looks like.")
    ] = False,
    config: Config = None,
    settings: Settings = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
) -> None:
    """Make a checked data set of sessions: mended, examined, without duplicates, split by client.

    What is dropped is counted and named with its reason. Sessions with a risk are kept apart.
    """
    from practicum.dataset import CurateConfig, find_sources
    from practicum.dataset import curate as curate_sources
    from practicum.engine import read_tree

    flags: dict[str, Any] = {"samples": samples, "include_risk": include_risk or None, "split.dev": dev}
    wanted = read_tree(CurateConfig, flags, file=config, settings=settings or ())
    progress = Progress()
    result = curate_sources(
        find_sources(sources, db=db, licence=licence),
        wanted,
        out,
        test=find_sources(test or [], db=db),
        report=report,
        skip_bad=skip_bad,
        watch=progress,
    )
    progress.close()
    _show(result, json=json)


def _show(result: CurateReport, *, json: bool) -> None:
    if json:
        from dataclasses import asdict

        print_json(asdict(result))
    else:
        for line in table(("sessions", "count"), result.table()):
            print(line)
        print(
            f"rows {', '.join(f'{split} {size.rows:,}' for split, size in result.written.items())} in {result.folder}; README.md says more"
        )
    for note in result.notes:
        tell(f"note: {note}")


class Progress:
    """Tells on standard error how far it is: a line that is written over on a terminal, a line now and then elsewhere."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._live = sys.stderr.isatty()
        self._clock = clock
        self._begun = self._told = clock()

    def __call__(self, doing: str, done: int) -> None:
        """Take note; see `practicum.dataset.Watch`."""
        now = self._clock()
        if now - self._told < (0.1 if self._live else EVERY):
            return
        self._told = now
        line = f"{doing}: {count(done, 'session')}, {done / max(now - self._begun, 1e-9):,.0f}/s"
        if self._live:
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
        else:
            tell(line)

    def close(self) -> None:
        """Leave a clean line."""
        if self._live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
