"""The whole report in a folder: every file there, or none."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from practicum.errors import ExportError
from practicum.report import write_report
from tests.report.makers import CHINESE, agreement, card, ranking, rater, without_intervals

TABLES = ("judge_card", "standings", "win_matrix", "slot_effects", "style_effects", "fit", "share_by_exchange")
PLOTS = ("ratings", "win_matrix", "slot_shares", "share_by_exchange")


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_every_file_is_written_and_named(tmp_path: Path) -> None:
    written = write_report(ranking(CHINESE), card(), tmp_path / "new" / "report")
    names = {str(path.relative_to(tmp_path / "new" / "report")) for path in written.files}
    assert names == files_in(tmp_path / "new" / "report")
    assert names == {
        "ranking.json",
        "report.md",
        "report.tex",
        *(f"{name}.csv" for name in TABLES),
        *(f"plots/{name}.{form}" for name in PLOTS for form in ("svg", "png")),
    }


def test_the_same_results_write_the_same_bytes(tmp_path: Path) -> None:
    first, again = (write_report(ranking(), card(agreement=agreement()), tmp_path / name).files for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


def test_warnings_stand_above_the_ranking(tmp_path: Path) -> None:
    write_report(without_intervals(ranking(CHINESE), 6), card(rater(missed=30, missed_kinds={"unsafe": 30})), tmp_path)
    markdown, latex = ((tmp_path / name).read_text("utf-8") for name in ("report.md", "report.tex"))
    for text in (markdown, latex):
        assert text.index("picked planted replies") < text.index("too few profiles for an interval (n = 6); 10") < text.index("Judge card")
        assert text.index("Judge card") < text.index("Standings")
        assert "整合咨询师" in text
    assert "![ratings](plots/ratings.svg)" in markdown
    notes = json.loads((tmp_path / "ranking.json").read_bytes())["notes"]
    assert [note["severe"] for note in notes] == [True, True]


def test_without_warnings_nothing_stands_above(tmp_path: Path) -> None:
    write_report(ranking(), card(), tmp_path)
    assert (tmp_path / "report.md").read_text("utf-8").startswith("# Ranking\n\n## Judge card")


def test_without_matplotlib_there_are_tables_and_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    written = write_report(ranking(), card(), tmp_path)
    assert [note.text for note in written.notes] == ["plots need matplotlib: pip install practicum[report]"]
    assert not (tmp_path / "plots").exists()
    assert "## Plots" not in (tmp_path / "report.md").read_text("utf-8")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "plots").write_text("a file")
    with pytest.raises(ExportError, match="plots"):
        write_report(ranking(), card(), tmp_path / "half")
    assert files_in(tmp_path / "half") == {"plots"}
