"""The plots: ratings, who beats whom, slots, and shares in the course of a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from practicum.arena import JudgeCard, Ranking, RaterCard, TurnShare
from practicum.report.canvas import COLOURS, GREY, Drawing, Names, new_figure, render
from practicum.report.fonts import NEEDS_FONT, Fonts, find_fonts, require_matplotlib
from practicum.report.ranking_tables import counted
from practicum.report.table import Note

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEW = 10
"""Points of fewer choices are drawn hollow."""
TOGETHER = 6
"""More counselors than this get a panel each: so many lines cannot be told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plots:
    """Drawn files."""

    files: Mapping[str, bytes]
    """By name, `ratings.svg` …"""
    notes: tuple[Note, ...] = ()


def draw_plots(ranking: Ranking, card: JudgeCard, *, fonts: Fonts | None = None) -> Plots:
    """Draw whatever there is something for, each as SVG and PNG; the same bytes for the same results.

    Args:
        ranking: Of two or more counselors.
        card: Of the raters behind it.
        fonts: None: those that are found on this machine.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    require_matplotlib()
    fonts = fonts or find_fonts((*(one.counselor for one in ranking.standings), *(rater.rater for rater in card.raters)))
    drawings: dict[str, Drawing] = {
        "ratings": lambda names: _ratings(ranking, names),
        "win_matrix": lambda names: _matrix(ranking, names),
    }
    if raters := [rater for rater in card.raters if rater.slot_shares]:
        drawings["slot_shares"] = lambda names: _slots(raters, names)
    if ranking.by_turn:
        drawings["share_by_exchange"] = lambda names: _turns(ranking, names)
    files = {}
    complete = True
    for name, drawing in drawings.items():
        files[f"{name}.svg"], files[f"{name}.png"], all_shown = render(drawing, fonts)
        complete = complete and all_shown
    return Plots(files=files, notes=() if complete else (NEEDS_FONT,))


def _ratings(ranking: Ranking, names: Names) -> Figure:
    standings = ranking.standings
    figure, (axes,) = new_figure(7, 1.4 + 0.42 * len(standings))
    axes.axvline(1000, color=GREY, linewidth=0.8, linestyle=":")
    for place, one in enumerate(standings):
        bars = ((one.rating, one.interval, -0.1, "o", COLOURS[0]), (one.controlled, one.controlled_interval, 0.17, "D", COLOURS[1]))
        for value, interval, offset, marker, colour in bars:
            if interval is not None:
                axes.hlines(place + offset, *interval, color=colour, linewidth=1.8)
            if value is not None:
                face = colour if marker == "o" else "white"
                axes.plot(value, place + offset, marker, color=colour, markersize=5, markerfacecolor=face, zorder=3)
    _list_names(axes, names([one.counselor for one in standings], "counselor"))
    axes.set_xlabel("rating (Elo scale)")
    controlled = any(one.controlled is not None for one in standings)
    what = f"n = {ranking.wins + ranking.ties:,} scored choices, {ranking.clusters:,} {ranking.cluster}s"
    intervals = "no intervals: too few" if ranking.too_few else "lines: 95 % intervals"
    marks = "●  rating" + ("     ◇  with length and style held equal" if controlled else "")
    axes.set_title(f"Ratings. {what}; {intervals}\n{marks}")
    return figure


def _matrix(ranking: Ranking, names: Names) -> Figure:
    many = len(ranking.standings)
    figure, (axes,) = new_figure(2.8 + 0.62 * many, 1.3 + 0.45 * many)
    cells = [[float("nan") if share is None else share for share in row] for row in ranking.matrix]
    image = axes.imshow(cells, cmap="RdBu", vmin=0, vmax=1, aspect="auto")
    for row, shares in enumerate(ranking.matrix):
        for column, share in enumerate(shares):
            colour = GREY if share is None else "white" if abs(share - 0.5) > 0.32 else "black"
            text = "·" if share is None else f"{100 * share:.0f}"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    places = list(range(many))
    labels = names([one.counselor for one in ranking.standings], "counselor")
    axes.set_yticks(places, [f"{label}  {place + 1}" for place, label in zip(places, labels, strict=True)])
    axes.set_xticks(places, [str(place + 1) for place in places])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("against")
    axes.set_title(f"Who beats whom, % of the points shared\nn = {ranking.wins + ranking.ties:,} scored choices")
    figure.colorbar(image, ax=axes, fraction=0.05, ticks=[0, 0.5, 1], format=lambda share, _: f"{100 * share:.0f} %")
    return figure


def _slots(raters: Sequence[RaterCard], names: Names) -> Figure:
    many = max(len(rater.slot_shares) for rater in raters)
    figure, (axes,) = new_figure(7, 1.6 + (0.3 + 0.16 * many) * len(raters))
    thick = 0.8 / many
    for slot in range(many):
        with_it = [(place, rater.slot_shares) for place, rater in enumerate(raters) if len(rater.slot_shares) > slot]
        lines = [place + thick * (slot - (len(shares) - 1) / 2) for place, shares in with_it]
        colour = COLOURS[slot % len(COLOURS)]
        axes.barh(lines, [shares[slot].share for _, shares in with_it], height=thick * 0.9, color=colour, label=f"slot {slot + 1}")
    places = range(len(raters))
    equal = [1 / len(rater.slot_shares) for rater in raters]
    ends = [place - 0.45 for place in places], [place + 0.45 for place in places]
    axes.vlines(equal, *ends, color="black", linewidth=1.2, linestyle="--", label="all equal")
    labels = names([rater.rater for rater in raters], "rater")
    _list_names(axes, [f"{label}\nn = {rater.slot_shares[0].shown:,}" for label, rater in zip(labels, raters, strict=True)])
    axes.xaxis.set_major_formatter(_percent)
    axes.set_xlabel("share of the ballots that showed the slot and picked it")
    axes.set_title("Slots: which place wins")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def _turns(ranking: Ranking, names: Names) -> Figure:
    from matplotlib.ticker import MaxNLocator

    by_name: dict[str, list[TurnShare]] = {one.counselor: [] for one in ranking.standings}
    for share in ranking.by_turn:
        by_name[share.counselor].append(share)
    lines = [sorted(shares, key=lambda one: one.exchange) for shares in by_name.values()]
    labels = names(list(by_name), "counselor")
    title = f"Share by exchange. {counted(ranking).partition(' (')[0]}; hollow: n < {FEW}"
    if len(lines) <= TOGETHER:
        figure, (axes,) = new_figure(8, 3.6)
        for place, (line, label) in enumerate(zip(lines, labels, strict=True)):
            _line(axes, line, COLOURS[place % len(COLOURS)], label)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
        axes.set_title(title)
        panels = [axes]
    else:
        rows = -(-len(lines) // 3)
        figure, panels = new_figure(9, 0.8 + 1.6 * rows, rows, 3)
        for panel, line, label in zip(panels, lines, labels, strict=False):
            for other in lines:
                panel.plot([one.exchange for one in other], [one.share for one in other], color="#dddddd", linewidth=0.8)
            _line(panel, line, COLOURS[0], label)
            panel.set_title(label, fontsize=9)
        for spare in panels[len(lines) :]:
            spare.set_visible(False)
        figure.suptitle(title, fontsize=10, x=0.02, ha="left")
    figure.supxlabel("exchange", fontsize=9)
    for axes in panels:
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        axes.yaxis.set_major_formatter(_percent)
    return figure


def _line(axes: Axes, shares: Sequence[TurnShare], colour: str, label: str) -> None:
    """Draw one counselor's shares."""
    axes.plot(
        [one.exchange for one in shares], [one.share for one in shares], color=colour, linewidth=1.4, marker="o", markersize=4, label=label
    )
    few = [one for one in shares if one.offered < FEW]
    axes.plot([one.exchange for one in few], [one.share for one in few], "o", color=colour, markersize=4, markerfacecolor="white")


def _list_names(axes: Axes, labels: Sequence[str]) -> None:
    """Write names beside the lines of a plot, the first on top."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#eeeeee")
    axes.set_axisbelow(True)


def _percent(share: float, _: float) -> str:
    return f"{100 * share:.0f} %"
