"""A model file served by llama.cpp inside this process."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from practicum.backends.base import KEPT_CHANCES, Notify, Reply, Request, TokenChances
from practicum.backends.cores import free_cores
from practicum.backends.dialect import read_chances
from practicum.backends.gguf import read_gguf
from practicum.backends.reasoning import split_reasoning
from practicum.backends.slots import SlotTable
from practicum.backends.templates import TEMPLATES, template_for
from practicum.core import Call, Form
from practicum.errors import BackendError, ConfigError, ModelFileError

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

_Chunk = dict[str, Any]


class _Server(Protocol):
    """What is used of `xllamacpp.Server`. Both block until the last chunk, or until `take` returns True."""

    def handle_completions(self, body: Mapping[str, Any], take: Callable[[_Chunk], bool]) -> None: ...

    def handle_chat_completions(self, body: Mapping[str, Any], take: Callable[[_Chunk], bool]) -> None: ...


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
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        slots: int = SLOTS,
        context: int = CONTEXT,
        threads: int | None = None,
        notify: Notify = lambda _: None,
    ) -> None:
        """Read the file's header; nothing is loaded yet.

        Args:
            path: A GGUF file.
            name: What calls record as their model.
            slots: Conversations kept at once, 1 to 256; a session between two local voices needs two.
            context: Tokens per slot, prompt and reply together; no more than the model was trained for.
            threads: CPU threads; None: as many as there are free cores when the model is loaded.
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
        self._path = path
        self._threads = threads
        self._notify = notify
        self._table = SlotTable(slots)
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
        from xllamacpp import CommonParams, Server  # type: ignore[import-untyped]

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
        params.warmup = False
        params.verbosity = -1
        # xllamacpp also listens on a loopback port: nobody else on this machine gets an answer there.
        params.api_keys = [secrets.token_urlsafe()]
        params.ui = params.endpoint_slots = False
        try:
            server: _Server = Server(params)
        except (RuntimeError, ValueError, MemoryError) as error:
            raise ModelFileError(
                f"{self._path}: llama.cpp cannot load it ({error}); is the file whole, its architecture known, "
                f"and is there memory for {self.slots} × {self.context} tokens of context?"
            ) from error
        return server

    async def reply(self, request: Request) -> Reply:
        """Return one non-empty reply. See `ChatBackend.reply`."""
        self.under_way += 1
        try:
            server = await self._loaded()
            return await self._answered(server, await self._table.take(request.thread), request)
        finally:
            self.under_way -= 1

    async def _answered(self, server: _Server, slot: int, request: Request) -> Reply:
        started = time.monotonic()
        for attempt in range(1 + TRIES):
            seed = (request.seed + attempt) % 2**31
            answer = await self._ask(
                server, request, {**local_samplers(request.form, steady=request.steady), "id_slot": slot, "seed": seed}
            )
            if answer.text:
                call = Call(
                    model=self.name,
                    finish=answer.finish,
                    prompt_tokens=answer.computed + answer.cached,
                    completion_tokens=answer.generated,
                    cached_tokens=answer.cached,
                    seconds=time.monotonic() - started,
                    attempts=1 + attempt,
                    seed=seed,
                    reasoning=answer.reasoning,
                )
                return Reply(text=answer.text, call=call, chances=answer.chances)
        raise BackendError(f"{self.name}: {1 + TRIES} empty replies, with seeds from {request.seed}", kind="empty")

    async def _ask(self, server: _Server, request: Request, options: Mapping[str, Any]) -> _Answer:
        halt = threading.Event()
        chunks: list[_Chunk] = []

        def take(chunk: _Chunk) -> bool:
            chunks.append(chunk)
            return halt.is_set()

        chat = request.form is Form.CHAT
        handle = server.handle_chat_completions if chat else server.handle_completions
        body = {**_body(request), **options}
        try:
            await asyncio.get_running_loop().run_in_executor(self._pool, handle, body, take)
        except (TypeError, ValueError, RuntimeError) as error:  # TypeError: text that is not valid Unicode
            raise BackendError(f"{self.name}: llama.cpp refused the request: {error}", kind="model") from error
        finally:
            halt.set()  # cancelled: the model stops
        return self._read(chunks)

    def _read(self, chunks: list[_Chunk]) -> _Answer:
        last = chunks[-1] if chunks else {}
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
        choices = [chunk["choices"][0] for chunk in chunks]
        deltas = [choice.get("delta", {}) for choice in choices]
        inline, said = split_reasoning(
            "".join(choice.get("text") or delta.get("content") or "" for choice, delta in zip(choices, deltas, strict=True))
        )
        timings = last["timings"]
        return _Answer(
            text=said,
            reasoning="".join(delta.get("reasoning_content") or "" for delta in deltas) or inline,
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
        """Let calls under way end; those that wait for a slot are refused."""
        self._table.drain()

    async def aclose(self) -> None:
        """Free the model's memory. Cancelled calls have been told to stop; the last of them is waited for."""
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
        self._server = None


def _body(request: Request) -> dict[str, Any]:
    """Return the request as llama-server takes it, without seed and slot."""
    sampling = request.sampling
    body: dict[str, Any] = {
        "stream": True,  # so that a cancelled reply stops at its next token …
        "return_progress": True,  # … or at the next batch of its prompt
        "cache_prompt": True,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
    }
    if request.constraint is not None:
        body["grammar"] = request.constraint.grammar
    if request.logprobs:
        body |= {"logprobs": True, "top_logprobs": request.logprobs} if request.form is Form.CHAT else {"logprobs": request.logprobs}
    tail = [] if request.tail is None else [request.tail]
    messages = [*request.messages, *tail]
    if request.form is Form.CHAT:
        return {**body, "messages": [message._asdict() for message in messages], "stop": list(request.stop)}
    template = TEMPLATES[request.template]
    system, *lines = (message.content for message in messages)
    text = template.before + system + template.between + "\n".join(lines) + template.after + request.cue
    return {**body, "prompt": text, "stop": [*request.stop, *template.stop]}
