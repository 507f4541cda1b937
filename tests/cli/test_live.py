from __future__ import annotations

import json
from collections.abc import Callable
from threading import Event

import pytest
from inline_snapshot import snapshot

from practicum.cli.console import clip, colored, count, duration, table, width_of
from practicum.cli.live import watching
from practicum.cli.meter import Meter, Reading
from practicum.cli.options import db_option, shown_url
from practicum.cli.summary import owed, print_what_next, status_of
from practicum.core import Ending
from practicum.engine import ChairConfig, Progress, RunConfig, RunResult
from practicum.engine.config import PriceConfig

CONFIG = RunConfig(client=ChairConfig(model="echo"), counselor=ChairConfig(model="echo"), max_exchanges=10)


def clock_of(*times: float) -> Callable[[], float]:
    left = iter(times)
    return lambda: next(left)


def under_way() -> Progress:
    progress = Progress(planned=10, done_before=2, open=3, turns=20, prompt_tokens=1_000_000, completion_tokens=500, in_flight=lambda: 4)
    progress.endings.update({Ending.TURN_LIMIT: 1, Ending.FAILED: 1})
    return progress


def test_speeds_are_means_over_a_window_of_15_seconds() -> None:
    progress = Progress(planned=1)
    meter = Meter(progress, CONFIG, clock=clock_of(0, 0, 10, 20, 30))
    assert meter.read().exchanges_per_second == 0
    progress.turns, progress.completion_tokens = 40, 1000
    assert (meter.read().exchanges_per_second, meter.read().tokens_per_second) == (2.0, 50.0)
    assert meter.read().exchanges_per_second == 0.0  # nothing since second 10


def test_a_reading_tells_sessions_speed_cost_and_time() -> None:
    config = CONFIG.model_copy(update={"prices": PriceConfig(prompt=3, currency="CNY")})
    meter = Meter(Progress(), config, clock=clock_of(0, 10))
    meter.progress = under_way()
    meter.progress.notes.append("waiting for http://localhost:8000/v1")
    reading = meter.read()
    assert reading.line() == snapshot(
        "3 of 10 done, 3 open, 1 failed; 1.0 exchanges/s, 50 tokens/s, 4 calls in flight; 3.00 CNY; at most 70 s left"
    )
    assert reading.note == "waiting for http://localhost:8000/v1"


def test_no_time_is_left_once_everything_is_over() -> None:
    progress = Progress(planned=2, done_before=1, turns=20)
    progress.endings[Ending.CLOSED] += 1
    meter = Meter(Progress(), CONFIG, clock=clock_of(0, 1))
    meter.progress = progress
    assert meter.read().seconds_left is None


class _Read(Meter):
    """Tells when it has been read for the third time."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(progress, CONFIG)
        self.often = Event()
        self._times = 0

    def read(self) -> Reading:
        self._times += 1
        if self._times == 3:
            self.often.set()
        return super().read()


@pytest.mark.parametrize("json_lines", [False, True])
def test_without_a_terminal_a_line_comes_now_and_then(capfd: pytest.CaptureFixture[str], json_lines: bool) -> None:
    progress = under_way()
    progress.notes.append("waiting for the server")
    meter = _Read(progress)
    with watching(meter, title="r", json=json_lines, every=0.001):
        assert meter.often.wait(10)
    err = capfd.readouterr().err  # once, at the end: pytest empties the file under a thread that writes to it
    if json_lines:
        line = json.loads(err.splitlines()[0])
        assert (line["done"], line["failed"], line["note"]) == (3, 1, "waiting for the server")
    else:
        assert "waiting for the server" in err.splitlines()
        assert "3 of 10 done, 3 open, 1 failed; " in err


def test_a_run_that_is_over_at_once_shows_no_line(capfd: pytest.CaptureFixture[str]) -> None:
    with watching(Meter(under_way(), CONFIG), title="r", json=False):
        pass
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("endings", "stopped", "status"),
    [
        ({Ending.TURN_LIMIT: 8}, False, 0),
        ({Ending.TURN_LIMIT: 7, Ending.FAILED: 1}, False, 1),
        ({Ending.TURN_LIMIT: 7}, False, 1),
        ({Ending.TURN_LIMIT: 7}, True, 130),
    ],
)
def test_the_exit_status_says_whether_sessions_are_owed(endings: dict[Ending, int], stopped: bool, status: int) -> None:
    progress = Progress(planned=10, done_before=2)
    progress.endings.update(endings)
    result = RunResult(run="r", store=DB, sessions={}, progress=progress, stopped=stopped)
    assert status_of(result) == status
    assert owed(progress) == (0 if status == 0 else 1)


def test_a_run_put_aside_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    result = RunResult(run="r", store=DB, sessions={"unfinished": 3}, progress=Progress(planned=3), stopped=True)
    print_what_next(result, DB)
    assert capsys.readouterr().err == "practicum: put aside, 3 sessions still owed; the same command goes on with them\n"


DB = "sqlite:///practicum.db"


def test_a_table_knows_how_wide_chinese_is() -> None:
    assert list(table(("name", "n"), [("来访者", 1), ("client", 2000)])) == ["name        n", "来访者      1", "client  2,000"]
    assert list(table(("name", "n"), [])) == ["name  n"]
    assert width_of("e\u0301") == 1


def test_a_clipped_text_keeps_its_width() -> None:
    assert clip("最近 总是\n睡不好", 20) == "最近 总是 睡不好"
    assert clip("最近总是睡不好", 8) == "最近总…"
    assert width_of(clip("最近总是睡不好", 8)) <= 8


def test_words_for_numbers() -> None:
    assert [count(1, "session"), count(2000, "session")] == ["1 session", "2,000 sessions"]
    assert [duration(seconds) for seconds in (5, 300, 11_100)] == ["5 s", "5 min", "3 h 05 min"]


def test_no_password_is_shown() -> None:
    assert shown_url("postgresql://me:p@ss@host/db") == "postgresql://me:***@host/db"
    assert db_option(DB) == ""
    assert db_option("sqlite:///other.db") == " --db sqlite:///other.db"


def test_colours_are_for_terminals_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert colored("x", "red") == "x"
