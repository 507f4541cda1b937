"""A run shown while it goes on, from a thread of its own: a live table on a terminal, a line now and then otherwise."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from threading import Event, Thread
from typing import TYPE_CHECKING

from practicum.cli.console import print_json, tell

if TYPE_CHECKING:
    from rich.console import RenderableType

    from practicum.cli.meter import Meter, Reading

POLL_SECONDS = 0.25
LINE_SECONDS = 5.0


@contextmanager
def watching(meter: Meter, *, title: str, json: bool, every: float = LINE_SECONDS) -> Iterator[None]:
    """Show a run on standard error while the block holds it.

    Args:
        meter: Reads the run.
        title: The run's name.
        json: A JSON object a line, terminal or not.
        every: Seconds between two lines, where there is no live table.
    """
    with _table(meter, title) if sys.stderr.isatty() and not json else in_lines(meter, json=json, every=every):
        yield


@contextmanager
def in_lines(meter: Meter, *, json: bool = False, every: float = LINE_SECONDS) -> Iterator[None]:
    """Print a line every so many seconds, and notes as they come; nothing for a run that is over sooner."""
    over = Event()
    thread = Thread(target=_print_lines, args=(meter, over), kwargs={"json": json, "every": every}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _print_lines(meter: Meter, over: Event, *, json: bool, every: float) -> None:
    told = polls = 0
    while not over.wait(min(POLL_SECONDS, every)):
        polls += 1
        if not json:  # there, a line carries its note
            for note in meter.progress.notes[told:]:
                tell(note)
                told += 1
        if polls * POLL_SECONDS >= every:
            polls = 0
            reading = meter.read()
            if json:
                print_json(asdict(reading), to_stderr=True, indent=False)
            else:
                tell(reading.line())


@contextmanager
def _table(meter: Meter, title: str) -> Iterator[None]:
    from rich.console import Console
    from rich.live import Live

    def render() -> RenderableType:
        return _as_table(meter.read(), title)

    # The table's thread is rich's own; the last one stays on the screen.
    with Live(get_renderable=render, console=Console(stderr=True), refresh_per_second=1 / POLL_SECONDS, redirect_stdout=False):
        yield


def _as_table(reading: Reading, title: str) -> RenderableType:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column()
    table.add_row("run", Text(title))
    table.add_row("", ProgressBar(total=max(1, reading.planned), completed=reading.done, width=40))
    for name, value in (
        ("sessions", reading.sessions),
        ("speed", reading.speed),
        ("cost", reading.price),
        ("left", reading.left),
        ("note", reading.note),
    ):
        if value:
            table.add_row(name, Text(value))  # as it is: a note may hold brackets, which are markup elsewhere
    return table
