from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from practicum.cli.curate import Progress
from practicum.dataset import example_dialogues
from tests.cli.conftest import Practicum, Terminal

EXAMPLES = str(example_dialogues())


def test_a_corpus_becomes_a_data_set_and_a_table_says_what_became_of_it(practicum: Practicum) -> None:
    done = practicum("curate", EXAMPLES, "--out", "d", "--dev", "0.2", "--report", "--licence", "CC0-1.0")
    assert done.status == 0
    head, *rows, last = done.out.splitlines()
    assert head.split() == ["sessions", "count"]
    counts = {row.rpartition("  ")[0].strip(): int(row.rpartition("  ")[2]) for row in rows}
    assert counts["read"] == 60
    assert counts["written: train"] + counts["written: dev"] == len(Path("d/kept.jsonl").read_text("utf-8").splitlines())
    assert last == f"rows train {counts['written: train']}, dev {counts['written: dev']} in d; README.md says more"
    assert Path("d/report.html").exists()


def test_a_run_and_a_file_go_together_and_the_other_is_the_test_set(simulate: Practicum, practicum: Practicum) -> None:
    assert simulate("zh").status == 0
    settings = ("--set", "checks.off=['no_ending', 'too_short', 'early_ending', 'role_flip', 'repeats']", "--set", "split.dev=0")
    done = practicum("curate", "r", EXAMPLES, "--out", "d", "--json", *settings)
    report = done.json()
    assert (report["read"], report["risk_apart"]) == (62, 1)
    assert report["written"].keys() == {"train"}
    again = practicum("curate", "r", "--test", "r", "--out", "e", *settings)
    assert (again.status, again.out) == (1, "")
    assert "e: nothing to learn from: read 2" in again.err
    assert not list(Path("e").iterdir())


def test_a_row_a_turn_and_risk_included(practicum: Practicum) -> None:
    turns = [{"role": role, "content": text} for role, text in [("user", "我想死，没人知道。"), ("assistant", "你愿意说说吗？")] * 2]
    Path("a.jsonl").write_text(json.dumps({"messages": turns}, ensure_ascii=False), "utf-8")
    settings = ("--set", "checks.off=['no_ending', 'too_short', 'repeats']", "--dev", "0")
    done = practicum("curate", "a.jsonl", "--out", "d", "--samples", "turn", "--include-risk", *settings)
    assert "rows train 2 in d" in done.out


def test_a_configuration_file_is_overridden_by_options(practicum: Practicum) -> None:
    Path("c.toml").write_text('samples = "turn"\n[split]\ndev = 0.9\n')
    report = practicum("curate", EXAMPLES, "--out", "d", "--config", "c.toml", "--samples", "session", "--json").json()
    assert report["written"]["dev"]["sessions"] == report["written"]["dev"]["rows"] > 30


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (("nowhere",), "nowhere: no such file or folder, and no store"),
        ((EXAMPLES, "--dev", "2"), "split.dev: 2.0 will not do: input should be less than or equal to 1"),
        ((EXAMPLES, "--set", "checks.min_exchange=3"), "unknown key 'checks.min_exchange'; known: checks.copied_share"),
        (
            ("bad.jsonl",),
            "1 of 1 rows cannot be read; --skip-bad goes on without them\n  bad.jsonl, row 1: expected one of the keys messages",
        ),
    ],
)
def test_a_wrong_command_is_one_line_and_exits_with_2(args: tuple[str, ...], complaint: str, practicum: Practicum) -> None:
    Path("bad.jsonl").write_text("{}\n")
    done = practicum("curate", *args, "--out", "d")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"practicum: {complaint}")


def test_bad_rows_can_be_skipped_and_are_noted(practicum: Practicum) -> None:
    Path("bad.jsonl").write_text("7\n")
    done = practicum("curate", "bad.jsonl", EXAMPLES, "--out", "d", "--skip-bad", "--dev", "0")
    assert done.status == 0
    assert "note: 1 row could not be read and was left out" in done.err


def test_progress_is_written_over_on_a_terminal_and_told_now_and_then_elsewhere(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    plain = Progress(clock=lambda: now[0])
    for seconds, done in ((1, 100), (3, 3000), (4, 4000)):
        now[0] = seconds
        plain("read", done)
    plain.close()
    assert capsys.readouterr().err == "read: 3,000 sessions, 1,000/s\n"
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    live = Progress(clock=lambda: now[0])
    now[0] = 5
    live("compared", 500)
    live.close()
    assert terminal.text() == "\r\x1b[Kcompared: 500 sessions, 500/s\r\x1b[K"
