"""Sessions made by hand, for the tests of the exports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from practicum.core import Call, Ending, Profile, Session, Speaker, Turn

SPEAKERS = {"c": Speaker.CLIENT, "k": Speaker.COUNSELOR}


@pytest.fixture
def make_session() -> Callable[..., Session]:
    """Return a maker: `make_session("c 你好", "k 请说", key="s1")`; `c` is the client, `k` the counselor."""

    def make(*lines: str, story: str = "我总是睡不着", key: str = "s1", **fields: Any) -> Session:
        turns = tuple(
            Turn(
                index=index,
                speaker=SPEAKERS[line[0]],
                text=line[2:],
                call=Call(model="m", finish="stop", prompt_tokens=9, completion_tokens=2, seconds=0.5, seed=7) if index else None,
                prompt_tokens=9 if index else 0,
                completion_tokens=2 if index else 0,
                at=1000.0 + index,
            )
            for index, line in enumerate(lines)
        )
        given = {"ending": Ending.CLOSED, **fields}
        profile = given.pop("profile", Profile.of(story))
        return Session(key=key, run="r", profile=profile, case="case", number=1, client="cl", counselor="co", seed=1, turns=turns, **given)

    return make
