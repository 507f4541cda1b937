"""Whole sessions compared: counselors held each a session with the same client, supervisors say whose was better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from practicum.arena.referee import Bench, as_records, judge_question
from practicum.arena.supervisor import Question
from practicum.core import Language
from practicum.engine import Notebook

WHOLE = -1
"""Index of the turn of what belongs to a session as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Sessions of one client with different counselors."""

    key: str
    """Digest of the keys of its sessions."""
    ordinal: int
    """Which comparison of these counselors it is, from 0."""
    language: Language
    run_seed: int
    texts: Mapping[str, str]
    """Counselors' digests to their sessions, as labelled lines."""


async def compare(bench: Bench, comparison: Comparison, notebook: Notebook) -> None:
    """Ask the supervisors, and keep their ballots and choices.

    Raises:
        EndpointError: A supervisor's server is gone.
    """
    question = Question(
        session=comparison.key,
        turn=WHOLE,
        language=comparison.language,
        run_seed=comparison.run_seed,
        transcript="",
        texts=comparison.texts,
    )
    try:
        judgement = await judge_question(bench, question, notebook, ordinal=comparison.ordinal, exchange=0)
    finally:
        bench.release(comparison.key)
    await notebook.keep(WHOLE, as_records(judgement.choices))
