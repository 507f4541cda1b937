"""A model run by transformers inside this process: batched, streaming, with what it has computed kept by conversation."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass

from practicum.backends.base import Chunk, Notify, Reply, Request
from practicum.backends.hf_batch import Decoder
from practicum.backends.hf_cache import PromptCache
from practicum.backends.hf_load import DTYPES, Weights, check_libraries, check_source, load
from practicum.backends.hf_own import answer_by_own
from practicum.backends.hf_row import Row
from practicum.core import Call
from practicum.errors import BackendError, ConfigError, EndpointError

TRIES = 3
"""How often an empty reply is asked for again, each time with the next seed."""


@dataclass(frozen=True, slots=True)
class _Model:
    weights: Weights
    decoder: Decoder


class _Waiter:
    """One who waits for a row, on the event loop's side."""

    __slots__ = ("pieces", "row")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.pieces: asyncio.Queue[str | None] = asyncio.Queue()
        """What can be said, as it comes (streaming only); None: the row is over."""


class HfBackend:
    """A model of transformers in this process. It is loaded at the first reply, or by `start`.

    One thread owns it. Requests that wait join the running batch between two of its steps, and leave it when they end or when
    nobody waits for them any more. A reply depends on its own request and seed only, up to the rounding of another batch shape.
    """

    def __init__(
        self,
        source: str,
        *,
        name: str,
        dtype: str = "auto",
        device: str = "auto",
        trust_remote_code: bool = False,
        batch: int = 16,
        caches: int = 64,
        notify: Notify = lambda _: None,
    ) -> None:
        """Look for the libraries and the source; nothing is loaded yet.

        Args:
            source: A folder, a `.gguf` file, or a hub id (fetched by transformers itself, through whatever mirror is configured).
            name: What calls record as their model.
            dtype: float32, bfloat16, float16; auto: what the weights are stored in on a GPU, float32 on a CPU.
            device: cpu, cuda, cuda:1, mps …; auto: the first GPU if there is one.
            trust_remote_code: Run Python code that comes with the model.
            batch: Requests that are run together at most, ≥ 1.
            caches: Conversations whose computed prompts are kept, ≥ 0.
            notify: Told what is being loaded, and where and how it was.

        Raises:
            ConfigError: A library or the source is missing, or a value is none that is expected.
        """
        if dtype not in DTYPES:
            raise ConfigError(f"{name}: dtype {dtype!r}: expected one of {', '.join(DTYPES)}")
        if batch < 1 or caches < 0:
            raise ConfigError(f"{name}: batch {batch}, caches {caches}: expected a batch of 1 or more, and 0 or more caches")
        check_libraries()
        check_source(source)
        self.name = name
        self.under_way = 0
        self._source, self._dtype, self._device, self._trust = source, dtype, device, trust_remote_code
        self._batch = batch
        self._notify = notify
        self._cache = PromptCache(caches)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"practicum-{name}")
        self._starting = asyncio.Lock()
        self._model: _Model | None = None
        self._waiting: deque[_Waiter] = deque()
        self._running: list[_Waiter] = []
        self._pump: asyncio.Task[None] | None = None
        self._draining = False

    @property
    def capacity(self) -> int:
        """As many as are run together."""
        return self._batch

    async def start(self) -> None:
        """Load the model unless it is loaded.

        Raises:
            ConfigError: No such device, or the model needs code of its own that may not be run.
            ModelFileError: The weights cannot be had or loaded.
        """
        await self._loaded()

    async def _loaded(self) -> _Model:
        async with self._starting:
            if self._model is None:
                self._model = await asyncio.get_running_loop().run_in_executor(self._pool, self._load)
            return self._model

    def _load(self) -> _Model:
        self._notify(f"loading {self.name} by transformers; weights that are not on this machine are fetched first")
        weights = load(self._source, name=self.name, dtype=self._dtype, device=self._device, trust_remote_code=self._trust)
        threads = f" ({weights.threads} thread{'s' if weights.threads > 1 else ''})" if weights.threads else ""
        self._notify(
            f"{self.name}: {weights.parameters / 1e6:,.1f} M parameters in {weights.dtype} on {weights.device}{threads}, "
            f"up to {self._batch} request{'s' if self._batch > 1 else ''} together"
        )
        return _Model(weights, Decoder(weights, self._cache, self._batch))

    async def reply(self, request: Request) -> Reply:
        """Return one non-empty reply. See `ChatBackend.reply`."""
        async with aclosing(self._answer(request, streaming=False)) as chunks:
            async for chunk in chunks:
                if chunk.reply is not None:
                    return chunk.reply
        raise self._empty(request)

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """Yield one non-empty reply as it comes. See `ChatBackend.stream`."""
        async with aclosing(self._answer(request, streaming=True)) as chunks:
            async for chunk in chunks:
                yield chunk
                if chunk.reply is not None:
                    return
        raise self._empty(request)

    async def _answer(self, request: Request, *, streaming: bool) -> AsyncGenerator[Chunk, None]:
        """Yield pieces and the whole reply; nothing at all where every attempt was empty."""
        self.under_way += 1
        started = time.monotonic()
        tried: list[Row] = []
        try:
            model = await self._loaded()
            for attempt in range(1 + TRIES):
                row = Row(request, (request.seed + attempt) % 2**31, streaming)
                tried.append(row)
                waiter = self._submit(model, row)
                said = False
                try:
                    while (piece := await waiter.pieces.get()) is not None:
                        yield Chunk(piece)
                        said = True
                finally:
                    row.gone = True
                if said and isinstance(row.error, BackendError):
                    raise BackendError(f"{row.error}", kind="broken") from row.error
                if row.error is not None:
                    raise row.error
                if row.text:
                    yield Chunk("", self._book(tried, time.monotonic() - started))
                    return
        finally:
            self.under_way -= 1

    def _empty(self, request: Request) -> BackendError:
        return BackendError(f"{self.name}: {1 + TRIES} empty replies, with seeds from {request.seed}", kind="empty")

    def _book(self, tried: list[Row], seconds: float) -> Reply:
        row = tried[-1]
        call = Call(
            model=self.name,
            finish=row.finish or "",
            prompt_tokens=sum(one.prompt_tokens for one in tried),
            completion_tokens=sum(one.completion_tokens for one in tried),
            cached_tokens=sum(one.cached_tokens for one in tried),
            seconds=seconds,
            attempts=len(tried),
            seed=row.seed,
            reasoning=row.reasoning,
        )
        return Reply(text=row.text, call=call, chances=tuple(row.chances))

    def _stopping(self) -> EndpointError:
        return EndpointError(f"{self.name}: stopping, no call may wait any more; the session is resumable")

    def _submit(self, model: _Model, row: Row) -> _Waiter:
        if self._draining:
            raise self._stopping()
        waiter = _Waiter(row)
        self._waiting.append(waiter)
        if self._pump is None or self._pump.done():
            self._pump = asyncio.get_running_loop().create_task(self._work(model))
            self._pump.add_done_callback(self._end)
        return waiter

    async def _work(self, model: _Model) -> None:
        """Let the model's thread compute, step by step, while anybody waits."""
        loop = asyncio.get_running_loop()
        while self._waiting or self._running:
            self._waiting = deque(waiter for waiter in self._waiting if not waiter.row.gone)
            if self._waiting and self._waiting[0].row.request.own is not None and not self._running:
                waiter = self._waiting.popleft()
                self._running = [waiter]

                def tell(piece: str, waiter: _Waiter = waiter) -> None:
                    loop.call_soon_threadsafe(waiter.pieces.put_nowait, piece)

                await loop.run_in_executor(self._pool, answer_by_own, waiter.row, model.weights, tell)
            else:
                joining = self._next(model.decoder.room)
                self._running += joining
                await loop.run_in_executor(self._pool, model.decoder.step, [waiter.row for waiter in joining])
            self._deliver()

    def _next(self, room: int) -> list[_Waiter]:
        """Take those who wait, in order, up to the first that is asked another way."""
        found: list[_Waiter] = []
        while self._waiting and len(found) < room and self._waiting[0].row.request.own is None:
            found.append(self._waiting.popleft())
        return found

    def _deliver(self) -> None:
        for waiter in self._running:
            row = waiter.row
            if row.piece and row.streaming and row.error is None:
                waiter.pieces.put_nowait(row.piece)
                row.piece = ""
            if row.over:
                waiter.pieces.put_nowait(None)
        self._running = [waiter for waiter in self._running if not waiter.row.over]

    def _end(self, pump: asyncio.Task[None]) -> None:
        """Tell those who wait, should the work have broken off: by a bug, or with its event loop."""
        broken = asyncio.CancelledError() if pump.cancelled() else pump.exception()
        if broken is None:
            return
        for waiter in (*self._running, *self._waiting):
            waiter.row.gone = True
            waiter.row.error = broken
            waiter.pieces.put_nowait(None)
        self._running = []
        self._waiting.clear()

    def release(self, thread: str) -> None:
        """Forget what was computed of a thread."""
        self._cache.release(thread)

    def drain(self) -> None:
        """Let calls that the model has begun end; those that wait are refused."""
        self._draining = True
        while self._waiting:
            waiter = self._waiting.popleft()
            waiter.row.error = self._stopping()
            waiter.pieces.put_nowait(None)

    async def aclose(self) -> None:
        """Free the model's memory. The last step of cancelled calls is waited for."""
        if self._pump is not None and not self._pump.done():
            await asyncio.wait({self._pump})
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
        self._model = None
        self._cache.clear()
