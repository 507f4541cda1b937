"""What was found, to be read: tables for paper, spreadsheet and machine, plots, and warnings above them all."""

from practicum.report.card_tables import agreement_table, card_table, slot_shares
from practicum.report.cautions import Trust, card_notes, ranking_notes, rater_notes, trust_in
from practicum.report.names import shorten
from practicum.report.plots import Plots, draw_plots
from practicum.report.ranking_tables import counted, course_table, elo_note, matrix_table, standings_table, tables_of
from practicum.report.table import Cell, Note, Number, P, Ratio, Span, Table, shown, to_the_right
from practicum.report.write import Written, write_report
from practicum.report.writers import to_csv, to_json, to_latex, to_markdown

__all__ = [
    "Cell",
    "Note",
    "Number",
    "P",
    "Plots",
    "Ratio",
    "Span",
    "Table",
    "Trust",
    "Written",
    "agreement_table",
    "card_notes",
    "card_table",
    "counted",
    "course_table",
    "draw_plots",
    "elo_note",
    "matrix_table",
    "ranking_notes",
    "rater_notes",
    "shorten",
    "shown",
    "slot_shares",
    "standings_table",
    "tables_of",
    "to_csv",
    "to_json",
    "to_latex",
    "to_markdown",
    "to_the_right",
    "trust_in",
    "write_report",
]
