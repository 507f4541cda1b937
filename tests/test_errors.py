"""Errors: what the command line exits with, and how problems of a file are told."""

from __future__ import annotations

import inspect

import pytest

from practicum import errors
from practicum.errors import BackendError, ConfigError, PracticumError, ProfileError, RunConflictError, RunLockedError, StoreError

EVERY: list[type[Exception]] = [error for _, error in inspect.getmembers(errors, inspect.isclass) if issubclass(error, Exception)]
USAGE: list[type[Exception]] = [error for error in EVERY if issubclass(error, ConfigError)]


@pytest.mark.parametrize("error", EVERY)
def test_every_error_is_caught_as_one_family_and_says_when_it_is_raised(error: type[Exception]) -> None:
    assert issubclass(error, PracticumError)
    assert error.__doc__


@pytest.mark.parametrize("error", EVERY)
def test_wrong_usage_exits_with_2_and_everything_else_with_1(error: type[PracticumError]) -> None:
    assert error.exit_status == (2 if error in USAGE else 1)


def test_what_was_asked_wrongly_is_told_from_what_went_wrong() -> None:
    assert RunConflictError in USAGE
    assert RunLockedError not in USAGE
    assert issubclass(RunLockedError, StoreError)


def test_a_profile_error_without_rows_is_one_line() -> None:
    assert str(ProfileError("a.json: not JSON")) == "a.json: not JSON"


@pytest.mark.parametrize("count", [1, 10])
def test_up_to_ten_bad_rows_are_all_shown(count: int) -> None:
    rows = [f"row {number}: empty" for number in range(1, count + 1)]

    assert str(ProfileError("a.json: bad rows", rows)).splitlines() == ["a.json: bad rows", *(f"  {row}" for row in rows)]


def test_more_than_ten_bad_rows_are_counted_and_all_kept() -> None:
    problem = ProfileError("a.json: bad rows", [f"row {number}: empty" for number in range(1, 13)])

    assert str(problem).splitlines()[10:] == ["  row 10: empty", "  and 2 more"]
    assert problem.problems[-1] == "row 12: empty"


def test_a_backend_error_carries_what_it_is_counted_by() -> None:
    problem = BackendError("m: no answer", kind="budget", status=503)

    assert (str(problem), problem.kind, problem.status) == ("m: no answer", "budget", 503)
    assert BackendError("m: refused", kind="refused").status is None
