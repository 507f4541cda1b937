"""A model server on loopback that answers two calls in three with damaged bytes."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from random import Random
from types import TracebackType
from typing import Any, Self

from benchmarks.mutate import damage, mutate_bytes

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def words(draw: Random) -> str:
    """Return a sound reply that nobody has given before."""
    return f"我最近总是睡不好，第{draw.getrandbits(40)}个晚上了。"


def good_answer(text: object, *, raw: bool) -> dict[str, Any]:
    """Return a sound answer that says `text`."""
    said = {"text": text} if raw else {"message": {"role": "assistant", "content": text, "reasoning_content": None}}
    usage = {"prompt_tokens": 90, "completion_tokens": 20, "total_tokens": 110, "prompt_tokens_details": {"cached_tokens": 64}}
    return {"id": "cmpl-1", "object": "x", "model": "fake", "choices": [{"index": 0, **said, "finish_reason": "stop"}], "usage": usage}


class HostileServer:
    """Serves from a thread of its own until the context ends. What it answers depends on the number of the call."""

    def __init__(self) -> None:
        self.calls = 0
        self.damaged = 0
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._server.close()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                await reader.readexactly(int(length[1]) if length else 0)
                writer.write(self._answer(head))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, head: bytes) -> bytes:
        if not head.startswith(b"POST"):
            return _http(b"200 OK", b'{"data":[]}')
        self.calls += 1
        draw = Random(self.calls)
        sound = good_answer(words(draw), raw=b"/chat/" not in head)
        if draw.random() < 1 / 3:
            return _http(b"200 OK", json.dumps(sound).encode())
        self.damaged += 1
        if draw.random() < 0.7:
            return _http(draw.choice((b"200 OK", b"200 OK", b"200 OK", b"500 No", b"429 Slow", b"204 No")), damage(sound, draw))
        return mutate_bytes(_http(b"200 OK", json.dumps(sound).encode()), draw)


def _http(status: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)
