"""`practicum keys`: a secret is shown once, and the file tells no more than it must."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Practicum


def test_a_key_is_made_listed_and_revoked(practicum: Practicum) -> None:
    made = practicum("keys", "new", "小李", "--per-minute", "30")
    assert made.status == 0
    assert made.out.startswith("pk-")
    assert "for 小李 opens bots, clients; keep it, it is not shown again" in made.err
    assert made.out.strip() not in Path("practicum-keys.json").read_text("utf-8")
    practicum("keys", "new", "lab", "--for", "metrics,bots,bots")
    first, second = practicum("keys", "list", "--json").json()
    assert (first["name"], first["per_minute"], first["revoked"]) == ("小李", 30, None)
    assert second["scopes"] == ["metrics", "bots"]
    assert "sha256" not in first
    assert practicum("keys", "revoke", "lab").out == f"key {second['id']} (lab) is revoked\n"
    header, one, two = practicum("keys", "list").out.splitlines()
    assert header.split() == ["id", "name", "opens", "per", "minute", "made", "state"]
    assert one.endswith("in use")
    assert "revoked 20" in two


def test_mistakes_are_told_in_a_line(practicum: Practicum) -> None:
    for args, told in (
        (("new", "x", "--for", "everything"), "--for 'everything': expected bots, clients, metrics"),
        (("new", "x", "--for", ""), "scopes: () will not do"),
        (("list",), "practicum-keys.json: No such file"),
        (("revoke", "x", "--keys", "other.json"), "other.json: No such file"),
    ):
        outcome = practicum("keys", *args)
        assert outcome.status == 2
        assert told in outcome.err
        assert "Traceback" not in outcome.err
