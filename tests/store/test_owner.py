from __future__ import annotations

import os
from pathlib import Path
from threading import Thread

import pytest

from practicum.errors import ConfigError, RunLockedError, StoreError
from practicum.store import RunOwner, Store
from tests.store.making import start_python

HOLD = """
import sys
from practicum.store import Store
owner = Store.open(sys.argv[1]).own_run("run")
print("mine", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused_by_name_until_the_first_is_killed(url: str) -> None:
    with start_python(HOLD, url) as first, Store.open(url) as store:
        assert first.stdout is not None
        assert first.stdout.readline() == "mine\n"
        with pytest.raises(RunLockedError, match=f"run 'run' is held by process {first.pid} .*; wait until it is done, stop it"):
            store.own_run("run")
        with store.own_run("another"):
            pass
        first.kill()
        first.wait()
        with store.own_run("run") as owner:
            assert owner.name == "run"


def test_a_second_owner_in_the_same_process_is_refused(url: str) -> None:
    with Store.open(url) as store, store.own_run("run"), pytest.raises(RunLockedError, match=f"process {os.getpid()} "):
        store.own_run("run")


def test_a_released_run_leaves_no_file_and_can_be_taken_again(url: str, tmp_path: Path) -> None:
    with Store.open(url) as store:
        for _ in range(2):
            owner = store.own_run("run")
            assert (tmp_path / "practicum.db.run.lock").exists()
            owner.release()
            owner.release()
        assert not (tmp_path / "practicum.db.run.lock").exists()


def test_a_holder_that_has_not_signed_yet_is_another_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with RunOwner("run", path):
        path.write_text("")
        with pytest.raises(RunLockedError, match="held by another process"):
            RunOwner("run", path)


def test_owners_that_come_and_go_never_hold_a_run_together(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    inside: list[int] = []
    together: set[int] = set()

    def come_and_go() -> None:
        for _ in range(300):
            try:
                owner = RunOwner("run", path)
            except RunLockedError:
                continue
            inside.append(1)
            for _ in range(5):  # each lets the other threads run
                path.exists()
                together.add(len(inside))
            inside.pop()
            owner.release()

    threads = [Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == {1}


def test_a_lock_file_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"run 'run': cannot lock .*: No such file or directory; keep the store in a local folder"):
        RunOwner("run", tmp_path / "missing" / "lock")


def test_a_store_in_memory_has_no_rivals() -> None:
    with Store.open("sqlite://") as store, store.own_run("run") as owner:
        assert owner.name == "run"


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "-x", "x" * 65, "a b", "a\n"])
def test_a_name_that_cannot_be_part_of_a_file_name_is_refused(url: str, name: str) -> None:
    with Store.open(url) as store, pytest.raises(ConfigError, match="is no name for a run; expected a letter or digit"):
        store.own_run(name)


@pytest.mark.parametrize("name", ["r", "试验-1", "2024.a_b"])
def test_names_in_any_script_are_fine(url: str, name: str) -> None:
    with Store.open(url) as store, store.own_run(name) as owner:
        assert owner.name == name
