"""Candidates, ballots and choices as records of a store, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from practicum.core import Ballot, Call, Candidate, Choice, Outcome, Record, Verdict

CANDIDATE, BALLOT, CANARY, CHOICE, DECISION = "candidate", "ballot", "canary", "choice", "decision"
"""Kinds of records."""

T = TypeVar("T", Candidate, Ballot, Choice)


def to_record(kind: str, value: Candidate | Ballot | Choice) -> Record:
    """Return a record of a value's fields, those that are dataclasses as they are: the store writes them as JSON."""
    return Record(kind=kind, data={field.name: getattr(value, field.name) for field in fields(value)})


def read_candidate(data: Mapping[str, Any]) -> Candidate:
    """Return the candidate of a record's data."""
    return Candidate(**{**data, "call": _call(data["call"])})


def read_ballot(data: Mapping[str, Any]) -> Ballot:
    """Return the ballot of a record's data."""
    tuples = {name: tuple(data[name]) for name in ("shown", "labels", "answers")}
    return Ballot(**{**data, **tuples, "verdict": read_stored_verdict(data["verdict"]), "call": _call(data["call"])})


def read_choice(data: Mapping[str, Any]) -> Choice:
    """Return the choice of a record's data."""
    return Choice(**{**data, "offered": tuple(data["offered"]), "verdict": read_stored_verdict(data["verdict"])})


def read_stored_verdict(data: Mapping[str, Any]) -> Verdict:
    """Return the verdict of its JSON."""
    return Verdict(outcome=Outcome(data["outcome"]), winners=tuple(data["winners"]), shares=data["shares"], reason=data["reason"])


def _call(data: Mapping[str, Any] | Call | None) -> Call | None:
    return data if data is None or isinstance(data, Call) else Call(**data)
