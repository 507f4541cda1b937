"""Plots: what is drawn, the same bytes every time, and Chinese whole or honestly numbered.

Warnings are errors in this suite, so that every test here also asserts that no glyph is missing.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import matplotlib
import pytest

from practicum.report import draw_plots
from practicum.report.fonts import DEJAVU, NEEDS_FONT, Fonts, find_fonts
from tests.report.makers import CHINESE, ENGLISH, card, person, ranking, rater, standing, without_intervals

LATIN = find_fonts([])
ALL = {"ratings", "win_matrix", "slot_shares", "share_by_exchange"}
ELEVEN = (
    "qwen2.5-72b-instruct-counselor-integrative-v1",
    "深度求索整合取向咨询师第三版（微调后）",
    *(f"counselor {place}" for place in range(7)),
    r"$\alpha$ & _b_ {x}",
    "认知行为",
)


@pytest.fixture(scope="module")
def plain() -> Mapping[str, bytes]:
    """The plots of three English names and one rater."""
    return draw_plots(ranking(), card(), fonts=LATIN).files


def size_of(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG")
    return struct.unpack(">II", png[16:24])


@pytest.mark.parametrize("names", [ENGLISH, CHINESE, ELEVEN])
def test_each_plot_is_drawn_as_svg_and_png(names: Sequence[str]) -> None:
    files = draw_plots(ranking(names), card(rater(), rater("督导"))).files
    assert set(files) == {f"{name}.{form}" for name in ALL for form in ("svg", "png")}
    for name, data in files.items():
        if name.endswith(".svg"):
            assert data.startswith(b"<?xml")
        else:
            assert min(size_of(data)) > 250


def test_the_same_results_give_the_same_bytes(plain: Mapping[str, bytes]) -> None:
    assert draw_plots(ranking(), card(), fonts=LATIN).files == plain


def test_neither_date_nor_the_users_settings_come_in(plain: Mapping[str, bytes]) -> None:
    with matplotlib.rc_context({"font.size": 30, "savefig.facecolor": "red"}):
        assert draw_plots(ranking(), card(), fonts=LATIN).files == plain
        assert matplotlib.rcParams["font.size"] == 30
    assert all(b"<dc:date>" not in data for data in plain.values())


def test_other_results_give_another_picture(plain: Mapping[str, bytes]) -> None:
    made = ranking()
    changed = ranking(standings=(standing("integrative", 0, rating=1200.0), *made.standings[1:]))
    other = draw_plots(changed, card(), fonts=LATIN).files
    assert plain["ratings.png"] != other["ratings.png"]
    assert plain["win_matrix.png"] == other["win_matrix.png"]


def test_without_a_chinese_font_the_svg_keeps_the_text_and_the_png_numbers_it() -> None:
    plots = draw_plots(ranking(CHINESE), card(rater("督导")), fonts=LATIN)
    assert plots.notes == (NEEDS_FONT,)
    assert ">整合咨询师<" in plots.files["ratings.svg"].decode()
    numbered = draw_plots(ranking(("counselor 1", "counselor 2", "counselor 3")), card(rater("rater 1")), fonts=LATIN)
    assert numbered.notes == ()
    for name in ALL:
        assert plots.files[f"{name}.png"] == numbered.files[f"{name}.png"]


def test_where_every_glyph_is_known_the_svg_is_drawn_not_written(plain: Mapping[str, bytes]) -> None:
    assert b"<text" not in plain["ratings.svg"]


def test_a_single_missing_character_is_noticed() -> None:
    fonts = Fonts((DEJAVU,), LATIN.characters - {ord("z")})
    assert draw_plots(ranking(("a", "z")), card(), fonts=fonts).notes == (NEEDS_FONT,)
    assert draw_plots(ranking(("a", "b")), card(), fonts=fonts).notes == ()


def test_what_is_not_known_is_not_drawn() -> None:
    made = without_intervals(ranking(by_turn=(), standings=(standing("a", 0, controlled=None), standing("b", 1, controlled=None))), 6)
    files = draw_plots(made, card(person("Ms Li")), fonts=LATIN).files
    assert set(files) == {"ratings.svg", "ratings.png", "win_matrix.svg", "win_matrix.png"}


def test_raters_who_saw_different_numbers_of_slots_stand_side_by_side() -> None:
    two = rater("two slots")
    plots = draw_plots(ranking(), card(rater(), rater("two", slot_shares=two.slot_shares[:2])), fonts=LATIN)
    assert size_of(plots.files["slot_shares.png"])[0] > 1000
