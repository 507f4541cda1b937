from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from practicum.errors import ConfigError
from practicum.store import raise_open_files


@pytest.fixture(autouse=True)
def _limits_as_before() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    assert raise_open_files(100) == hard
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    assert raise_open_files(100) == hard  # nothing left to raise


def test_too_few_is_an_error_that_says_what_to_do() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with pytest.raises(ConfigError, match=rf"needs {hard + 1} open files, the system allows {hard}; lower --at-once"):
        raise_open_files(hard + 1)
