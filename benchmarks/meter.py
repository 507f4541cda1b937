"""Runs a command against the fake server and tells what it cost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.fakeserver import FakeServer

ROOT = Path(__file__).resolve().parent.parent
LOOK_EVERY = 0.02
"""Seconds between two looks at a running command."""


class MeterError(RuntimeError):
    """A measured command failed or did not end in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one run took, the process's side from the kernel and the calls' side from the server."""

    cpu_s: float
    """CPU seconds of the process and its children, start-up included (wait4)."""
    rss_mib: float
    """Its largest resident set (VmHWM)."""
    wall_s: float
    waited_s: float
    """Seconds that its threads stood ready without a core: what the neighbours took (schedstat)."""
    stats: Mapping[str, float]
    """The server's counters."""

    @property
    def calls(self) -> int:
        """Requests that the server saw."""
        return int(self.stats["requests"])

    @property
    def cpu_ms_per_call(self) -> float:
        """CPU milliseconds a call, start-up included."""
        return self.cpu_s / max(self.calls, 1) * 1e3

    @property
    def contended(self) -> bool:
        """Whether the neighbours took so much that figures on the wall clock mean little (a fifth of CPU + wall)."""
        return self.waited_s > 0.2 * (self.cpu_s + self.wall_s)

    def efficiency(self, at_once: int) -> float:
        """Return the share of `at_once` slots' time in which a call was in service, first request to last reply."""
        return self.stats["service_s"] / at_once / max(self.stats["first_to_last_s"], 1e-9)


@dataclass(slots=True)
class Watched:
    """A running command: what the kernel says of it so far."""

    process: subprocess.Popen[bytes]
    rss_mib: float = 0.0
    _threads: dict[str, tuple[int, int]] = field(default_factory=dict)

    def look(self) -> None:
        """Read its clocks; the last look of a thread that has ended since counts."""
        folder = Path(f"/proc/{self.process.pid}")
        try:
            for thread in os.listdir(folder / "task"):  # noqa: PTH208 -- fifty times a second beside what is measured
                on_core, ready, _ = (folder / "task" / thread / "schedstat").read_text().split()
                self._threads[thread] = int(on_core), int(ready)
            for line in (folder / "status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    self.rss_mib = int(line.split()[1]) / 1024
        except (OSError, ValueError):  # it has just ended
            return

    @property
    def cpu_s(self) -> float:
        """CPU seconds of its threads, as of the last look."""
        return sum(on_core for on_core, _ in self._threads.values()) / 1e9

    @property
    def waited_s(self) -> float:
        """Seconds ready without a core, as of the last look."""
        return sum(ready for _, ready in self._threads.values()) / 1e9

    def kill(self) -> None:
        """End the command and whatever it has started, at once."""
        os.killpg(self.process.pid, signal.SIGKILL)


def clean_environment() -> dict[str, str]:
    """Return this environment without proxies, with a key for the fake server."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return kept | {"PRACTICUM_API_KEY": "x"}


def measure(
    command: Sequence[str],
    server: FakeServer,
    *,
    timeout: float,
    during: Callable[[Watched], None] | None = None,
    allowed: Sequence[int] = (0,),
) -> Cost:
    """Run a command to its end.

    Args:
        command: Program and arguments.
        server: Its counters are reset first and read at the end.
        timeout: Seconds after which it is killed.
        during: Called at each look.
        allowed: Exit statuses that are no failure.

    Raises:
        MeterError: Another exit status, or the time is over; with the end of what it wrote.
    """
    server.reset()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begun = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=err, start_new_session=True, cwd=ROOT, env=clean_environment())
        watched = Watched(process)
        try:
            status, cpu_s = _attend(watched, begun + timeout, during)
        finally:
            if process.returncode is None:
                watched.kill()
                process.wait()
        wall_s = time.monotonic() - begun
        out.seek(0)
        err.seek(0)
        output, complaint = out.read().decode(errors="replace"), err.read().decode(errors="replace")
    if status not in allowed:
        raise MeterError(f"exit status {status}: {' '.join(command)}\n{output[-1500:]}\n{complaint[-3000:]}")
    return Cost(cpu_s=cpu_s, rss_mib=watched.rss_mib, wall_s=wall_s, waited_s=watched.waited_s, stats=server.stats())


def _attend(watched: Watched, until: float, during: Callable[[Watched], None] | None) -> tuple[int, float]:
    """Look on until the command ends; return its exit status and CPU seconds."""
    process = watched.process
    while True:
        watched.look()
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage.ru_utime + usage.ru_stime
        if time.monotonic() > until:
            raise MeterError(f"not done in time: {process.args!r}")
        if during is not None:
            during(watched)
        time.sleep(LOOK_EVERY)


def python(*arguments: str) -> list[str]:
    """Return a command for this interpreter."""
    return [sys.executable, *arguments]
