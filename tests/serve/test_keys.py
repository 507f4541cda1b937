"""Keys: made once, shown once, checked by digest, revoked while the gateway runs."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import pytest

from practicum.errors import ConfigError
from practicum.serve.config import ServeConfig
from practicum.serve.keys import Key, KeyRing, Scope, digest, new_key, read_keys, revoke_key, write_keys
from practicum.serve.refusal import Refusal
from practicum.serve.server import refuse_to_listen
from tests.serve.conftest import Scripted, app_of, ask, call, get


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


class Hand:
    """A clock that is turned by hand."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def make(file: Path, name: str = "小李", *scopes: Scope, per_minute: int | None = None) -> tuple[Key, str]:
    return new_key(file, name, scopes or (Scope.BOTS,), per_minute=per_minute, clock=lambda: 1.7e9)


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def test_the_file_holds_a_digest_and_is_its_owners_only(file: Path) -> None:
    key, secret = make(file)
    assert re.fullmatch(r"pk-[A-Za-z0-9_-]{43}", secret)
    text = file.read_text("utf-8")
    assert secret not in text
    assert digest(secret) in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_keys(file) == (key,)
    assert [path.name for path in file.parent.iterdir()] == ["keys.json"]


def test_a_name_in_use_is_not_given_twice(file: Path) -> None:
    make(file, "lab")
    with pytest.raises(ConfigError, match="a key named 'lab' is in use"):
        make(file, "lab")
    revoke_key(file, "lab")
    make(file, "lab")
    assert [key.revoked is None for key in read_keys(file)] == [False, True]


def test_a_key_is_revoked_by_name_or_id(file: Path) -> None:
    first, _ = make(file, "a")
    make(file, "b")
    assert revoke_key(file, first.id, clock=lambda: 5.0).revoked == 5.0
    assert revoke_key(file, "b").name == "b"
    with pytest.raises(ConfigError, match="no key 'b' in use; in use: none"):
        revoke_key(file, "b")


def test_a_name_that_is_also_an_id_must_be_told_apart(file: Path) -> None:
    key, _ = make(file, "a")
    make(file, key.id)
    with pytest.raises(ConfigError, match="names 2 keys; give an id"):
        revoke_key(file, key.id)


def test_what_will_not_do_is_told(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"keys.json: No such file .* `practicum keys new NAME` makes"):
        KeyRing(file)
    with pytest.raises(ConfigError, match="per_minute: 0 will not do"):
        make(file, per_minute=0)
    file.write_text('{"keys": [{"id": "x"}]}')
    with pytest.raises(ConfigError, match=r"keys\.0\.id: String should match .* expected a file that"):
        read_keys(file)
    with pytest.raises(ConfigError, match="cannot be written"):
        write_keys(file / "inside", [])


def test_a_file_that_cannot_be_put_in_place_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").touch()
    with pytest.raises(ConfigError, match="cannot be written"):
        write_keys(tmp_path / "folder", [])
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_key_is_known_by_its_secret_only(file: Path) -> None:
    key, secret = make(file)
    ring = KeyRing(file)
    assert ring.check(f"Bearer {secret}") == key
    assert ring.check(f"bearer  {secret} ") == key
    for shown in (None, "", secret, "Basic x", "Bearer", f"Bearer {secret[:-1]}", f"Bearer {key.sha256}", "Bearer \xe4"):
        with pytest.raises(Refusal) as refused:
            ring.check(shown)
        assert (refused.value.status, refused.value.code) == (401, "invalid_api_key")


def test_a_change_of_the_file_is_seen_within_a_second(file: Path) -> None:
    clock = Hand()
    _, secret = make(file, "a")
    ring = KeyRing(file, clock=clock)
    revoke_key(file, "a")
    _, second = make(file, "b")
    ring.check(f"Bearer {secret}")  # the file is not looked at with every question
    clock.now += 1
    with pytest.raises(Refusal, match="revoked"):
        ring.check(f"Bearer {secret}")
    assert ring.check(f"Bearer {second}").name == "b"


@pytest.mark.parametrize("broken", [True, False])
def test_a_file_that_breaks_or_goes_lets_nobody_in(file: Path, caplog: pytest.LogCaptureFixture, *, broken: bool) -> None:
    clock = Hand()
    _, secret = make(file)
    ring = KeyRing(file, clock=clock)
    if broken:
        file.write_text("{")
    else:
        file.unlink()
    clock.now += 1
    with pytest.raises(Refusal, match="not known"):
        ring.check(f"Bearer {secret}")
    assert ring.guards
    assert "nobody is let in" in caplog.text


def test_a_bucket_empties_and_fills(file: Path) -> None:
    clock = Hand()
    key, _ = make(file, per_minute=2)
    free, _ = make(file, "free")
    ring = KeyRing(file, clock=clock)
    ring.spend(key)
    ring.spend(key)
    with pytest.raises(Refusal) as refused:
        ring.spend(key)
    assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "30"})
    clock.now += 29
    with pytest.raises(Refusal):
        ring.spend(key)
    clock.now += 1
    ring.spend(key)
    clock.now += 3_600
    ring.spend(key)
    ring.spend(key)
    with pytest.raises(Refusal):  # what is not used is not saved up
        ring.spend(key)
    for _ in range(100):
        ring.spend(free)


def test_beyond_this_machine_a_key_is_needed(file: Path) -> None:
    outside = ServeConfig(host="0.0.0.0")  # noqa: S104 - never opened
    for local in ("127.0.0.1", "127.8.8.8", "::1", "localhost"):
        refuse_to_listen(ServeConfig(host=local), None)
    for host in ("0.0.0.0", "::", "192.168.1.5", "counselor.example"):  # noqa: S104
        with pytest.raises(ConfigError, match="open to other machines, and there is no API key"):
            refuse_to_listen(ServeConfig(host=host), None)
    make(file, "watch", Scope.METRICS)
    with pytest.raises(ConfigError):  # a key that opens no bot does not count
        refuse_to_listen(outside, KeyRing(file))
    make(file, "a", Scope.CLIENTS)
    refuse_to_listen(outside, KeyRing(file))
    revoke_key(file, "a")
    with pytest.raises(ConfigError):
        refuse_to_listen(outside, KeyRing(file))


async def test_with_keys_only_the_lamps_are_open(file: Path) -> None:
    make(file)
    app = app_of(Scripted(lack="http://10.0.0.5 is away"), keys=KeyRing(file))
    outside = {"host": "counselor.example"}
    assert (await get(app, "/healthz", headers=outside)).status == 200
    assert (await get(app, "/readyz", headers=outside)).json == {"ready": False, "missing": 1}  # no addresses for everybody
    for path in ("/v1/models", "/v1/models/bot/warm", "/metrics", "/openapi.json", "/nothing", "/v1/chat/completions"):
        answer = await get(app, path)
        assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert (await call(app, ask())).status == 401


async def test_a_key_opens_what_its_scopes_say(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "practicum.serve")
    key, bots = make(file, "b", Scope.BOTS)
    _, clients = make(file, "c", Scope.CLIENTS, Scope.METRICS)
    app = app_of(Scripted(lack="away"), Scripted(name="client/a", counselor=False), keys=KeyRing(file))

    async def status(secret: str, model: str) -> int:
        return (await call(app, ask(model=model), headers=bearer(secret))).status

    assert [await status(bots, model) for model in ("bot/warm", "client/a", "bot/none")] == [200, 403, 404]
    assert [await status(clients, model) for model in ("bot/warm", "client/a")] == [403, 200]
    listed = (await get(app, "/v1/models", headers=bearer(clients))).json
    assert [card["id"] for card in listed["data"]] == ["client/a"]
    assert (await get(app, "/v1/models/bot/warm", headers=bearer(clients))).status == 403
    assert (await get(app, "/metrics", headers=bearer(clients))).status == 200
    refused = await get(app, "/metrics", headers=bearer(bots))
    assert (refused.status, refused.error["type"], refused.error["code"]) == (403, "permission_error", "insufficient_scope")
    assert (await get(app, "/readyz", headers=bearer(bots))).json["missing"] == {"bot/warm": "away"}
    assert (await get(app, "/readyz", headers=bearer("pk-guess"))).status == 401
    assert f"key={key.id} model=bot/warm status=200" in caplog.text
    assert bots not in caplog.text


async def test_a_key_that_has_asked_too_often_is_told_when_to_come_back(file: Path) -> None:
    _, secret = make(file, per_minute=1)
    app = app_of(Scripted(), keys=KeyRing(file))
    statuses = [await call(app, ask(), headers=bearer(secret)) for _ in range(2)]
    assert [answer.status for answer in statuses] == [200, 429]
    assert statuses[1].error["code"] == "rate_limit_exceeded"
    assert int(statuses[1].headers["retry-after"]) >= 1


async def test_a_ring_without_any_key_leaves_this_machine_alone(file: Path) -> None:
    write_keys(file, [])
    app = app_of(Scripted(), keys=KeyRing(file))
    assert (await call(app, ask())).status == 200
    assert (await get(app, "/v1/models", headers={"host": "evil.example"})).status == 403


def test_a_key_is_frozen(file: Path) -> None:
    key: Any = make(file)[0]
    with pytest.raises(ValueError, match="frozen"):
        key.revoked = 1.0
