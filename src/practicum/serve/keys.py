"""API keys: who may ask whom, and how often. The file holds digests; a secret is shown once, when it is made."""

from __future__ import annotations

import logging
import math
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field, ValidationError

from practicum.engine import Section, Text
from practicum.errors import ConfigError
from practicum.serve.refusal import Refusal, too_many

LOGGER = logging.getLogger("practicum.serve")
PREFIX = "pk-"
LOOK_SECONDS = 1.0
"""How often the file is looked at: a key that is revoked is refused within this."""


class Scope(StrEnum):
    """What a key opens."""

    BOTS = "bots"
    CLIENTS = "clients"
    METRICS = "metrics"


class Key(Section):
    """A key as its file keeps it: without the secret."""

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
    """Named in the log; tells nothing about the secret."""
    name: Text
    """Whose it is."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of the secret. The secret is 256 random bits, so that a plain digest is as good as a slow one."""
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Questions a minute; as many may come at once. None: no limit."""
    created: Annotated[float, Field(ge=0, le=1e11)]
    """Seconds since 1970."""
    revoked: Annotated[float, Field(ge=0, le=1e11)] | None = None


class KeyFile(Section):
    """The file of keys."""

    keys: tuple[Key, ...] = ()


def read_keys(path: Path) -> tuple[Key, ...]:
    """Return the keys of a file, revoked ones included.

    Raises:
        ConfigError: The file is missing or is no file of keys.
    """
    try:
        return KeyFile.model_validate_json(path.read_bytes()).keys
    except OSError as problem:
        raise ConfigError(f"{path}: {problem.strerror}; `practicum keys new NAME` makes a file of keys") from None
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise ConfigError(f"{path}: {where}: {first['msg']}; expected a file that `practicum keys new` has made") from None


def write_keys(path: Path, keys: Sequence[Key]) -> None:
    """Put a file of keys in the place of the one before, at once and readable by its owner only.

    Raises:
        ConfigError: It cannot be written.
    """
    text = KeyFile(keys=tuple(keys)).model_dump_json(indent=1) + "\n"
    try:
        handle, fresh = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(fresh).replace(path)
        except OSError:
            Path(fresh).unlink(missing_ok=True)
            raise
    except OSError as problem:
        raise ConfigError(f"{path}: cannot be written: {problem.strerror}") from None


def new_key(
    path: Path, name: str, scopes: Sequence[Scope], *, per_minute: int | None = None, clock: Callable[[], float] = time.time
) -> tuple[Key, str]:
    """Make a key, keep it in a file (a new one, if need be), and return it with its secret, which is kept nowhere.

    Raises:
        ConfigError: The name is taken by a key in use, a value will not do, or the file cannot be read or written.
    """
    keys = read_keys(path) if path.exists() else ()
    if any(key.name == name and key.revoked is None for key in keys):
        raise ConfigError(f"{path}: a key named {name!r} is in use; `practicum keys revoke {name}` ends it, or take another name")
    secret = PREFIX + secrets.token_urlsafe(32)
    try:
        key = Key(
            id=secrets.token_hex(4), name=name, sha256=digest(secret), scopes=tuple(scopes), per_minute=per_minute, created=round(clock())
        )
    except ValidationError as problem:
        first = problem.errors()[0]
        raise ConfigError(f"{'.'.join(map(str, first['loc']))}: {first['input']!r} will not do: {first['msg']}") from None
    write_keys(path, [*keys, key])
    return key, secret


def revoke_key(path: Path, which: str, *, clock: Callable[[], float] = time.time) -> Key:
    """Revoke the key in use of an id or name, and return it. A running gateway refuses it within about a second.

    Raises:
        ConfigError: There is none, or the file cannot be read or written.
    """
    keys = read_keys(path)
    found = [key for key in keys if which in {key.id, key.name} and key.revoked is None]
    if not found:
        known = ", ".join(f"{key.id} ({key.name})" for key in keys if key.revoked is None) or "none"
        raise ConfigError(f"{path}: no key {which!r} in use; in use: {known}")
    if len(found) > 1:
        raise ConfigError(f"{path}: {which!r} names {len(found)} keys; give an id: {', '.join(key.id for key in found)}")
    gone = found[0].model_copy(update={"revoked": round(clock())})
    write_keys(path, [gone if key.id == gone.id else key for key in keys])
    return gone


def digest(secret: str) -> str:
    """Return what is kept of a secret."""
    return sha256(secret.encode()).hexdigest()


class _Stamp(NamedTuple):
    """What tells a file from the one before: a replaced one has another inode, one written in place another time or size."""

    inode: int
    changed: int
    size: int


class KeyRing:
    """The keys of a file, and how much each has been used. The file is read again when it has changed."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Read a file of keys.

        Args:
            path: Made by `practicum keys`.
            clock: Seconds, monotonic.

        Raises:
            ConfigError: The file is missing or is no file of keys.
        """
        self._path = path
        self._clock = clock
        self._looked = clock()
        self._stamp = self._look()
        self._buckets: dict[str, tuple[float, float]] = {}  # id: what is left, and when it was so
        self._keys: dict[str, Key] = {}
        self._guards = False
        self._take(read_keys(path))

    @property
    def usable(self) -> bool:
        """Whether any key opens a bot or client."""
        return any(key.revoked is None and {Scope.BOTS, Scope.CLIENTS} & {*key.scopes} for key in self._keys.values())

    @property
    def guards(self) -> bool:
        """Whether a key is asked for: there is or was one, even if all are revoked by now."""
        self._refresh()
        return self._guards

    def check(self, authorization: str | None) -> Key:
        """Return the key that a caller shows.

        Args:
            authorization: The header of that name.

        Raises:
            Refusal: 401.
        """
        self._refresh()
        scheme, _, secret = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise _unknown("no API key given; expected the header `Authorization: Bearer pk-…`")
        # Found by its digest: how long it takes tells nothing about how near a guess was.
        key = self._keys.get(digest(secret.strip()))
        if key is None:
            raise _unknown("this API key is not known")
        if key.revoked is not None:
            raise _unknown("this API key has been revoked")
        return key

    def spend(self, key: Key) -> None:
        """Count a question.

        Raises:
            Refusal: 429; too many in the last minute.
        """
        if key.per_minute is None:
            return
        now = self._clock()
        left, at = self._buckets.get(key.id, (float(key.per_minute), now))
        rate = key.per_minute / 60
        left = min(float(key.per_minute), left + (now - at) * rate)
        if left < 1:
            seconds = math.ceil((1 - left) / rate)
            self._buckets[key.id] = left, now
            raise too_many(
                f"this API key may ask {key.per_minute:,} questions a minute; ask again in {seconds} s",
                code="rate_limit_exceeded",
                seconds=seconds,
            )
        self._buckets[key.id] = left - 1, now

    def _refresh(self) -> None:
        now = self._clock()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._take(read_keys(self._path))
        except ConfigError as problem:
            self._keys = {}  # closed rather than open: a file that is gone or broken lets nobody in
            LOGGER.warning("keys: nobody is let in: %s", problem)

    def _look(self) -> _Stamp | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return _Stamp(found.st_ino, found.st_mtime_ns, found.st_size)

    def _take(self, keys: Sequence[Key]) -> None:
        self._keys = {key.sha256: key for key in keys}
        self._guards = self._guards or bool(keys)


def require(key: Key, scope: Scope) -> None:
    """Refuse a key that does not open this.

    Raises:
        Refusal: 403.
    """
    if scope not in key.scopes:
        raise Refusal(403, f"this API key does not open {scope}; it opens {', '.join(key.scopes)}", code="insufficient_scope")


def _unknown(message: str) -> Refusal:
    return Refusal(401, message, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})
