from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from practicum.errors import ConfigError, PracticumError, StoreError
from practicum.store import DEFAULT_URL, Store
from practicum.store.dialect import ADVICE, explain
from tests.store.making import begin


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in which this process has no more rights than any user: root may write even what is read-only."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o777)
        user = os.geteuid()
        if user == 0:
            os.chown(path, 65534, -1)
            os.seteuid(65534)
        try:
            yield path
        finally:
            os.seteuid(user)
            path.chmod(0o777)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("runs.db", "db: 'runs.db' is not a database URL; a file is named sqlite:///runs.db"),
        ("", "db: '' is not a database URL; a file is named sqlite:///"),
        ("sqlite:runs.db", "db: 'sqlite:runs.db' is not a database URL; the default is sqlite:///practicum.db"),
        ("mongo/me:secret@host", "db: the given text is not a database URL; the default is sqlite:///practicum.db"),
        (
            "sqlite://runs.db",
            "db: sqlite://runs.db: expected sqlite:///FILE.db for a file here, sqlite:////FOLDER/FILE.db for one anywhere",
        ),
        ("sqlite:///file:x?uri=true", "x?uri=true: expected sqlite:///FILE.db"),
        ("postgresql://me:secret@host/db", "db: postgresql://me:***@host/db: postgresql is not supported yet; use sqlite:///FILE.db"),
        ("sqlite+aiosqlite:///x.db", "db: sqlite+aiosqlite:///x.db: sqlite+aiosqlite is not supported yet"),
    ],
)
def test_a_url_that_names_no_usable_database_is_one_line_without_its_password(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        Store.open(url)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_default_is_a_file_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Store.open(DEFAULT_URL).close()
    assert [path.name for path in tmp_path.iterdir()] == ["practicum.db"]


def test_all_files_of_a_store_are_for_their_owner_only(url: str, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Store.open(url) as store:
            begin(store)
            assert {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == dict.fromkeys(
                ["practicum.db", "practicum.db-shm", "practicum.db-wal"], "0o600"
            )
    finally:
        os.umask(before)


def test_a_commit_outlasts_a_power_cut_and_readers_need_not_wait_for_it(url: str) -> None:
    with Store.open(url) as store, store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def refusal(url: str, *, create: bool = True) -> str:
    with pytest.raises(StoreError) as caught:
        Store.open(url, create=create)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_text_file_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes, nothing else\n" * 100)
    assert "it is not an SQLite database; choose another --db" in refusal(f"sqlite:///{path}")
    assert path.read_text() == "my notes, nothing else\n" * 100


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "is a folder; name a file in it" in refusal(f"sqlite:///{tmp_path}")


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    assert f"there is no folder {tmp_path / 'missing'}; make it first" in refusal(f"sqlite:///{tmp_path / 'missing' / 'x.db'}")


def test_who_only_reads_makes_no_store(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    assert refusal(url, create=False) == f"there is no store at {url}; `practicum simulate` makes one, --db names another"
    assert list(tmp_path.iterdir()) == []


def test_who_only_reads_makes_no_tables_in_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "x.db").touch()
    assert "there is no store at" in refusal(f"sqlite:///{tmp_path / 'x.db'}", create=False)
    assert (tmp_path / "x.db").read_bytes() == b""


def test_a_read_only_folder_is_refused(folder: Path) -> None:
    folder.chmod(0o555)
    assert re.search(r"cannot make .*x.db: Permission denied; choose another --db", refusal(f"sqlite:///{folder / 'x.db'}"))


@pytest.mark.parametrize("read_only", ["x.db", "."])
def test_a_read_only_store_is_refused(folder: Path, read_only: str) -> None:
    url = f"sqlite:///{folder / 'x.db'}"
    Store.open(url).close()
    (folder / read_only).chmod(0o555)
    assert "cannot be read and written by this user; change its permissions" in refusal(url)


def test_a_damaged_store_is_refused(url: str, tmp_path: Path) -> None:
    with Store.open(url) as store:
        begin(store, 100)
    path = tmp_path / "practicum.db"
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    with pytest.raises(PracticumError, match="it is damaged; restore a copy"), Store.open(url) as store:
        store.runs()


@pytest.mark.parametrize("words", ADVICE)
def test_every_failure_of_sqlite_that_users_meet_says_what_to_do(words: str) -> None:
    assert (
        str(explain(OSError(f"database or {words}!\nmore"), "sqlite:///x.db"))
        == f"the store sqlite:///x.db cannot be used: {ADVICE[words]}"
    )


def test_any_other_failure_is_passed_on_as_one_line() -> None:
    assert str(explain(OSError("disk I/O error\nmore"), "x")) == "the store x cannot be used: disk I/O error"
