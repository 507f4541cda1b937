"""The command line, run in this process, in a folder of its own, with scripted models."""

from __future__ import annotations

import json
import os
import pty
import re
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import pytest

from practicum.cli import main

CLIENT = {
    "zh": (
        "最近总是睡不好，凌晨三点就醒。",
        "醒了以后脑子停不下来，想着开会要说的话。",
        "我妈觉得我挺好的，我也没跟她讲。",
        "其实我怕他们发现我不行。",
    ),
    "en": (
        "I have been waking at three every night.",
        "My head goes over every meeting again.",
        "My mother thinks that I am fine.",
        "I am afraid that they find me out.",
    ),
}
COUNSELOR = {
    "zh": ("你好，今天想从哪里说起？", "是从什么时候开始的？", "醒来的时候，心里最先冒出来的是什么？", "不告诉妈妈，是担心什么呢？"),
    "en": (
        "Hello, where would you like to begin?",
        "When did it start?",
        "What comes to mind first when you wake?",
        "What keeps you from telling her?",
    ),
}


class Outcome(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """Return standard output, read as one JSON value."""
        return json.loads(self.out)


Practicum = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with scripts (`client.zh.txt` …) and profiles (`zh.json`, `en.json`); 100 columns, no weights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("PRACTICUM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    for language in ("zh", "en"):
        Path(f"client.{language}.txt").write_text("\n".join(CLIENT[language]), "utf-8")
        Path(f"counselor.{language}.txt").write_text("\n".join(COUNSELOR[language]), "utf-8")
    Path("zh.json").write_text('["我二十九岁，最近升职以后一直睡不好。", "我父亲去世了，我觉得活着没意思，想死。"]', "utf-8")
    Path("en.json").write_text(
        '["I was promoted in March and sleep badly since.", "My father died last year and I have not cried."]', "utf-8"
    )
    return tmp_path


@pytest.fixture
def practicum(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Practicum:
    """Runs `practicum ARGS…`."""

    def run(*args: str) -> Outcome:
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["practicum", *args])
        with pytest.raises(SystemExit) as left:
            main()
        return Outcome(int(left.value.code or 0), *capfd.readouterr())

    return run


@pytest.fixture
def simulate(practicum: Practicum) -> Practicum:
    """Runs `practicum simulate` on two scripted models in a language, as run `r`."""

    def run(language: str, *args: str) -> Outcome:
        models = ("--client", f"script:client.{language}.txt", "--counselor", f"script:counselor.{language}.txt")
        return practicum("simulate", "--profiles", f"{language}.json", *models, "--run", "r", "--max-exchanges", "4", *args)

    return run


class Terminal:
    """A pseudo-terminal: what is written to `stream` turns up in `text()`."""

    def __init__(self) -> None:
        self._master, slave = pty.openpty()
        attributes = termios.tcgetattr(slave)
        attributes[1] &= ~termios.OPOST
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        self.stream = os.fdopen(slave, "w", encoding="utf-8")
        self._seen = bytearray()
        self._reader = Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # the other end is closed
                return
            if not data:
                return
            self._seen += data

    def text(self) -> str:
        """Close the stream and return all that was written to it."""
        self.close()
        return self._seen.decode()

    def close(self) -> None:
        """Close the stream, and take in what is still on its way."""
        if not self.stream.closed:
            self.stream.close()
            self._reader.join()
            os.close(self._master)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal to put in the place of a standard stream."""
    opened = Terminal()
    yield opened
    opened.close()


def masked(text: str) -> str:
    """Return a text without what changes with every prompt or moment: digests and times."""
    text = re.sub(r"\b[0-9a-f]{16}\b", "DIGEST", text)
    text = re.sub(r"\b[0-9a-f]{8}\b", "KEY", text)
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "TIME", text)
