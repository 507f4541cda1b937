"""The embedded model piece by piece, without a thread, and with adapters: by the smallest real one."""

from __future__ import annotations

import asyncio
import string
import threading
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from practicum.backends import Chunk, Constraint, Reply, Request
from practicum.backends.local import LocalBackend
from practicum.core import Form, Message, Sampling
from practicum.errors import BackendError, ConfigError, EndpointError, ModelFileError

ASKED = Request(
    thread="",
    form=Form.CHAT,
    messages=[Message("system", "You are kind."), Message("user", "Hello")],
    sampling=Sampling(temperature=0, max_tokens=12),
    seed=7,
)
ENDLESS = replace(ASKED, sampling=Sampling(max_tokens=8000), constraint=Constraint(regex="", grammar="root ::= [a-z ] root"))
"""No end of it is allowed: it ends with the context, or when it is stopped."""


@pytest.fixture(scope="module")
def model(smollm2: Path) -> Iterator[LocalBackend]:
    backend = LocalBackend(smollm2, name="smollm2", slots=2, context=1024)
    yield backend
    asyncio.run(backend.aclose())


async def take(chunks: AsyncGenerator[Chunk, None]) -> tuple[list[str], Reply]:
    got = [chunk async for chunk in chunks]
    assert [chunk.reply is None for chunk in got] == [True] * (len(got) - 1) + [False]
    reply = got[-1].reply
    assert reply is not None
    return [chunk.text for chunk in got], reply


@pytest.mark.parametrize("thread", ["", "s"])
@pytest.mark.parametrize("form", list(Form))
async def test_a_stream_says_what_a_reply_says(model: LocalBackend, form: Form, thread: str) -> None:
    asked = replace(ASKED, form=form, template="chatml", thread=thread)
    whole = await model.reply(asked)
    texts, reply = await take(model.stream(asked))
    assert len(texts) > 3
    assert "".join(texts) == reply.text == whole.text
    assert (reply.call.model, reply.call.finish, reply.call.completion_tokens, reply.call.attempts) == ("smollm2", "length", 12, 1)
    assert reply.call.prompt_tokens == whole.call.prompt_tokens
    assert reply.call.seconds > 0
    model.release(thread)
    assert model.under_way == 0


async def test_the_first_words_come_before_the_last_are_thought_of(model: LocalBackend) -> None:
    async with aclosing(model.stream(ENDLESS)) as chunks:
        async with asyncio.timeout(30):  # 8,000 tokens take longer
            assert (await anext(chunks)).text
    assert model.under_way == 0
    async with asyncio.timeout(30):  # and the model has stopped: both threads are free
        await asyncio.gather(model.reply(ASKED), model.reply(replace(ASKED, seed=8)))


async def test_a_cancelled_stream_stops_the_model(smollm2: Path) -> None:
    backend = LocalBackend(smollm2, name="cut", slots=1, threads=1)
    begun = asyncio.Event()

    async def listen() -> None:
        async for _ in backend.stream(ENDLESS):
            begun.set()

    task = asyncio.create_task(listen())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(30):
        await backend.aclose()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("practicum-cut")]


async def test_an_empty_stream_is_begun_again_with_the_next_seed(model: LocalBackend) -> None:
    asked = replace(ASKED, messages=[Message("user", "Tell me of the sea.")], sampling=Sampling(max_tokens=8))
    first = await model.reply(asked)
    texts, reply = await take(model.stream(replace(asked, stop=[first.text])))
    assert texts[0]
    assert (reply.call.attempts, reply.call.seed) == (2, ASKED.seed + 1)


async def test_a_stream_that_stays_empty_fails(model: LocalBackend) -> None:
    silent = replace(ASKED, stop=[*string.ascii_letters, *string.digits, *string.punctuation])
    with pytest.raises(BackendError, match="4 empty replies, with seeds from 7") as caught:
        await take(model.stream(silent))
    assert caught.value.kind == "empty"


@pytest.mark.parametrize(
    ("text", "kind", "message"), [("word " * 3000, "context", "outgrown the context"), ("half a character: \ud83d", "model", "refused")]
)
async def test_a_stream_that_cannot_begin_says_why(model: LocalBackend, text: str, kind: str, message: str) -> None:
    with pytest.raises(BackendError, match=message) as caught:
        await take(model.stream(replace(ASKED, messages=[Message("user", text)])))
    assert caught.value.kind == kind
    assert model.under_way == 0


async def test_thoughts_are_not_streamed(model: LocalBackend) -> None:
    constraint = Constraint(regex="", grammar='root ::= "<think>hm</think>\\nmedlar"')
    asked = replace(ASKED, constraint=constraint, steady=True, sampling=Sampling(max_tokens=40))
    for form in Form:
        texts, reply = await take(model.stream(replace(asked, form=form, template="chatml")))
        assert ("".join(texts), reply.text, reply.call.reasoning) == ("medlar", "medlar", "hm")


class Ending:
    """A llama.cpp that says some events and then does as it is told."""

    def __init__(self, *events: Any) -> None:
        self.events = events

    def handle_chat_completions(self, _: Any, take: Any) -> None:
        for event in self.events:
            if isinstance(event, Exception):
                raise event
            take(event)

    handle_completions = handle_chat_completions


@pytest.mark.parametrize("end", [RuntimeError("out of memory"), {"error": {"message": "out of memory"}}], ids=repr)
async def test_what_breaks_after_the_first_word_is_broken(smollm2: Path, end: object) -> None:
    backend = LocalBackend(smollm2, name="torn", slots=1)
    backend._server = Ending({"choices": [{"delta": {"content": "I am"}, "finish_reason": None}]}, end)
    chunks = backend.stream(ASKED)
    assert (await anext(chunks)).text == "I am"
    with pytest.raises(BackendError, match="out of memory, after 4 characters") as caught:
        await anext(chunks)
    assert caught.value.kind == "broken"
    await backend.aclose()


# ── without a thread ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_questions_without_a_thread_take_no_slot_and_share_what_they_have_in_common(model: LocalBackend) -> None:
    story = " ".join(f"Night {number} was long." for number in range(40))
    asked = replace(ASKED, messages=[Message("system", "You are kind."), Message("user", story)], sampling=Sampling(max_tokens=4))
    await model.reply(asked)
    told = [*asked.messages, Message("assistant", "I hear you."), Message("user", "Thanks.")]
    again = (await model.reply(replace(asked, messages=told))).call
    assert again.cached_tokens > 0.8 * (again.prompt_tokens - 30)
    assert not model._table._taken


async def test_more_questions_than_slots_wait_and_one_that_leaves_costs_nothing(model: LocalBackend) -> None:
    held = [asyncio.create_task(take(model.stream(replace(ENDLESS, seed=seed)))) for seed in range(2)]
    waiting = [asyncio.create_task(model.reply(replace(ASKED, seed=seed))) for seed in range(3)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert model.under_way == 5
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    assert model.under_way == 4
    for task in held:
        task.cancel()
    await asyncio.wait(held)
    assert all(reply.text for reply in await asyncio.gather(*waiting[1:]))


async def test_questions_that_wait_are_refused_when_the_run_stops(smollm2: Path) -> None:
    backend = LocalBackend(smollm2, name="one", slots=1, context=256, threads=1)
    first = backend.stream(replace(ASKED, sampling=Sampling(max_tokens=60)))
    assert (await anext(first)).text
    waiting = asyncio.create_task(backend.reply(ASKED))
    streamed = asyncio.create_task(take(backend.stream(ASKED)))
    for _ in range(20):
        await asyncio.sleep(0)
    backend.drain()
    assert [chunk async for chunk in first][-1].reply is not None
    for one in (waiting, streamed):
        with pytest.raises(EndpointError, match="stopping"):
            await one
    await backend.aclose()


@pytest.mark.parametrize("form", list(Form))
async def test_an_empty_system_message_is_not_sent(model: LocalBackend, form: Form) -> None:
    asked = replace(ASKED, form=form, template="chatml", messages=[Message("system", ""), Message("user", "你好")])
    by_hand = replace(asked, form=Form.TRANSCRIPT, template="plain", cue="<|im_start|>assistant\n")
    by_hand = replace(by_hand, messages=[Message("system", ""), Message("user", "<|im_start|>user\n你好<|im_end|>")])
    first, second = (await model.reply(asked)).call, (await model.reply(by_hand)).call
    if form is Form.CHAT:  # its own template speaks for a system that says nothing
        assert first.prompt_tokens > second.prompt_tokens
    else:
        assert first.prompt_tokens == second.prompt_tokens == second.cached_tokens + 1


async def test_what_is_left_to_the_model_is_llama_cpps_own(model: LocalBackend) -> None:
    reply = await model.reply(replace(ASKED, sampling=Sampling(temperature=None, top_p=None, max_tokens=5)))
    assert reply.call.completion_tokens == 5


# ── adapters ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def write_adapter(path: Path, seed: int) -> Path:
    """Write a small random adapter for every block's queries."""
    gguf = pytest.importorskip("gguf")
    numpy = pytest.importorskip("numpy")
    rank, width = 4, 576
    draw = numpy.random.default_rng(seed)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(rank))
    for block in range(30):
        name = f"blk.{block}.attn_q.weight.lora"
        writer.add_tensor(f"{name}_a", draw.normal(size=(rank, width)).astype(numpy.float32))
        writer.add_tensor(f"{name}_b", (0.05 * draw.normal(size=(width, rank))).astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    folder = tmp_path_factory.mktemp("lora")
    return [write_adapter(folder / f"{seed}.gguf", seed) for seed in range(2)]


@pytest.fixture(scope="module")
def tuned(smollm2: Path, adapters: Sequence[Path]) -> Iterator[LocalBackend]:
    backend = LocalBackend(smollm2, name="tuned", slots=2, context=512, adapters=adapters)
    yield backend
    asyncio.run(backend.aclose())


MOON = replace(ASKED, messages=[Message("user", "Tell me of the moon.")], sampling=Sampling(temperature=0, max_tokens=10))


@pytest.mark.parametrize("thread", ["", "moon"])
async def test_base_and_adapters_answer_from_one_process_and_none_colours_another(
    model: LocalBackend, tuned: LocalBackend, adapters: Sequence[Path], thread: str
) -> None:
    base = (await model.reply(MOON)).text
    asked = [replace(MOON, thread=thread, lora=lora) for lora in ("", *map(str, adapters))]
    first = [(await tuned.reply(one)).text for one in asked]
    assert first[0] == base
    assert len(set(first)) == 3
    for order in ((0, 2), (1, 0)):
        assert [(await tuned.reply(asked[number])).text for number in order] == [first[number] for number in order]
    _, streamed = await take(tuned.stream(asked[2]))
    assert streamed.text == first[2]
    tuned.release(thread)


async def test_base_and_adapters_answer_at_once(tuned: LocalBackend, adapters: Sequence[Path]) -> None:
    asked = [replace(MOON, lora=lora) for lora in ("", *map(str, adapters))]
    alone = [(await tuned.reply(one)).text for one in asked]
    together = await asyncio.gather(*(tuned.reply(one) for one in asked * 2))
    assert [reply.text for reply in together] == alone * 2


async def test_an_adapter_that_was_not_loaded_fails_one_call(model: LocalBackend, tuned: LocalBackend, adapters: Sequence[Path]) -> None:
    for backend, known in ((model, "known: none"), (tuned, f"known: {adapters[0]}, {adapters[1]}")):
        with pytest.raises(BackendError, match=r"no adapter 'other\.gguf' was loaded") as caught:
            await backend.reply(replace(MOON, lora="other.gguf"))
        assert caught.value.kind == "model"
        assert str(caught.value).endswith(known)


def test_an_adapter_that_is_no_gguf_file_is_refused(smollm2: Path, tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"no")
    with pytest.raises(ConfigError, match=r"a\.gguf"):
        LocalBackend(smollm2, name="x", adapters=[tmp_path / "a.gguf"])


async def test_an_adapter_that_does_not_fit_is_named(smollm2: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = write_adapter(tmp_path / "cut.gguf", 3).read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[: len(whole) // 2])
    backend = LocalBackend(smollm2, name="x", slots=1, context=256, adapters=[tmp_path / "cut.gguf"])
    with pytest.raises(ModelFileError, match=r"with .*cut\.gguf: llama\.cpp cannot load it"):
        await backend.start()
    await backend.aclose()
    assert capfd.readouterr() == ("", "")
