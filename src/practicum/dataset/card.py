"""The data set's card, as the Hugging Face hub reads it: what it is, where it comes from, what was done to it, what it is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from practicum.core.version import VERSION
from practicum.dataset.checks import Check
from practicum.dataset.curate_config import CurateConfig
from practicum.dataset.curated import CurateReport
from practicum.dataset.sift import Loss
from practicum.dataset.sources import SourceFacts

if TYPE_CHECKING:
    from jinja2 import Environment

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10_000_000, "1M<n<10M"))
LICENCES = {"cc0-1.0", "mit", "apache-2.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0"}
"""SPDX identifiers, in lower case, that the hub knows by the same name."""

WHAT: Mapping[Check | Loss, str] = {
    Check.TOO_SHORT: "too few exchanges, or the client hardly says anything",
    Check.ROLE_FLIP: "the client counsels, or the counselor confides",
    Check.AI_SELF: "a refusal, or a speaker who calls themselves a model",
    Check.PRAISE: "the counselor mostly praises or comforts in stock phrases",
    Check.REPEATS: "one side repeats itself, or a text goes round in a loop",
    Check.LISTS: "the counselor writes lists or Markdown",
    Check.SCRIPT: "another language or script, broken characters, or both languages mixed",
    Check.EARLY_ENDING: "thanks or goodbye long before the end",
    Check.NO_ENDING: "it breaks off",
    Check.COPIED: "the client recites its profile",
    Check.LEAK: "the counselor knows what it was not told",
    Check.RISK: "self-harm, suicide, violence, abuse: kept apart, not dropped",
    Loss.NO_EXCHANGE: "no counselor turn answers a client's",
    Loss.TEST_CLIENT: "the client is in the test set",
    Loss.TEST_TEXT: "nearly the same conversation is in the test set",
    Loss.DUPLICATE: "the same conversation came before",
    Loss.NEAR_DUPLICATE: "nearly the same conversation came before",
}
"""What each check looks for, in a few words."""
THRESHOLDS: Mapping[Check | Loss, Sequence[str]] = {
    Check.TOO_SHORT: ("min_exchanges", "min_client_chars"),
    Check.PRAISE: ("praise_share",),
    Check.REPEATS: ("repeat_share", "loop_ngram", "loop_times"),
    Check.LISTS: ("list_share",),
    Check.SCRIPT: ("other_script_share",),
    Check.EARLY_ENDING: ("early_share",),
    Check.COPIED: ("copied_share",),
    Check.LEAK: ("leak_words",),
}
"""Keys of `checks.` that decide."""


def render_card(
    result: CurateReport, config: CurateConfig, sources: Sequence[SourceFacts], licences: Mapping[str, Mapping[str, int]]
) -> str:
    """Return `README.md`.

    Args:
        result: The figures.
        config: What was asked for.
        sources: In order.
        licences: Source to licence ("" for unknown) to sessions written.
    """
    known = {licence for counts in licences.values() for licence in counts}
    rows = sum(size.rows for size in result.written.values())
    return (
        environment()
        .get_template("card.md.jinja")
        .render(
            result=result,
            config=config,
            sources=sources,
            licences=licences,
            licence=_licence(known),
            size=next((name for most, name in SIZES if rows < most), "n>10M"),
            checks=check_lines(result, config),
            version=VERSION,
            parquet="train.parquet" in result.files,
        )
    )


def check_lines(result: CurateReport, config: CurateConfig) -> list[dict[str, Any]]:
    """Return a line for each check: id, what it looks for, thresholds, alarms and drops; "off" where it was not run."""
    thresholds = config.checks.model_dump()
    lines = []
    for reason in (*Check, *Loss):
        limits = ", ".join(f"{name} {thresholds[name]:g}" for name in THRESHOLDS.get(reason, ()))
        if reason is Loss.NEAR_DUPLICATE or reason is Loss.TEST_TEXT:
            limits = f"near_duplicate {config.near_duplicate:g}"
        if reason is Loss.TEST_CLIENT:
            limits = f"near_profile {config.near_profile:g}"
        lines.append(
            {
                "id": reason.value,
                "what": WHAT[reason],
                "limits": "off" if reason.value in config.checks.off else limits,
                "found": result.found.get(reason.value, 0),
                "dropped": result.dropped.get(reason.value, 0),
            }
        )
    return lines


def _licence(known: set[str]) -> str:
    """Return what the card's head calls the licence: the one of all sources, if there is one and the hub knows it."""
    if known <= {""}:
        return "unknown"
    return next(iter(known)).lower() if len(known) == 1 and next(iter(known)).lower() in LICENCES else "other"


@cache
def environment() -> Environment:
    """Return what templates of this room are rendered with: HTML is escaped, unknown names are errors."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    room = files("practicum.dataset")
    made = Environment(
        loader=FunctionLoader(lambda name: room.joinpath(name).read_text("utf-8")),
        autoescape=lambda name: name is not None and ".html" in name,  # noqa: S701 - the other one is Markdown
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["cell"] = _cell
    made.filters["number"] = "{:,}".format
    return made


def _cell(text: object) -> str:
    """Return text that fits into a cell of a Markdown table and cannot be markup."""
    return " ".join(str(text).split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
