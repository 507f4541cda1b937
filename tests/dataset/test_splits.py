from __future__ import annotations

import pytest

from practicum.core import Split
from practicum.dataset.curate_config import SplitConfig
from practicum.dataset.splits import place, settle

PINNED: list[Split] = ["dev", "train", "train", "test", "train", "dev", "dev", "train"]
CLIENTS = [f"{number:016x}" for number in range(20_000)]


def test_shares_come_out_as_asked_for() -> None:
    config = SplitConfig(dev=0.05, test=0.1)
    drawn = [place(client, config) for client in CLIENTS]
    assert drawn.count("dev") / len(drawn) == pytest.approx(0.05, abs=0.006)
    assert drawn.count("test") / len(drawn) == pytest.approx(0.1, abs=0.008)


def test_a_larger_share_takes_from_train_only() -> None:
    for larger in (SplitConfig(dev=0.2, test=0.1), SplitConfig(dev=0.1, test=0.2)):
        for client in CLIENTS[:2000]:
            before, after = place(client, SplitConfig(dev=0.1, test=0.1)), place(client, larger)
            assert before in ("train", after)


def test_a_place_follows_from_client_and_salt_alone() -> None:
    """Pinned: a change here would move clients of every data set that was ever made from train to test."""
    assert [place(client, SplitConfig(dev=0.3, test=0.3)) for client in CLIENTS[:8]] == PINNED
    assert [place(client, SplitConfig(dev=0.3, test=0.3, salt="other")) for client in CLIENTS[:8]] != PINNED


def test_what_is_said_stands_before_what_is_drawn_and_the_strictest_for_all() -> None:
    config = SplitConfig(dev=0, test=0)
    assert settle([None, None], "a", config) == "train"
    assert settle([None, "dev"], "a", config) == "dev"
    assert settle(["train", "test", "dev"], "a", config) == "test"
    assert settle(["train"], "a", SplitConfig(test=1)) == "train"
