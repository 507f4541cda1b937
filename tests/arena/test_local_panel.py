"""Members and a supervisor on the smallest real model: whom it chooses is of no interest here, that it is asked and read is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from practicum.arena import read_arena_config, read_verdict, turns_of
from practicum.arena.supervisor import odds_of
from practicum.build import hold_arena, plan_arena
from practicum.core import Profile
from practicum.store import Store


def test_a_panel_of_a_real_model_holds_an_exchange_and_its_supervisor_is_read_and_weighed(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path / 'practicum.db'}"
    chair: dict[str, Any] = {"model": "local:smollm2-135m", "form": "transcript", "max_tokens": 16}
    flags = {
        "client.model": "script:always I cannot sleep since I changed my job.",
        "members": {"warm": {**chair, "temperature": 0.7}, "cold": {**chair, "temperature": 0.1}},
        "supervisors": {"judge": {**chair, "max_tokens": 250}},
        "run": "a", "language": "en", "max_exchanges": 1, "canaries": 0, "repeats": 0, "check.ask_again": 0,
        "combine": "probability", "orders": "one", "constrain": True, "local.slots": 2, "local.context": 2048,
    }  # fmt: skip
    assert hold_arena(plan_arena(read_arena_config(flags), [Profile.of("I cannot sleep.")], db=db), db=db).complete
    with Store.open(db) as store:
        ((_, records),) = store.records_of("a", ["candidate", "ballot", "choice", "decision"])
    (turn,) = turns_of(records)
    assert len(turn.choices) == 1
    assert turn.went_on in turn.candidates
    (ballot,) = turn.ballots
    assert ballot.call is not None
    for answer in ballot.answers:
        assert read_verdict(answer, ballot.labels)  # held to the form
    if (odds := odds_of(ballot)) is not None:
        assert sum(odds.values()) == pytest.approx(1.0)
        assert set(odds) == {*turn.candidates, "tie", "none"}
    else:  # the place was found and weighed: so small a model would rather have said something else there
        assert "had a probability of" in ballot.verdict.reason
