from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from benchmarks.fakeserver import FakeServer
from practicum.backends import find_model, model_path
from practicum.cli.doctor import check_disk, check_machine, check_packages, check_terminal
from tests.cli.conftest import Practicum, Terminal


def test_all_is_well_with_a_script(practicum: Practicum) -> None:
    outcome = practicum("doctor", "script:client.zh.txt")
    assert outcome.status == 0
    assert not re.search("^fail", outcome.out, re.MULTILINE)
    assert "ok    script:client.zh.txt: can be read" in outcome.out
    assert "not there yet, `practicum simulate` makes it" in outcome.out
    assert not Path("practicum.db").exists()


def test_a_store_that_is_there_is_opened(practicum: Practicum, simulate: Practicum) -> None:
    simulate("zh")
    assert "sqlite:///practicum.db: 1 run\n" in practicum("doctor").out


@pytest.mark.parametrize("db", ["sqlite:///none/practicum.db", "sqlite:///zh.json", "nonsense", "sqlite:////proc/practicum.db"])
def test_a_store_that_cannot_be_used_fails(practicum: Practicum, db: str) -> None:
    outcome = practicum("doctor", "--db", db)
    assert (outcome.status, outcome.err) == (1, "") or db.startswith("sqlite:////proc")  # root may write even there
    assert "store" in outcome.out or "db" in outcome.out


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("gpt-4.1", "expected BACKEND:NAME"),
        ("openai:gpt-4.1", "OPENAI_API_KEY is not set"),
        ("local:qwen2.5-coder-1.5b", "`practicum models pull qwen2.5-coder-1.5b` fetches them"),
        ("local:zh.gguf", "zh.gguf"),
        ("script:none.txt", "script:none.txt"),
        ("openai:m@http://127.0.0.1:9/v1", "does not answer"),
    ],
)
def test_a_model_that_cannot_be_used_fails(practicum: Practicum, model: str, words: str) -> None:
    outcome = practicum("doctor", model)
    assert outcome.status == 1
    assert re.search(f"^fail .*{re.escape(words)}", outcome.out, re.MULTILINE)


def test_weights_that_are_here_are_found(practicum: Practicum) -> None:
    for name in ("smollm2-135m", "qwen2.5-coder-0.5b"):
        path = model_path(find_model(name))
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as file:
            file.truncate(find_model(name).bytes)
    outcome = practicum("doctor", "local:smollm2-135m")
    assert outcome.status == 0
    assert "for tests only" in outcome.out


def test_a_server_is_asked_for_its_models(practicum: Practicum, fake_server: FakeServer) -> None:
    outcome = practicum("doctor", f"openai:m@{fake_server.url}")
    assert f"no key is sent for {fake_server.url}" in outcome.out
    assert f"{fake_server.url} " in outcome.out
    assert fake_server.stats()["requests"] == 0  # no paid call


@pytest.fixture
def model_list() -> Iterator[Callable[[int, bytes], str]]:
    """Serves what it is told under `/v1/models`, on loopback."""
    servers = []

    def serve(status: int, body: bytes) -> str:
        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
                pass

        server = HTTPServer(("127.0.0.1", 0), Answering)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}/v1"

    yield serve
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (200, b'{"data": [{"id": "m"}]}', "ok    ADDRESS answers and lists m"),
        (200, b'{"data": [{"id": "n"}]}', "warn  ADDRESS does not list 'm'; it lists n"),
        (200, b"hello", "ok    ADDRESS answers"),
        (401, b"", "fail  ADDRESS refuses the key (status 401); set the right one"),
        (404, b"", "warn  ADDRESS answers, but gives no list of models (status 404)"),
    ],
)
def test_what_a_server_says_is_read(
    practicum: Practicum, model_list: Callable[[int, bytes], str], status: int, body: bytes, found: str
) -> None:
    address = model_list(status, body)
    outcome = practicum("doctor", f"openai:m@{address}")
    assert outcome.out.splitlines()[-1].replace(address, "ADDRESS") == found
    assert outcome.status == found.startswith("fail")


def test_missing_packages_fail() -> None:
    findings = list(check_packages(["pydantic", "no-such-package"]))
    assert [finding.state for finding in findings] == ["fail", "ok"]


def test_little_room_is_told() -> None:
    states = [check_disk(free, Path()).state for free in (50_000_000, 500_000_000, 5_000_000_000)]
    assert states == ["fail", "warn", "ok"]


def test_the_machine_is_counted() -> None:
    assert "cores" in check_machine().text


def test_a_terminal_of_another_encoding_is_told(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", terminal.stream)
    assert check_terminal().text == "terminal of 100 columns, UTF-8"
    terminal.stream.reconfigure(encoding="latin-1")
    assert check_terminal().state == "warn"
