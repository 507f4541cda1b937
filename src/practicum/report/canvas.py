"""A figure on its way to a file: the same bytes for the same numbers, on every machine with the same fonts."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from practicum.report.fonts import Fonts
from practicum.report.names import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONGEST_NAME = 30
"""Half-width characters of a name beside a plot."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, which the colour-blind can tell apart; the yellow one is left out, it vanishes on white."""
GREY = "#8a8a8a"
DPI = 200

Names = Callable[[Sequence[str], str], list[str]]
"""From names in full, and what they are (`counselor`), to the labels that are drawn."""
Drawing = Callable[[Names], "Figure"]


def render(drawing: Drawing, fonts: Fonts) -> tuple[bytes, bytes, bool]:
    """Return a figure as SVG and as PNG, and whether every name could be shown in the PNG.

    A name without glyphs is numbered in the PNG. In the SVG it stays: text is kept as text then, and drawn by whoever looks at it.
    """
    replaced: list[str] = []

    def as_they_are(names: Sequence[str], kind: str) -> list[str]:
        short = shorten(names, LONGEST_NAME)
        replaced.extend(name for name in short if not fonts.show(name))
        return short

    def with_glyphs(names: Sequence[str], kind: str) -> list[str]:
        return [name if fonts.show(name) else f"{kind} {place}" for place, name in enumerate(as_they_are(names, kind), start=1)]

    with _style(fonts):
        svg = _save(drawing(as_they_are), "svg", as_text=bool(replaced))
        png = _save(drawing(with_glyphs), "png")
    return svg, png, not replaced


@contextmanager
def _style(fonts: Fonts) -> Iterator[None]:
    """Draw with our settings alone, whatever the user's matplotlibrc says."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "font.family": list(fonts.families),
                "font.size": 9,
                "svg.hashsalt": "practicum",
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.titlesize": 10,
                "axes.titlelocation": "left",
                "text.parse_math": False,  # a $ in a name is a $
            }
        )
        yield


def _save(figure: Figure, form: str, *, as_text: bool = False) -> bytes:
    import matplotlib

    file = io.BytesIO()
    metadata = {"Date": None} if form == "svg" else {"Software": None}
    with warnings.catch_warnings(), matplotlib.rc_context({"svg.fonttype": "none" if as_text else "path"}):
        if as_text:
            warnings.filterwarnings("ignore", message="Glyph .* missing from")  # measured only, not drawn
        figure.savefig(file, format=form, dpi=DPI, metadata=metadata, bbox_inches="tight", pad_inches=0.15)
    return file.getvalue()


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Return an empty figure of so many inches and its axes, row by row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    return figure, list(axes.flat)
