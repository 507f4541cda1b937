"""How many CPU cores this process may count on."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from pathlib import Path

_STAT = Path("/proc/stat")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_SAMPLE_SECONDS = 0.3


def free_cores() -> int:
    """Return the cores that are idle now, at least 1; takes 0.3 s on Linux.

    Counted are cores that the process may run on, within its container's quota. llama.cpp's threads wait for each other
    at every step, so that one thread too many on a busy machine makes it slower by far.
    """
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    try:
        before = _idle(_STAT.read_text(), mine)
        time.sleep(_SAMPLE_SECONDS)
        idle = (_idle(_STAT.read_text(), mine) - before) / os.sysconf("SC_CLK_TCK") / _SAMPLE_SECONDS
    except OSError:
        # Not Linux: the mean of the last minute is all that there is.
        idle = len(mine) - (os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0)
    return max(1, round(min(idle, len(mine), _quota(len(mine)))))


def _idle(stat: str, cores: Collection[int]) -> float:
    """Return the ticks that these cores have been idle since the machine started, from /proc/stat's text."""
    names = {f"cpu{core}" for core in cores}
    rows = (line.split() for line in stat.splitlines())
    return sum(int(row[4]) + int(row[5]) for row in rows if row[0] in names)


def _quota(without: int) -> float:
    """Return the cores that the container's quota amounts to; `without` where there is none."""
    try:
        share, period = _QUOTA.read_text().split()
        return int(share) / int(period)
    except (OSError, ValueError):
        return without
