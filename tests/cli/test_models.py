from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from inline_snapshot import snapshot

from practicum.backends import CatalogModel, find_model, model_path
from practicum.cli.models import fetch
from practicum.core import Form
from practicum.errors import ModelFileError
from tests.cli.conftest import Practicum, Terminal

CONTENT = os.urandom(100_000)
TINY = CatalogModel(
    name="tiny",
    file="tiny.gguf",
    bytes=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    upstream="me/tiny",
    licence="MIT",
    form=Form.CHAT,
    template="plain",
    languages=("en",),
    hub="me/tiny",
    modelscope=None,
    wheels=(),
)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        pass


@pytest.fixture
def hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A hub on loopback that has the tiny model."""
    file = folder / "me/tiny/resolve/main/tiny.gguf"
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Quiet)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield file
    server.shutdown()
    thread.join()
    server.server_close()


def place(name: str) -> Path:
    """Put a file of the right length, but of zeros, where a model's weights belong."""
    path = model_path(find_model(name))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(find_model(name).bytes)
    return path


def test_models_are_listed_with_size_and_licence(practicum: Practicum) -> None:
    place("smollm2-135m")
    assert practicum("models", "list").out == snapshot("""\
name                size      licence     weights   note
qwen2.5-coder-1.5b  1,117 MB  Apache-2.0  not here  what `practicum demo` uses
qwen2.5-coder-0.5b  491 MB    Apache-2.0  not here  for training and tests only: it cannot hold a session
smollm2-135m        98 MB     Apache-2.0  here      for tests only: English, and it cannot hold a session

local:NAME is such a model, local:PATH.gguf any other file
""")


def test_a_model_that_is_here_is_not_fetched_again(practicum: Practicum) -> None:
    path = place("smollm2-135m")
    assert practicum("models", "path", "smollm2-135m").out == f"{path}\n"
    assert practicum("models", "pull", "smollm2-135m").out == f"{path}\n"


def test_other_bytes_do_not_pass(practicum: Practicum) -> None:
    assert "no model is here yet" in practicum("models", "verify").out
    place("smollm2-135m")
    outcome = practicum("models", "verify")
    assert outcome.status == 1
    assert outcome.out.startswith("bad  smollm2-135m")


@pytest.mark.usefixtures("hub")
def test_a_download_is_told_in_tenths(capsys: pytest.CaptureFixture[str]) -> None:
    assert Path(fetch(TINY)).read_bytes() == CONTENT
    err = capsys.readouterr().err
    assert err.splitlines()[-1] == "tiny: 100 % of 0 MB, from hub"


@pytest.mark.usefixtures("hub")
def test_a_download_has_a_bar_on_a_terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    assert Path(fetch(TINY, "hub")).read_bytes() == CONTENT
    assert "tiny (hub)" in terminal.text()


def test_damaged_bytes_are_refused(hub: Path) -> None:
    hub.write_bytes(bytes(len(CONTENT)))
    with pytest.raises(ModelFileError, match="SHA-256"):
        fetch(TINY)


def test_an_absent_hub_is_one_clear_line(practicum: Practicum, hub: Path) -> None:
    outcome = practicum("models", "pull", "smollm2-135m", "--source", "hub")
    assert outcome.status == 1
    assert "98 MB, Apache-2.0" in outcome.out
    assert outcome.err.splitlines()[-1].startswith("practicum: smollm2-135m could not be fetched; hub: ")


def test_a_refused_question_fetches_nothing(practicum: Practicum, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = os.openpty()
    os.write(master, b"n\n")
    with os.fdopen(slave, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "stdout", terminal.stream)
        outcome = practicum("models", "pull", "smollm2-135m")
    os.close(master)
    assert outcome.status == 1
    assert not model_path(find_model("smollm2-135m")).exists()
    assert "fetch it? [Y/n]" in terminal.text()
