"""A model file served by llama.cpp inside this process."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from practicum.backends.base import KEPT_CHANCES, Chunk, Notify, Reply, Request, TokenChances
from practicum.backends.body import NO_SYSTEM
from practicum.backends.cores import free_cores
from practicum.backends.dialect import read_chances, sampling_members
from practicum.backends.gguf import read_gguf
from practicum.backends.reasoning import Listener, split_reasoning
from practicum.backends.slots import SlotTable
from practicum.backends.templates import TEMPLATES, template_for
from practicum.core import Call, Form
from practicum.errors import BackendError, ConfigError, EndpointError, ModelFileError

SLOTS = 4
"""Two sessions at once; on a CPU more gain nothing."""
MOST_SLOTS = 256
"""llama.cpp's own limit."""
CONTEXT = 8192
"""Tokens per slot: 50 exchanges and a long prompt."""
TRIES = 3
"""How often an empty reply is asked for again, each time with the next seed."""
LOCAL_SAMPLERS: Mapping[Form, Mapping[str, Any]] = {
    # llama.cpp's own defaults, written down so that a release cannot change what determines a session. A small quantised
    # model at temperature 1 falls apart without them.
    Form.CHAT: {"top_k": 40, "min_p": 0.05},
    # And a penalty on what was just said, llama.cpp's usual 1.1: with it 4 of 55 replies of the 1.5B were refused, without it 16
    # of 67 (four sessions each, same seeds). Near-repeats remain. Under DRY broken words turned up; the cause was not isolated.
    Form.TRANSCRIPT: {"top_k": 40, "min_p": 0.05, "repeat_penalty": 1.1, "repeat_last_n": 256},
}
"""How a local model's next token is drawn, besides the participant's own sampling; part of a run's identity."""

_BATCH = 128

_Event = dict[str, Any]


class _Server(Protocol):
    """What is used of `xllamacpp.Server`. Both block until the last event, or until `take` returns True."""

    def handle_completions(self, body: Mapping[str, Any], take: Callable[[_Event], bool]) -> None: ...

    def handle_chat_completions(self, body: Mapping[str, Any], take: Callable[[_Event], bool]) -> None: ...


_REFUSED = (TypeError, ValueError, RuntimeError)
"""What llama.cpp raises of a request that it does not take; TypeError: text that is not valid Unicode."""


class _Asked:
    """A question under way in a thread: what has come of it, and the means to stop it."""

    def __init__(self, listening: asyncio.AbstractEventLoop | None = None) -> None:
        self.events: list[_Event] = []
        self.halt = threading.Event()
        self.fresh = asyncio.Event()
        """Where someone is listening: set when more has come."""
        self.thought = ""
        self._listening = listening

    def take(self, event: _Event) -> bool:
        """Keep what the model's thread says; return whether it shall stop."""
        self.events.append(event)
        if self._listening is not None:
            try:
                self._listening.call_soon_threadsafe(self.fresh.set)
            except RuntimeError:  # the loop has been closed
                return True
        return self.halt.is_set()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    text: str
    reasoning: str
    finish: str
    computed: int
    """Prompt tokens that went through the model."""
    cached: int
    """Prompt tokens whose state the slot still held."""
    generated: int
    chances: tuple[TokenChances, ...]


def local_samplers(form: Form, *, steady: bool) -> Mapping[str, Any]:
    """Return `LOCAL_SAMPLERS` of a form; steady: without a penalty on what was said before (see `Request.steady`)."""
    return {name: value for name, value in LOCAL_SAMPLERS[form].items() if not (steady and name.startswith("repeat"))}


class LocalBackend:
    """A model file served by llama.cpp in this process. The file is loaded at the first reply, or by `start`.

    A conversation's state lives in its slot only, so each thread is pinned to one until `release`; a thread that finds
    all taken waits. Admit at most `sessions_at_once` sessions, or two that hold one slot each may wait for each other.
    A question without a thread takes whatever slot shares most with it, and takes no thread's place for longer than it lasts.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        slots: int = SLOTS,
        context: int = CONTEXT,
        threads: int | None = None,
        adapters: Sequence[Path] = (),
        notify: Notify = lambda _: None,
    ) -> None:
        """Read the files' headers; nothing is loaded yet.

        Args:
            path: A GGUF file.
            name: What calls record as their model.
            slots: Conversations kept at once, 1 to 256; a session between two local voices needs two.
            context: Tokens per slot, prompt and reply together; no more than the model was trained for.
            threads: CPU threads; None: as many as there are free cores when the model is loaded.
            adapters: LoRA adapters in GGUF files, loaded with the model; a request names the one that it wants (`Request.lora`).
            notify: Told when the model is being loaded, and with how many threads.

        Raises:
            ConfigError: No such file, not a GGUF file, or a number out of range.
        """
        if not 1 <= slots <= MOST_SLOTS or context < 1 or (threads is not None and threads < 1):
            raise ConfigError(
                f"{name}: slots {slots}, context {context}, threads {threads}: expected 1 or more of each, and at most {MOST_SLOTS} slots"
            )
        header = read_gguf(path)
        self.name = name
        self.template = template_for(header.chat_template)
        """The raw-completion template that fits the model."""
        self.context = min(context, header.context_length or context)
        self.slots = slots
        for adapter in adapters:
            read_gguf(adapter)
        self._path = path
        self._adapters = tuple(adapters)
        self._threads = threads
        self._notify = notify
        self._table = SlotTable(slots)
        self._draining = False
        self.under_way = 0
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix=f"practicum-{name}")
        self._starting = asyncio.Lock()
        self._server: _Server | None = None

    @property
    def capacity(self) -> int:
        """One call a slot."""
        return self.slots

    @property
    def sessions_at_once(self) -> int:
        """Sessions that two voices of this model may hold at the same time."""
        return max(1, self.slots // 2)

    async def start(self) -> None:
        """Load the model unless it is loaded.

        Raises:
            ModelFileError: llama.cpp cannot load it.
        """
        await self._loaded()

    async def _loaded(self) -> _Server:
        async with self._starting:
            if self._server is None:
                self._server = await asyncio.get_running_loop().run_in_executor(self._pool, self._load)
            return self._server

    def _load(self) -> _Server:
        from xllamacpp import CommonAdapterLoraInfo, CommonParams, Server  # type: ignore[import-untyped]

        threads = self._threads or free_cores()
        self._notify(f"loading {self.name} ({self._path.stat().st_size / 1e6:,.0f} MB) on {threads} CPU thread{'s' if threads > 1 else ''}")
        params = CommonParams()
        params.model.path = str(self._path)
        params.n_parallel = self.slots
        params.n_ctx = self.context * self.slots
        # Each slot has its own cells: with a unified cache every reply would attend over all conversations' cells.
        params.kv_unified = False
        # A second copy of idle slots in memory serves conversations that change slots; ours never do.
        params.cache_ram_mib = 0
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        # A batch is what a cancelled reply waits for (3 s for a 1.5B on two cores); larger ones compute no faster there.
        params.n_batch = params.n_ubatch = _BATCH
        params.lora_adapters = [CommonAdapterLoraInfo(str(adapter), 0.0) for adapter in self._adapters]
        params.warmup = False
        params.verbosity = -1
        # xllamacpp also listens on a loopback port: nobody else on this machine gets an answer there.
        params.api_keys = [secrets.token_urlsafe()]
        params.ui = params.endpoint_slots = False
        try:
            server: _Server = Server(params)
        except (RuntimeError, ValueError, MemoryError) as error:
            raise ModelFileError(
                f"{self._path}{self._with_adapters()}: llama.cpp cannot load it ({error}); is the file whole, its architecture known, "
                f"and is there memory for {self.slots} × {self.context} tokens of context?"
            ) from error
        return server

    def _with_adapters(self) -> str:
        return f" with {', '.join(map(str, self._adapters))}" if self._adapters else ""

    async def reply(self, request: Request) -> Reply:
        """Return one non-empty reply. See `ChatBackend.reply`."""
        self.under_way += 1
        try:
            server, options = await self._seated(request)
            started = time.monotonic()
            for attempt in range(1 + TRIES):
                asked = _Asked()
                try:
                    await self._start(server, request, {**options, "seed": _seed(request, attempt)}, asked)
                except _REFUSED as error:
                    raise self._refused(error) from error
                finally:
                    asked.halt.set()  # cancelled: the model stops
                answer = self._read(asked.events)
                if answer.text:
                    return self._reply(request, answer, attempt, started)
            raise self._stayed_empty(request)
        finally:
            self.under_way -= 1

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """Yield one non-empty reply as it comes. See `ChatBackend.stream`."""
        self.under_way += 1
        try:
            server, options = await self._seated(request)
            started = time.monotonic()
            for attempt in range(1 + TRIES):
                asked = _Asked(asyncio.get_running_loop())
                text = ""
                try:
                    pieces = self._listen(server, request, {**options, "seed": _seed(request, attempt)}, asked)
                    async with aclosing(pieces):
                        async for piece in pieces:
                            text += piece
                            yield Chunk(piece)
                    answer = self._read(asked.events)
                except BackendError as problem:
                    if text:
                        raise BackendError(f"{problem}, after {len(text)} characters", kind="broken") from problem
                    raise
                if text:
                    answer = replace(answer, text=text, reasoning=answer.reasoning or asked.thought)
                    yield Chunk("", self._reply(request, answer, attempt, started))
                    return
            raise self._stayed_empty(request)
        finally:
            self.under_way -= 1

    async def _seated(self, request: Request) -> tuple[_Server, Mapping[str, Any]]:
        """Return the model, and what a request is sent with besides its own body and seed."""
        options = {**local_samplers(request.form, steady=request.steady), **self._lora(request.lora)}
        server = await self._loaded()
        if request.thread:
            options["id_slot"] = await self._table.take(request.thread)
        return server, options

    def _lora(self, wanted: str) -> Mapping[str, Any]:
        known = [str(adapter) for adapter in self._adapters]
        if wanted and wanted not in known:
            raise BackendError(
                f"{self.name}: no adapter {wanted!r} was loaded with the model; known: {', '.join(known) or 'none'}", kind="model"
            )
        # Said even where none is wanted: without the field, llama.cpp goes on from what it computed with another request's adapter.
        return {"lora": [{"id": number, "scale": float(one == wanted)} for number, one in enumerate(known)]} if known else {}

    def _start(self, server: _Server, request: Request, options: Mapping[str, Any], asked: _Asked) -> asyncio.Future[None]:
        """Ask in a thread, once one is free. Cancelled before that, nothing is asked."""
        handle = server.handle_chat_completions if request.form is Form.CHAT else server.handle_completions
        body = {**_body(request), **options}

        def run() -> None:
            if self._draining and not request.thread:
                raise EndpointError(f"{self.name}: stopping: no call may wait any more")
            handle(body, asked.take)

        return asyncio.get_running_loop().run_in_executor(self._pool, run)

    async def _listen(self, server: _Server, request: Request, options: Mapping[str, Any], asked: _Asked) -> AsyncGenerator[str, None]:
        running = self._start(server, request, options, asked)
        running.add_done_callback(lambda _: asked.fresh.set())
        listener, heard, over = Listener(), 0, False
        try:
            while not over:
                await asked.fresh.wait()
                asked.fresh.clear()
                over = running.done()
                events = asked.events[heard:]
                heard += len(events)
                if said := listener.hear("".join(map(_text_of, events))):
                    yield said
            try:
                running.result()
            except _REFUSED as error:
                raise self._refused(error) from error
            if said := listener.end():
                yield said
            asked.thought = listener.thought
        finally:
            asked.halt.set()  # closed or cancelled: the model stops
            if not running.cancel() and not running.cancelled():
                running.exception()  # looked at, so that nobody is told of one that was not

    def _refused(self, error: BaseException) -> BackendError:
        return BackendError(f"{self.name}: llama.cpp refused the request: {error}", kind="model")

    def _stayed_empty(self, request: Request) -> BackendError:
        return BackendError(f"{self.name}: {1 + TRIES} empty replies, with seeds from {request.seed}", kind="empty")

    def _reply(self, request: Request, answer: _Answer, attempt: int, started: float) -> Reply:
        call = Call(
            model=self.name,
            finish=answer.finish,
            prompt_tokens=answer.computed + answer.cached,
            completion_tokens=answer.generated,
            cached_tokens=answer.cached,
            seconds=time.monotonic() - started,
            attempts=1 + attempt,
            seed=_seed(request, attempt),
            reasoning=answer.reasoning,
        )
        return Reply(text=answer.text, call=call, chances=answer.chances)

    def _read(self, events: list[_Event]) -> _Answer:
        last = events[-1] if events else {}
        if error := last.get("error"):
            if error.get("type") == "exceed_context_size_error":
                raise BackendError(
                    f"{self.name}: the session has outgrown the context ({error['n_prompt_tokens']} tokens, {self.context} fit); "
                    "use fewer exchanges or a larger context",
                    kind="context",
                )
            raise BackendError(f"{self.name}: llama.cpp failed: {error.get('message')}", kind="model")
        if "timings" not in last:
            raise BackendError(f"{self.name}: llama.cpp ended without an answer", kind="malformed")
        choices = [event["choices"][0] for event in events]
        inline, said = split_reasoning("".join(map(_text_of, events)))
        timings = last["timings"]
        return _Answer(
            text=said,
            reasoning="".join(choice.get("delta", {}).get("reasoning_content") or "" for choice in choices) or inline,
            finish=choices[-1]["finish_reason"] or "",
            computed=timings["prompt_n"],
            cached=timings["cache_n"],
            generated=timings["predicted_n"],
            chances=tuple(one for choice in choices if choice.get("logprobs") for one in read_chances(choice["logprobs"]))[-KEPT_CHANCES:],
        )

    def release(self, thread: str) -> None:
        """Free the thread's slot."""
        self._table.release(thread)

    def drain(self) -> None:
        """Let calls under way end; those that wait for a slot or a free thread are refused."""
        self._draining = True
        self._table.drain()

    async def aclose(self) -> None:
        """Free the model's memory. Cancelled calls have been told to stop; the last of them is waited for."""
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
        self._server = None


def _body(request: Request) -> dict[str, Any]:
    """Return the request as llama-server takes it, without seed and slot."""
    body: dict[str, Any] = {
        "stream": True,  # so that a cancelled reply stops at its next token …
        "return_progress": True,  # … or at the next batch of its prompt
        "cache_prompt": True,
        **sampling_members(request.sampling),
    }
    if request.constraint is not None:
        body["grammar"] = request.constraint.grammar
    if request.logprobs:
        body |= {"logprobs": True, "top_logprobs": request.logprobs} if request.form is Form.CHAT else {"logprobs": request.logprobs}
    tail = [] if request.tail is None else [request.tail]
    messages = [*request.messages, *tail]
    if request.form is Form.CHAT:
        shown = messages[1:] if messages[:1] == [NO_SYSTEM] else messages
        return {**body, "messages": [message._asdict() for message in shown], "stop": list(request.stop)}
    template = TEMPLATES[request.template]
    system, *lines = (message.content for message in messages)
    return {**body, "prompt": template.fill(system, lines, request.cue), "stop": [*request.stop, *template.stop]}


def _text_of(event: _Event) -> str:
    choice = (event.get("choices") or [{}])[0]
    text: str = choice.get("text") or choice.get("delta", {}).get("content") or ""
    return text


def _seed(request: Request, attempt: int) -> int:
    return (request.seed + attempt) % 2**31
