"""How many CPU cores this process may count on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from pathlib import Path

_STAT = Path("/proc/stat")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_SAMPLE_SECONDS = 0.3
_TOLERANCE = 0.25


def free_cores(*, stat: Path = _STAT, quota: Path = _QUOTA, sleep: Callable[[float], None] = time.sleep) -> int:
    """Return the cores that are idle now, at least 1; takes 0.3 s on Linux.

    Counted are cores that the process may run on, within its container's quota. llama.cpp's threads wait for each other
    at every step, so a core that is not wholly idle is not counted: on two cores a thread too few costs a third of the
    speed (18 tokens/s instead of 28 with a 1.5B model), a thread too many nine tenths (2 instead of 15).
    """
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    try:
        before = _idle_ticks(stat, mine)
        sleep(_SAMPLE_SECONDS)
        idle = (_idle_ticks(stat, mine) - before) / os.sysconf("SC_CLK_TCK") / _SAMPLE_SECONDS
    except OSError:
        # Not Linux: the mean of the last minute is all that there is.
        idle = len(mine) - (os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0)
    return max(1, int(min(idle + _TOLERANCE, len(mine), _quota(quota))))


def _idle_ticks(stat: Path, cores: Collection[int]) -> int:
    """Return how long these cores have idled or waited for a disk since the machine started."""
    names = {f"cpu{core}" for core in cores}
    rows = (line.split() for line in stat.read_text().splitlines())
    return sum(int(row[4]) + int(row[5]) for row in rows if row and row[0] in names)


def _quota(path: Path) -> float:
    """Return the cores that the container may use; infinite where nothing limits them."""
    try:
        share, period = path.read_text().split()
        return int(share) / int(period)
    except (OSError, ValueError):
        return float("inf")
