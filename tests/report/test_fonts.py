"""Which fonts are chosen, with and without a Chinese one on the machine."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import pytest
from matplotlib import font_manager

from practicum.errors import ConfigError
from practicum.report.fonts import DEJAVU, Fonts, chinese_files, choose_family, find_fonts, require_matplotlib
from tests.report.makers import CHINESE, ENGLISH


def make_font(path: Path, family: str, text: str) -> str:
    """Write a font that has these characters, all the same box."""
    from fontTools.fontBuilder import FontBuilder  # type: ignore[import-untyped]
    from fontTools.pens.ttGlyphPen import TTGlyphPen  # type: ignore[import-untyped]

    pen = TTGlyphPen(None)
    for step, point in enumerate([(100, 0), (100, 800), (900, 800), (900, 0)]):
        (pen.lineTo if step else pen.moveTo)(point)
    pen.closePath()
    box = pen.glyph()
    names = [".notdef", *(f"uni{ord(char):04X}" for char in text)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(char): f"uni{ord(char):04X}" for char in text})
    builder.setupGlyf(dict.fromkeys(names, box))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 100)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return str(path)


@pytest.fixture
def bare() -> font_manager.FontManager:
    """A font manager that knows DejaVu Sans and nothing else."""
    manager = copy.copy(font_manager.fontManager)
    manager.ttflist = [entry for entry in manager.ttflist if entry.name == DEJAVU]
    return manager


def test_the_best_chinese_family_is_chosen() -> None:
    assert choose_family(["SimHei", "DejaVu Sans", "WenQuanYi Micro Hei"]) == "WenQuanYi Micro Hei"
    assert choose_family(["DejaVu Sans"]) is None


def test_font_files_are_known_by_their_names() -> None:
    paths = ["/f/wqy-microhei.ttc", "/f/DejaVuSans.ttf", "/f/NotoSansCJK-Regular.ttc", "/f/NotoSans-Regular.ttf", "/f/msyh.ttc"]
    assert chinese_files(paths) == ["/f/NotoSansCJK-Regular.ttc", "/f/msyh.ttc", "/f/wqy-microhei.ttc"]


def test_fonts_show_a_text_only_if_every_character_has_a_glyph() -> None:
    fonts = Fonts((DEJAVU,), frozenset(map(ord, "abc")))
    assert fonts.show("cab")
    assert not fonts.show("ab咨")


def test_without_chinese_names_no_chinese_font_is_looked_for() -> None:
    fonts = find_fonts(ENGLISH)
    assert fonts.families == (DEJAVU,)
    assert fonts.show("baseline …")


def test_a_chinese_font_of_this_machine_is_used() -> None:
    fonts = find_fonts(CHINESE)
    assert fonts.families[0] == DEJAVU
    assert fonts.show("整合咨询师") == (len(fonts.families) == 2)


def test_a_font_installed_since_matplotlib_looked_last_is_found(bare: font_manager.FontManager, tmp_path: Path) -> None:
    fonts = find_fonts(["整"], manager=bare, files=[make_font(tmp_path / "simhei.ttf", "SimHei", "整合"), "unrelated.ttf"])
    assert fonts.families == (DEJAVU, "SimHei")
    assert fonts.show("整 a")
    assert not fonts.show("咨")


def test_without_any_chinese_font_dejavu_is_left(bare: font_manager.FontManager) -> None:
    fonts = find_fonts(CHINESE, manager=bare, files=[])
    assert fonts.families == (DEJAVU,)
    assert not fonts.show("整")


def test_a_font_that_has_been_removed_is_not_used(bare: font_manager.FontManager, tmp_path: Path) -> None:
    bare.addfont(make_font(tmp_path / "simhei.ttf", "SimHei", "整"))
    assert find_fonts(["整"], manager=bare, files=[]).families == (DEJAVU, "SimHei")
    (tmp_path / "simhei.ttf").unlink()
    assert find_fonts(["整"], manager=bare, files=[]).families == (DEJAVU,)


def test_without_matplotlib_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"plots need matplotlib: pip install practicum\[report\]"):
        require_matplotlib()
