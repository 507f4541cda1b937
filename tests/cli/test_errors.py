"""Wrong input of every kind: one clear line a mistake on standard error, the right exit status, no traceback."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from practicum.errors import StoreError
from tests.cli.conftest import Practicum

GOOD = {"--profiles": "zh.json", "--client": "script:client.zh.txt", "--counselor": "script:counselor.zh.txt"}


def simulate(practicum: Practicum, *wrong: str) -> tuple[int, list[str]]:
    """Run a good command with some options replaced; `--option ""` leaves it away."""
    options = GOOD | dict(zip(wrong[::2], wrong[1::2], strict=True))
    outcome = practicum("simulate", *(part for pair in options.items() if pair[1] for part in pair))
    return outcome.status, outcome.err.splitlines()


@pytest.mark.parametrize(
    ("wrong", "status", "words"),
    [
        (("--profiles", "none.json"), 2, "none.json: no such file"),
        (("--profiles", "bad.json"), 2, "bad.json: not JSON"),
        (("--profiles", "empty.json"), 2, "empty.json: holds no profiles"),
        (("--profiles", "binary.json"), 2, "binary.json:"),
        (("--client", "gpt-4.1"), 2, "expected BACKEND:NAME"),
        (("--client", "gpt:4.1"), 2, "expected BACKEND:NAME"),
        (("--client", "openai:gpt-4.1"), 2, "OPENAI_API_KEY is not set"),
        (("--client", "openai:m@http://127.0.0.1:port/v1"), 2, "address"),
        (("--client", "local:gpt-4.1"), 2, "not in the catalog"),
        (("--client", "local:smollm2-135m"), 1, "`practicum models pull smollm2-135m` fetches it"),
        (("--client", "local:none.gguf"), 2, "none.gguf"),
        (("--client", "script:none.txt"), 2, "script:none.txt"),
        (("--client-prompt", "none.txt"), 2, "prompt file none.txt"),
        (("--counselor-prompt", "curious.txt"), 2, "which a counselor never sees"),
        (("--run", "../r"), 2, "no name for a run"),
        (("--limit", "0"), 2, "limit"),
        (("--max-exchanges", "0"), 2, "max_exchanges"),
        (("--seed", "-1"), 2, "seed"),
        (("--config", "none.toml"), 2, "none.toml"),
        (("--config", "bad.json"), 2, "bad.json is not TOML"),
        (("--set", "temperature=1"), 2, "unknown key 'temperature'; known: at_once"),
        (("--set", "client.temperature=warm"), 2, "client.temperature: 'warm'"),
        (("--set", "temperature"), 2, "expected key=value"),
        (("--db", "practicum.db"), 2, "sqlite:///practicum.db"),
        (("--db", "sqlite://"), 2, "lives in memory"),
        (("--db", "postgresql://me:secret@host/db"), 2, "not supported yet"),
        (("--db", "sqlite:///none/practicum.db"), 1, "there is no folder"),
        (("--db", "sqlite:///text.db"), 1, "not an SQLite database"),
        (("--db", "sqlite:///."), 1, "is a folder"),
    ],
    ids=lambda value: "=".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_is_one_clear_line(practicum: Practicum, wrong: tuple[str, ...], status: int, words: str) -> None:
    Path("bad.json").write_text('["cut off', "utf-8")
    Path("empty.json").touch()
    Path("binary.json").write_bytes(b"\xff\xfe\x00\x01")
    Path("curious.txt").write_text("{{ profile }}", "utf-8")
    Path("text.db").write_text("this is no database, but a text file of some length", "utf-8")
    got, lines = simulate(practicum, *wrong)
    assert (got, len(lines)) == (status, 1)
    assert lines[0].startswith("practicum: ")
    assert words in lines[0]
    assert "secret" not in lines[0]


def test_every_mistake_has_its_line(practicum: Practicum) -> None:
    status, lines = simulate(practicum, "--client", "", "--counselor", "", "--set", "nope=1")
    assert status == 2
    assert [line.split(" ", 2)[1] for line in lines] == ["client", "counselor", "unknown"]


def test_bad_rows_are_indented_under_their_file(practicum: Practicum) -> None:
    Path("rows.json").write_text('["", "a good story", 3]', "utf-8")
    status, lines = simulate(practicum, "--profiles", "rows.json")
    assert status == 2
    assert lines[0] == "practicum: rows.json: 2 of 3 rows cannot be used"
    assert [line[:8] for line in lines[1:]] == ["  row 1:", "  row 3:"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_store_is_one_clear_line(practicum: Practicum, folder: Path) -> None:
    assert simulate(practicum)[0] == 0
    (folder / "practicum.db").chmod(stat.S_IRUSR)
    status, lines = simulate(practicum, "--seed", "1")
    assert (status, len(lines)) == (1, 1)
    assert "cannot be read and written" in lines[0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_one_clear_line(practicum: Practicum, folder: Path) -> None:
    assert simulate(practicum, "--run", "r")[0] == 0
    (folder / "out").mkdir()
    (folder / "out" / f".turns.csv.{os.getpid()}.part").symlink_to("/dev/full")
    outcome = practicum("export", "r", "--format", "csv", "--out", "out", "--include-risk")
    assert outcome.status == 1
    assert outcome.err == "practicum: out/turns.csv: cannot be written (No space left on device); choose another --out or make room\n"


@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        (("runs", "--db", "sqlite:///none.db"), 1, "there is no store"),
        (("show", "other"), 1, "known: r"),
        (("show", "r", "99"), 1, "no session '99'"),
        (("export", "other", "--format", "csv", "--out", "out"), 1, "known: r"),
        (("export", "r", "--format", "csv", "--out", "zh.json"), 1, "zh.json: cannot be written"),
        (("profiles", "check", "none.json"), 2, "no such file"),
        (("prompts", "client.kind.zh.chat"), 2, "client.plain.zh.chat"),
        (("models", "pull", "gpt-4.1"), 2, "not in the catalog"),
        (("models", "path", "smollm2-135m"), 1, "`practicum models pull smollm2-135m` fetches it"),
        (("models", "verify", "smollm2-135m"), 1, "not the pinned bytes: smollm2-135m"),
    ],
)
def test_every_verb_tells_its_mistakes(practicum: Practicum, command: tuple[str, ...], status: int, words: str) -> None:
    assert simulate(practicum, "--run", "r")[0] == 0
    outcome = practicum(*command)
    assert outcome.status == status
    assert words in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_a_run_of_another_identity_is_refused_with_the_difference(practicum: Practicum) -> None:
    assert simulate(practicum, "--run", "r")[0] == 0
    status, lines = simulate(practicum, "--run", "r", "--seed", "1")
    assert status == 2
    assert "seed" in " ".join(lines)


def test_debug_keeps_the_traceback(practicum: Practicum, monkeypatch: pytest.MonkeyPatch) -> None:
    from practicum.cli import app

    with pytest.raises(StoreError):
        app(["--debug", "runs"])
    assert practicum("--debug", "--version").status == 0


def test_options_that_typer_refuses_exit_with_2(practicum: Practicum) -> None:
    assert practicum("simulate").status == 2
    assert practicum("simulate", "--profiles", "zh.json", "--at-once", "many").status == 2
    assert practicum("export", "r", "--format", "pdf", "--out", "out").status == 2
