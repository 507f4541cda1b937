from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from practicum.arena import find_combinations
from practicum.errors import ConfigError

NAMES = ["ours", "theirs", "old", "bad"]


def from_file(tmp_path: Path, text: str) -> list[tuple[str, ...]]:
    path = tmp_path / "meetings.txt"
    path.write_text(text, "utf-8")
    return find_combinations(str(path), NAMES, 3)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_all_are_all(size: int) -> None:
    assert find_combinations("all", NAMES, size) == list(combinations(NAMES, size))


def test_with_a_name_are_those_that_hold_it() -> None:
    assert find_combinations("with:old", NAMES, 2) == [("ours", "old"), ("theirs", "old"), ("old", "bad")]


def test_a_file_lists_them_each_once_in_the_members_order(tmp_path: Path) -> None:
    text = "\ufefftheirs, ours\n\nours,theirs\n bad ,old, ours,\n"
    assert from_file(tmp_path, text) == [("ours", "theirs"), ("ours", "old", "bad")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ours, theirs\nours, mine", "line 2: mine: no such member; expected ours, theirs, old, bad"),
        ("ours", "line 1: 'ours': expected 2 to 8 different names"),
        ("ours, ours", "expected 2 to 8 different names"),
        ("\n \n", "holds no combination"),
    ],
)
def test_a_file_that_will_not_do_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        from_file(tmp_path, text)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected all, with:NAME or a file of names: .*No such file"):
        find_combinations(str(tmp_path / "nowhere.txt"), NAMES, 2)
    (tmp_path / "gbk.txt").write_bytes("咨询师".encode("gbk"))
    with pytest.raises(ConfigError, match="expected all, with:NAME or a file"):
        find_combinations(str(tmp_path / "gbk.txt"), NAMES, 2)


def test_too_few_members_and_an_unknown_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="5 counselors are to meet, but there are 4 members; give --size 4 or more --member"):
        find_combinations("all", NAMES, 5)
    with pytest.raises(ConfigError, match="'with:mine' names nobody; expected with:NAME, NAME one of ours, theirs, old, bad"):
        find_combinations("with:mine", NAMES, 2)
