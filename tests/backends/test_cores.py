from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from practicum.backends.cores import free_cores

CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def stat(idle: float) -> str:
    """/proc/stat of a machine whose every core has idled for so many seconds, half of it waiting for a disk."""
    ticks = round(idle * os.sysconf("SC_CLK_TCK") / 2)
    return "cpu 1 1 1 1 1 1\n" + "".join(f"cpu{core} 9 9 9 {ticks} {ticks} 9\n" for core in CORES) + "intr 7\n"


def after(path: Path, idle: float) -> Callable[[float], None]:
    """A sleep in which every core idles for this share of the time."""

    def sleep(seconds: float) -> None:
        path.write_text(stat(100 + idle * seconds))

    return sleep


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "stat").write_text(stat(100))
    return tmp_path / "stat"


def test_idle_cores_are_free(path: Path) -> None:
    assert free_cores(stat=path, quota=path.with_name("none"), sleep=after(path, 1.0)) == len(CORES)


def test_on_a_busy_machine_one_is_left(path: Path) -> None:
    assert free_cores(stat=path, quota=path.with_name("none"), sleep=after(path, 0.0)) == 1


def test_cores_that_are_half_busy_do_not_count(path: Path) -> None:
    assert free_cores(stat=path, quota=path.with_name("none"), sleep=after(path, 0.5)) == max(1, len(CORES) // 2)


def test_a_containers_quota_counts(path: Path) -> None:
    quota = path.with_name("cpu.max")
    quota.write_text("100000 100000\n")
    assert free_cores(stat=path, quota=quota, sleep=after(path, 1.0)) == 1


def test_a_container_without_a_quota_is_not_limited(path: Path) -> None:
    quota = path.with_name("cpu.max")
    quota.write_text("max 100000\n")
    assert free_cores(stat=path, quota=quota, sleep=after(path, 1.0)) == len(CORES)


def test_without_proc_the_load_decides(path: Path) -> None:
    assert 1 <= free_cores(stat=path.with_name("none"), quota=path.with_name("none")) <= len(CORES)


def test_this_machine_has_a_core() -> None:
    assert 1 <= free_cores() <= len(CORES)
