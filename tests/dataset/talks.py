"""Conversations made for the tests of curation, and checks that are simple enough to foresee."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from practicum.dataset.checks import Check, Finding, Mend
from practicum.dataset.conversation import Conversation, Line
from practicum.dataset.curate_config import ChecksConfig
from practicum.dataset.curated import CurateReport
from practicum.dataset.curation import curate
from practicum.dataset.sift import Gate
from practicum.dataset.sources import example_dialogues, find_sources

Turns = list[dict[str, str]]


def plain_mend(conversation: Conversation) -> tuple[Conversation, dict[Mend, int]]:
    """Take white space off."""
    bare = tuple(Line(speaker, text.strip()) for speaker, text in conversation.lines)
    changed = sum(one != other for one, other in zip(bare, conversation.lines, strict=True))
    return replace(conversation, lines=bare), {Mend.WHITESPACE: changed} if changed else {}


def plain_examine(conversation: Conversation, config: ChecksConfig) -> list[Finding]:
    """Find what is short, what says 人工智能 or "language model", and what says 想死 or "kill myself"."""
    found = []
    if len(conversation.lines) < 2 * config.min_exchanges:
        found.append(Finding(check=Check.TOO_SHORT, detail=f"{len(conversation.lines)} turns"))
    for index, (_, text) in enumerate(conversation.lines):
        if "人工智能" in text or "language model" in text:
            found.append(Finding(check=Check.AI_SELF, detail=text[:40], line=index))
    if any("想死" in text or "kill myself" in text for _, text in conversation.lines):
        found.append(Finding(check=Check.RISK, detail="suicide"))
    return found


def die(conversation: Conversation) -> tuple[Conversation, dict[Mend, int]]:
    """End the process, as the system does where memory is short."""
    os._exit(1)


PLAIN = Gate(mend=plain_mend, examine=plain_examine)


def dialogues() -> list[dict[str, Any]]:
    """Return the 60 dialogues that the package ships."""
    return [json.loads(line) for line in example_dialogues().read_text("utf-8").splitlines()]


def write_jsonl(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def read_jsonl(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def curated(out: Path, *sources: Path | str, test: Sequence[Path] = (), **options: Any) -> CurateReport:
    """Curate with the plain checks; `options` are those of the configuration, and of `curate`."""
    from practicum.dataset.curate_config import CurateConfig

    mine: dict[str, Any] = {name: options.pop(name) for name in ("report", "skip_bad", "gate", "watch") if name in options}
    config = CurateConfig.model_validate(options)
    return curate(find_sources(list(sources)), config, out, test=find_sources(list(test)), **{"gate": PLAIN} | mine)
