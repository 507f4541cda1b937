"""What only a process of its own shows: signals, pipes, a whole session on a terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

from benchmarks.fakeserver import FakeServer

COMMAND = (sys.executable, "-m", "practicum")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src"), "COLUMNS": "100"}
SCRIPTED = ("simulate", "--profiles", "zh.json", "--client", "script:client.zh.txt", "--counselor", "script:counselor.zh.txt")


def test_simulate_shows_a_live_table_on_a_terminal() -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [*COMMAND, *SCRIPTED, "--max-exchanges", "4"], ENVIRONMENT)  # noqa: S606
    shown = bytearray()
    try:
        while data := os.read(terminal, 65536):
            shown += data
    except OSError:  # how Linux says that the child has gone
        pass
    os.close(terminal)
    text = shown.decode()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert "2 of 2 done, 0 open, 0 failed" in text
    assert text.index("profiles   2") < text.index("exchanges/s") < text.index("practicum export")


def test_ctrl_c_puts_the_run_aside_and_the_same_command_goes_on(fake_server: FakeServer) -> None:
    fake_server.set(latency=200)
    model = f"openai:m@{fake_server.url}"
    command = (*COMMAND, "simulate", "--profiles", "zh.json", "--client", model, "--counselor", model, "--max-exchanges", "8")
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not fake_server.stats()["requests"] > 4 and process.poll() is None:
        pass
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "put aside, 2 sessions still owed; the same command goes on with them" in err
    assert "Traceback" not in err
    assert "2 unfinished" in out
    fake_server.set(latency=0)
    again = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert "2 of 2 done" in again.stdout
    assert fake_server.stats()["repeated_bodies"] == 0


def test_a_reader_that_leaves_is_no_crash() -> None:
    process = subprocess.Popen((*COMMAND, "prompts"), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait() in (0, 1)
    assert err == b""


def test_a_terminal_without_chinese_gets_escapes_not_a_crash() -> None:
    environment = {**ENVIRONMENT, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run((*COMMAND, "prompts", "client.plain.zh.chat"), env=environment, capture_output=True, check=True)
    assert done.stdout.startswith(b"\\u")


def test_the_first_line_of_help_comes_without_heavy_imports() -> None:
    heavy = {"sqlalchemy", "pydantic", "rich", "aiohttp", "jinja2"}
    code = f"import sys, practicum.cli; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run((sys.executable, "-c", code), env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
