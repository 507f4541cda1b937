"""The report: one page that needs nothing else, of what was dropped and why, and of what was kept."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from practicum.core import Language
from practicum.core.version import VERSION
from practicum.dataset.card import check_lines, environment
from practicum.dataset.curate_config import CurateConfig
from practicum.dataset.curated import CurateReport
from practicum.dataset.pile import Pile
from practicum.dataset.select import Selection

SHOWN = 10
"""Openings, and sessions drawn."""
BINS = 20
EXAMPLES = 3
WIDTH, HEIGHT = 460, 130
"""Of a plot, in pixels, without its labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of a plot."""

    x: float
    y: float
    width: float
    height: float
    label: str
    """What a pointer over it is told: from, to, how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A histogram, ready to be drawn."""

    title: str
    bars: Sequence[Bar]
    low: str
    high: str
    """What stands under its ends."""
    most: int
    """Sessions in the highest bar."""
    middle: str
    """The median."""


def render_report(pile: Pile, selection: Selection, config: CurateConfig, result: CurateReport) -> str:
    """Return `report.html`; the same for the same data set."""
    taken = sorted(index for indices in selection.placed.values() for index in indices)
    passed = [pile.passed[index] for index in taken]
    drawn = sorted(random.Random(config.split.salt).sample(taken, min(SHOWN, len(taken))))
    said = [one.client_size + one.counselor_size for one in passed]
    shares = [100 * one.client_size / size for one, size in zip(passed, said, strict=True)]
    page = environment().get_template("report.html.jinja")
    return page.render(
        result=result,
        config=config,
        version=VERSION,
        checks=[line for line in check_lines(result, config) if line["found"] or line["dropped"]],
        examples=_examples(pile, selection),
        plots=[
            histogram("Exchanges a session", [one.exchanges for one in passed]),
            histogram("Characters a session", said),
            histogram("Client's share of what is said, in %", shares, low=0, high=100),
        ],
        width=WIDTH,
        height=HEIGHT,
        openings=[
            ("What counselors say first", openings((one.openings[1], one.language) for one in passed)),
            ("What clients say first", openings((one.openings[0], one.language) for one in passed)),
        ],
        sessions=[_session(pile, index, row) for index, row in pile.rows(drawn)],
        salt=config.split.salt,
    )


def histogram(title: str, values: Sequence[float], low: float | None = None, high: float | None = None) -> Plot:
    """Return a plot of at least one value in at most 20 bars; ends that are not given are the least and the most."""
    whole = low is None and all(float(value).is_integer() for value in values)
    low = min(values) if low is None else low
    high = max(values) if high is None else high
    step = (high - low) / BINS or 1.0
    if whole:
        step = max(1.0, -(-(high - low + 1) // BINS))  # whole numbers of exchanges in each bar
    number = min(BINS, int((high - low) / step) + 1)
    counts = [0] * number
    for value in values:
        counts[min(number - 1, int((value - low) / step))] += 1
    most, width = max(counts), WIDTH / number
    bars = [
        Bar(
            x=round(place * width, 2),
            y=round(HEIGHT * (1 - count / most), 2),
            width=round(width - 1, 2),
            height=round(HEIGHT * count / most, 2),
            label=f"{low + place * step:,.0f} to {low + (place + 1) * step:,.0f}: {count:,}",
        )
        for place, count in enumerate(counts)
    ]
    middle = sorted(values)[len(values) // 2]
    return Plot(title=title, bars=bars, low=f"{low:,.0f}", high=f"{high:,.0f}", most=most, middle=f"{middle:,.0f}")


def openings(said: Iterable[tuple[str, Language]]) -> list[tuple[str, Language, int]]:
    """Return the texts that stand more than once, the most frequent first."""
    counts = Counter(said)
    repeated = [(text, language, count) for (text, language), count in counts.items() if count > 1]
    return sorted(repeated, key=lambda one: (-one[2], one[0]))[:SHOWN]


def _examples(pile: Pile, selection: Selection) -> list[dict[str, Any]]:
    """Return up to three conversations for each reason; of duplicates the detail says what they are like."""
    found = [
        {
            "reason": reason.value,
            "key": refused.key,
            "detail": refused.detail,
            "lines": dropped.excerpt,
            "lang": html_language(dropped.language),
        }
        for reason, examples in pile.examples.items()
        for refused, dropped in examples
    ]
    seen: Counter[str] = Counter()
    for refused in selection.refused:
        seen[refused.reason.value] += 1
        if seen[refused.reason.value] <= EXAMPLES:
            found.append({"reason": refused.reason.value, "key": refused.key, "detail": refused.detail, "lines": (), "lang": ""})
    return sorted(found, key=lambda one: str(one["reason"]))


def _session(pile: Pile, index: int, row: bytes) -> dict[str, Any]:
    messages = [message for message in orjson.loads(row)["messages"] if message["role"] != "system"]
    return {
        "key": pile.key(index),
        "lang": html_language(pile.passed[index].language),
        "exchanges": pile.passed[index].exchanges,
        "lines": [("client" if message["role"] == "user" else "counselor", message["content"]) for message in messages],
    }


def html_language(language: Language) -> str:
    """Return the tag that makes a browser take the right characters: Chinese ones, not Japan's."""
    return "zh-Hans" if language == "zh" else "en"
