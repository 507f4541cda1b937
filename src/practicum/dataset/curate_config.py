"""What a curation is asked for: which checks, with which thresholds, and how rows are made."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class ChecksConfig(_Section):
    """Thresholds of the checks."""

    off: tuple[str, ...] = ()
    """Ids of checks that are not run."""
    min_exchanges: Count = 4
    """too_short: fewer exchanges than this …"""
    min_client_chars: Count = 60
    """… or fewer characters (English: a third as many words) of the client in all."""
    praise_share: Share = 0.5
    """praise: share of counselor turns that are nothing else."""
    repeat_share: Share = 0.1
    """repeats: share of a side's turns that repeat an earlier one of theirs."""
    loop_ngram: Annotated[int, Field(ge=2, le=50)] = 6
    """repeats: characters (English: words) of an n-gram …"""
    loop_times: Annotated[int, Field(ge=2, le=100)] = 4
    """… that stands so often in one turn."""
    list_share: Share = 0.1
    """lists: share of counselor turns with a list or Markdown."""
    other_script_share: Share = 0.15
    """script: share of letters that are not of the conversation's language."""
    early_share: Share = 0.5
    """early_ending: thanks or goodbye before this share of the conversation."""
    copied_share: Share = 0.3
    """copied: share of the client's 8-grams that stand in the profile."""
    leak_words: Count = 3
    """leak: so many content words of the profile, new to the conversation, in one counselor turn."""


class SplitConfig(_Section):
    """How clients are divided. A client's place follows from its digest alone: adding sessions moves nobody."""

    dev: Share = 0.05
    test: Share = 0.0
    salt: str = "practicum"


class CurateConfig(_Section):
    """A curation."""

    samples: Literal["session", "turn"] = "session"
    """A row a session, or (the paper's form) a row for each counselor turn: history, then one reply."""
    include_risk: bool = False
    near_duplicate: Share = 0.8
    """Estimated Jaccard similarity of two conversations' 5-grams from which on the later one is dropped; 1: exact ones only."""
    near_profile: Share = 0.8
    """The same of two clients' stories: their conversations then count as one client's."""
    processes: Annotated[int, Field(ge=1, le=256)] | None = None
    """None: one for each core."""
    checks: ChecksConfig = ChecksConfig()
    split: SplitConfig = SplitConfig()
