"""A whole report into a folder: every file there, or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from practicum.arena import JudgeCard, Ranking
from practicum.core.version import VERSION
from practicum.dataset import drafting
from practicum.errors import ConfigError
from practicum.report.cautions import card_notes, ranking_notes
from practicum.report.plots import Plots, draw_plots
from practicum.report.ranking_tables import pages_of, tables_of
from practicum.report.table import Note
from practicum.report.writers import latex_note, markdown_note, to_csv, to_json, to_latex, to_markdown

_PREAMBLE = r"""% practicum VERSION. Read this file by \input; it needs \usepackage{booktabs,graphicx}.
% Chinese names: compile with XeLaTeX or LuaLaTeX, and \usepackage{ctex}.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a report has become."""

    files: tuple[Path, ...]
    notes: tuple[Note, ...] = ()
    """What could not be drawn, and what to install for it."""


def write_report(ranking: Ranking, card: JudgeCard, out: Path) -> Written:
    """Write ranking.json, a CSV for each table, report.md, report.tex and plots/ into a folder.

    All files are complete before the first takes its place, and files of an earlier report with other names stay. Without
    matplotlib there are no plots, and a note says so.

    Raises:
        ExportError: The folder cannot be written.
    """
    try:
        plots = draw_plots(ranking, card)
    except ConfigError as missing:
        plots = Plots(files={}, notes=(Note(str(missing)),))
    files = report_files(ranking, card, plots)
    if plots.files:
        with drafting(out / "plots", ()):
            pass  # drafts need the folder: this makes it, or says why it cannot be
    with drafting(out, list(files)) as drafts:
        for draft, data in zip(drafts, files.values(), strict=True):
            draft.write(data)
    return Written(files=tuple(out / name for name in files), notes=plots.notes)


def report_files(ranking: Ranking, card: JudgeCard, plots: Plots) -> Mapping[str, bytes]:
    """Return the bytes of each file of a report, by its path in the folder."""
    tables = tables_of(ranking, card)
    pages = tuple(pages_of(tables))
    warnings = (*card_notes(card), *ranking_notes(ranking))
    drawn = [name.removesuffix(".svg") for name in plots.files if name.endswith(".svg")]
    markdown = [
        "# Ranking\n",
        *(["## Read this first\n", *(f"- {markdown_note(note)}" for note in warnings), ""] if warnings else []),
        *map(to_markdown, pages),
        *(["## Plots\n", *(f"![{name.replace('_', ' ')}](plots/{name}.svg)\n" for name in drawn)] if drawn else []),
        f"practicum {VERSION}\n",
    ]
    latex = [
        _PREAMBLE.replace("VERSION", VERSION),
        *(rf"\noindent {latex_note(note)}\par" for note in warnings),
        *map(to_latex, pages),
    ]
    return {
        "ranking.json": to_json(ranking, card, warnings),
        **{f"{table.name}.csv": to_csv(table) for table in tables},
        "report.md": "\n".join(markdown).encode(),
        "report.tex": "\n".join(latex).encode(),
        **{f"plots/{name}": data for name, data in plots.files.items()},
    }
