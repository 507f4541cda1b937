"""Fetching a model's file over HTTP from a hub: resumable, patient with stalls, quick to give up on an absent host."""

from __future__ import annotations

import http.client
import os
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from practicum.backends.catalog import CatalogModel
from practicum.backends.partfile import CHUNK, PartFile
from practicum.errors import ModelFileError

TRIES = 3
"""How often a source that has delivered is asked in vain before it is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait, in seconds."""

    connect: float = 5.0
    """For a connection in all: name, address, TLS."""
    stall: float = 60.0
    """For the next byte."""


def hub_url(model: CatalogModel) -> str | None:
    """Return the file's address on Hugging Face, or on the mirror that $HF_ENDPOINT names."""
    base = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    return f"{base.rstrip('/')}/{model.hub}/resolve/main/{model.file}" if model.hub else None


def modelscope_url(model: CatalogModel) -> str | None:
    """Return the file's address on ModelScope, or on the mirror that $MODELSCOPE_ENDPOINT names."""
    base = os.environ.get("MODELSCOPE_ENDPOINT") or "https://modelscope.cn"
    return f"{base.rstrip('/')}/models/{model.modelscope}/resolve/master/{model.file}" if model.modelscope else None


def fetch_url(url: str, part: PartFile, progress: Callable[[], None], patience: Patience) -> None:
    """Fetch what is missing of the part file.

    A source that delivers nothing is left at once; one that stalls or is cut is asked again for the rest.

    Raises:
        ModelFileError: The source does not have the file, cannot be reached, or does not deliver.
    """
    if not url.startswith(("http://", "https://")):
        raise ModelFileError(f"{url}: expected an http:// or https:// address; check HF_ENDPOINT and MODELSCOPE_ENDPOINT")
    opener = _opener(patience)
    start, tries = part.size, 0
    while part.missing:
        before = part.size
        try:
            _fetch_once(opener, url, part, progress, patience)
            problem = "the connection ended early"
        except urllib.error.HTTPError as error:
            problem = f"answered {error.code} {error.reason}"
            error.close()
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and part.size:
                part.restart()
                continue
            if error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR:
                raise ModelFileError(f"{url}: {problem}") from error
        except urllib.error.URLError as error:
            raise ModelFileError(f"{url}: cannot be reached: {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            problem = f"stopped sending: {error or type(error).__name__}"
        tries = 0 if part.size > before else tries + 1
        if part.missing and (tries >= TRIES or part.size == start):
            raise ModelFileError(f"{url}: {problem}")


def _fetch_once(opener: urllib.request.OpenerDirector, url: str, part: PartFile, progress: Callable[[], None], patience: Patience) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "practicum"})  # noqa: S310 -- http(s) only, see fetch_url
    if part.size:
        request.add_header("Range", f"bytes={part.size}-")
    with opener.open(request, timeout=patience.connect) as response:
        # A server that does not know ranges sends everything again.
        if part.size and (response.status != http.HTTPStatus.PARTIAL_CONTENT or _range_start(response) != part.size):
            part.restart()
            if response.status == http.HTTPStatus.PARTIAL_CONTENT:
                return
        length = response.headers.get("Content-Length")
        if length is not None and length != str(part.missing):
            # A sign-in page, or another file under this name: not one byte of it is kept.
            raise ModelFileError(f"{url}: expected {part.missing:,} bytes, the server has {length}")
        while block := response.read1(CHUNK):
            part.append(block)
            progress()


def _range_start(response: http.client.HTTPResponse) -> int | None:
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _opener(patience: Patience) -> urllib.request.OpenerDirector:
    """Return urllib's own opener (proxies, certificates, redirects) with connections of bounded patience."""

    class _Plain(http.client.HTTPConnection):
        def connect(self) -> None:
            _within(patience.connect, super().connect)
            self.sock.settimeout(patience.stall)

    class _Secure(http.client.HTTPSConnection):
        def connect(self) -> None:
            _within(patience.connect, super().connect)
            self.sock.settimeout(patience.stall)

    class _PlainHandler(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(_Plain, req)

    class _SecureHandler(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(_Secure, req)

    return urllib.request.build_opener(_PlainHandler, _SecureHandler)


def _within(seconds: float, connect: Callable[[], None]) -> None:
    """Run `connect`, or give up on it.

    A socket's own timeout counts per address and leaves the name service out; a dead one of either may cost minutes.
    """
    done: Future[None] = Future()

    def run() -> None:
        try:
            connect()
        except OSError as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    threading.Thread(target=run, name="practicum-connect", daemon=True).start()
    try:
        done.result(timeout=seconds)
    except TimeoutError as error:
        raise TimeoutError(f"no connection within {seconds:g} s") from error
