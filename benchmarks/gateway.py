"""What the figures of the gateway share: `practicum serve` as a child before a fake server, and loads upon it."""

from __future__ import annotations

import json
import re
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.fakeserver import FakeServer
from benchmarks.meter import ROOT, MeterError, Watched, clean_environment, python

ADDRESS = re.compile(rb"http://127\.0\.0\.1:\d+/v1")
START_SECONDS = 60
PAUSE_MS = 20
"""Between two chunks of a stream."""
CHUNKS = 50
"""Chunks of a stream."""
BOT = """\
name = "relay"
languages = ["zh", "en"]

[model]
name = "openai:fake@{url}"

[prompt]
form = "chat"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway that listens, and what the kernel says of it."""

    url: str
    watched: Watched
    model: str = "bot/relay"

    def cpu_s(self) -> float:
        """Return the CPU seconds of its threads so far."""
        self.watched.look()
        return self.watched.cpu_s


@contextmanager
def serve(server: FakeServer, folder: Path, *, at_once: int) -> Iterator[Gateway]:
    """Run `practicum serve` with one bot that adds nothing to what the fake server says; end it when the block ends.

    Raises:
        MeterError: It does not listen within a minute, wrote a traceback, or did not end well; with the end of what it wrote.
    """
    with tempfile.TemporaryDirectory(dir=folder) as name, Path(name, "log").open("w+b") as log:
        bot = Path(name, "relay.toml")
        bot.write_text(BOT.format(url=server.url))
        options = [f"--bots={bot}", "--port=0", f"--at-once={at_once}", f"--db=sqlite:///{name}/practicum.db"]
        command = python("-m", "practicum", "serve", *options)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=ROOT, env=clean_environment(), start_new_session=True)
        try:
            yield Gateway(url=_read_address(process, Path(log.name)), watched=Watched(process))
        finally:
            _end(process)
        told = Path(log.name).read_bytes()
        if process.returncode or b"Traceback" in told:
            at = max(0, told.find(b"Traceback") - 1000) if b"Traceback" in told else -3000
            raise MeterError(f"the gateway ended with status {process.returncode}:\n{told[at:][:6000].decode(errors='replace')}")


def _read_address(process: subprocess.Popen[bytes], log: Path) -> str:
    assert process.stdout is not None
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        ready, _, _ = select.select([process.stdout], [], [], 1)
        line = process.stdout.readline() if ready else b""
        if found := ADDRESS.search(line) if line.startswith(b"serving") else None:
            return found.group().decode()
        if ready and not line:
            break
    raise MeterError(f"the gateway does not listen:\n{log.read_text(errors='replace')[-3000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it as Ctrl-C does, by force where that takes more than ten seconds."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


class Spent(NamedTuple):
    """A load and what it cost whom it was put upon."""

    seen: dict[str, Any]
    """The fields of `gateway_load.Seen`."""
    cpu_s: float
    """CPU seconds of the gateway."""
    wall_s: float
    waited_s: float
    """Seconds that the gateway stood ready without a core."""

    @property
    def contended(self) -> bool:
        """Whether the gateway waited for a core longer than it had one: then times mean little."""
        return self.waited_s > self.cpu_s


def put(load: str, url: str, model: str, *, timeout: float = 300.0, **options: Any) -> dict[str, Any]:
    """Run a load and return what it has seen; options as in `gateway_load`, with underscores for hyphens.

    Raises:
        MeterError: It failed, or did not end within `timeout` seconds.
    """
    arguments = [f"--url={url}", f"--model={model}"]
    for name, value in options.items():
        arguments += [f"--{name.replace('_', '-')}", *map(str, value if isinstance(value, list) else [value])]
    command = python("-m", "benchmarks.gateway_load", load, *arguments)
    try:
        ran = subprocess.run(command, capture_output=True, cwd=ROOT, env=clean_environment(), timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise MeterError(f"not done in time: {command!r}") from None
    if ran.returncode:
        raise MeterError(f"exit status {ran.returncode}: {command!r}\n{ran.stderr[-3000:].decode(errors='replace')}")
    seen: dict[str, Any] = json.loads(ran.stdout)
    return seen


def put_upon(gateway: Gateway, load: str, **options: Any) -> Spent:
    """Run a load upon a gateway and return what both say of it."""
    cpu_s, waited_s, begun = gateway.cpu_s(), gateway.watched.waited_s, time.monotonic()
    seen = put(load, gateway.url, gateway.model, **options)
    wall_s = time.monotonic() - begun
    return Spent(seen, gateway.cpu_s() - cpu_s, wall_s, gateway.watched.waited_s - waited_s)


def rest(gateway: Gateway, seconds: float) -> float:
    """Return the CPU seconds a second of a gateway that nobody asks anything."""
    cpu_s, begun = gateway.cpu_s(), time.monotonic()
    time.sleep(seconds)
    return (gateway.cpu_s() - cpu_s) / (time.monotonic() - begun)


def say_contended(spent: Iterable[Spent]) -> str:
    """Return a remark for a table's cell if any of these loads was."""
    return " (contended)" if any(one.contended for one in spent) else ""


def say_faults(seen: dict[str, Any]) -> str:
    """Return what went wrong in a load, as a few words for a table's cell."""
    return "".join(f", {count} {fault}" for fault, count in seen["faults"].items())
