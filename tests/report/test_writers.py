"""Tables in their formats: nothing in a name may break out of its cell."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from practicum.arena.results import Interval
from practicum.report import Note, Number, P, Ratio, Span, Table, to_csv, to_json, to_latex, to_markdown
from tests.report.makers import agreement, card, ranking

TABLE = Table(
    "some_table",
    "Who & what",
    ("counselor", "rating", "interval", "kept", "p"),
    (
        ("整合|咨询_师", Number(-12.345), Span(Interval(-0.123456, 2), 1), Ratio(3, 4), P(0.00012)),
        ("=HYPERLINK()", Number(7), Span(None, why="too few profiles for an interval (n = 6)"), Ratio(0, 0), None),
    ),
    (Note("Beware: 5 % of <b> & c_d", severe=True), Note("fine")),
)


def test_markdown() -> None:
    assert to_markdown(TABLE) == snapshot("""\
## Who & what

| counselor | rating | interval | kept | p |
| --- | ---: | --- | --- | ---: |
| 整合\\|咨询\\_师 | -12 | [-0.1, 2.0] | 3 of 4 (75.0 %) | < 0.001 |
| =HYPERLINK() | 7 | too few profiles for an interval (n = 6) | 0 of 0 | – |

**Beware: 5 % of \\<b> & c\\_d**

fine
""")


def test_markdown_disarms_links_entities_and_line_breaks() -> None:
    made = to_markdown(Table("t", "t", ("a",), (("[x](http://y)\n&lt;*b*",),)))
    assert "| [x\\](http://y) \\&lt;\\*b\\* |" in made


def test_csv_has_numbers_in_full_and_intervals_in_two_columns() -> None:
    assert to_csv(TABLE).decode("utf-8-sig").splitlines() == [
        "counselor,rating,interval low,interval high,kept,kept n,p",
        "整合|咨询_师,-12.345,-0.123456,2,3,4,0.00012",
        "'=HYPERLINK(),7,too few profiles for an interval (n = 6),,0,0,",
    ]


def test_csv_begins_with_a_mark_by_which_excel_knows_utf8() -> None:
    assert to_csv(TABLE).startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+8613", "+8613"),
        ("+cmd", "'+cmd"),
        ("-3.5e-7", "-3.5e-7"),
        ("-x", "'-x"),
        ("@SUM(A1)", "'@SUM(A1)"),
        (" =1", "' =1"),
        ("\t=1", "'\t=1"),
        ("a=1", "a=1"),
        ("–", "–"),
    ],
)
def test_csv_disarms_formulas_but_no_numbers(text: str, written: str) -> None:
    rows = list(csv.reader(io.StringIO(to_csv(Table("t", "t", ("a",), ((text,),))).decode("utf-8-sig"))))
    assert rows[1] == [written]


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.integers()), min_size=1))
def test_csv_can_be_read_back(rows: list[tuple[str, int]]) -> None:
    read = list(csv.reader(io.StringIO(to_csv(Table("t", "t", ("a", "n"), tuple(rows))).decode("utf-8-sig"), newline="")))
    assert [(text.removeprefix("'"), number) for text, number in read[1:]] == [(text.removeprefix("'"), str(n)) for text, n in rows]


def test_latex() -> None:
    assert to_latex(TABLE) == snapshot(
        r"""
\begin{table}[htbp]
\centering\small
\caption{Who \& what}
\label{tab:some-table}
\begin{tabular}{lrllr}
\toprule
counselor & rating & interval & kept & p \\
\midrule
整合\textbar{}咨询\_师 & -12 & {[}-0.1, 2.0] & 3 of 4 (75.0 \%) & \textless{} 0.001 \\
=HYPERLINK() & 7 & too few profiles for an interval (n = 6) & 0 of 0 & – \\
\bottomrule
\end{tabular}
\par\medskip{\footnotesize \textbf{Beware: 5 \% of \textless{}b\textgreater{} \& c\_d}\par}
\par\medskip{\footnotesize fine\par}
\end{table}
"""[1:]
    )


def test_latex_escapes_what_is_special() -> None:
    made = to_latex(Table("t", "t", ("a",), ((r"""&%$#_{}~^\"*[x] χ²""",),)))
    assert r"\&\%\$\#\_\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}\textquotedbl{}{*}{[}x] χ\textsuperscript{2} \\" in made


def test_a_wide_latex_table_is_scaled_to_the_page() -> None:
    made = to_latex(Table("t", "t", tuple("abcdefg"), (tuple("1234567"),)))
    assert r"\resizebox{\textwidth}{!}{\begin{tabular}{lllllll}" in made
    assert r"\end{tabular}}" in made


def test_json_has_every_digit_and_names_the_ends_of_intervals() -> None:
    read = json.loads(to_json(ranking(("整合", "b")), card(agreement=agreement()), (Note("look", severe=True),)))
    assert read["ranking"]["standings"][0]["counselor"] == "整合"
    assert read["ranking"]["standings"][0]["interval"] == {"low": 1072.0, "high": 1108.0}
    assert read["ranking"]["standings"][0]["ranks"] == {"best": 1, "worst": 1}
    assert read["card"]["raters"][0]["missed_kinds"] == {"copy": 1}
    assert read["notes"] == [{"text": "look", "severe": True}]


def test_json_takes_any_mapping_and_no_ranking() -> None:
    from types import MappingProxyType

    from tests.report.makers import rater

    read = json.loads(to_json(None, card(rater(missed_kinds=MappingProxyType({"unsafe": 1})))))
    assert read["ranking"] is None
    assert read["card"]["raters"][0]["missed_kinds"] == {"unsafe": 1}
