"""Which fonts a plot can use here: DejaVu Sans, which matplotlib brings along, and a Chinese one where there is one."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from practicum.errors import ConfigError
from practicum.report.table import Note

if TYPE_CHECKING:
    from matplotlib.font_manager import FontManager

CHINESE_FONTS = (
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "Noto Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "PingFang SC",
    "PingFang HK",
    "Hiragino Sans GB",
    "Heiti SC",
    "STHeiti",
    "SimHei",
    "DengXian",
    "AR PL UMing CN",
    "AR PL UKai CN",
    "Droid Sans Fallback",
    "Noto Sans CJK JP",
    "Noto Sans CJK TC",
    "SimSun",
    "Arial Unicode MS",
)
"""Family names, the best first."""

_FILES = (
    "notosanscjk",
    "notosanssc",
    "sourcehan",
    "wqy",
    "msyh",
    "pingfang",
    "hiragino",
    "stheiti",
    "simhei",
    "deng",
    "uming",
    "ukai",
    "droidsans",
)
"""How the files of such fonts are named, in small letters, without hyphens."""

NEEDS_FONT = Note(
    "no installed font has the Chinese characters of some names: the PNG plots number them instead (the SVG plots keep them). "
    "Install one, on Debian and Ubuntu: apt install fonts-wqy-microhei"
)

DEJAVU = "DejaVu Sans"


@dataclass(frozen=True, slots=True)
class Fonts:
    """Families to draw with, and what they can show."""

    families: tuple[str, ...]
    """Tried in this order for each character."""
    characters: frozenset[int]
    """Code points with a glyph in one of them."""

    def show(self, text: str) -> bool:
        """Tell whether every character of a text has a glyph."""
        return all(ord(char) in self.characters for char in text)


def require_matplotlib() -> None:
    """Refuse to go on without the library that draws.

    Raises:
        ConfigError: It is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError("plots need matplotlib: pip install practicum[report]")


def find_fonts(texts: Iterable[str], *, manager: FontManager | None = None, files: Iterable[str] | None = None) -> Fonts:
    """Return the fonts that show these texts best; a Chinese one is only looked for if one of them needs it.

    Args:
        texts: What will be drawn.
        manager: Whose fonts; None: matplotlib's own.
        files: Fonts that the manager may not know yet; None: those of this machine.
    """
    from matplotlib import font_manager

    manager = manager or font_manager.fontManager
    known = {DEJAVU: str(manager.findfont(DEJAVU))}
    fonts = _fonts(known)
    if all(map(fonts.show, texts)):
        return fonts
    if choose_family(_installed(manager)) is None:
        # matplotlib remembers which fonts there are: one installed since then is not among them.
        for path in chinese_files(font_manager.findSystemFonts() if files is None else files):
            manager.addfont(path)
    installed = _installed(manager)
    family = choose_family(installed)
    return fonts if family is None else _fonts(known | {family: installed[family]})


def _installed(manager: FontManager) -> dict[str, str]:
    """Return the file of each family that is still there: a manager remembers fonts that have been removed."""
    return {entry.name: entry.fname for entry in manager.ttflist if Path(entry.fname).exists()}


def choose_family(installed: Iterable[str]) -> str | None:
    """Return the best Chinese family of those that are installed."""
    names = set(installed)
    return next((family for family in CHINESE_FONTS if family in names), None)


def chinese_files(paths: Iterable[str]) -> Sequence[str]:
    """Return the files that by their names are Chinese fonts."""
    return sorted(path for path in paths if Path(path).name.lower().replace("-", "").startswith(_FILES))


def _fonts(files: Mapping[str, str]) -> Fonts:
    from matplotlib.font_manager import get_font

    return Fonts(tuple(files), frozenset[int]().union(*(get_font(path).get_charmap() for path in files.values())))
