"""`hf:` on a tiny random model: what it says is gibberish; how it is batched, cached, cut, streamed and booked is not."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.tiny_hf import TEMPLATE, make_tiny
from practicum.backends.base import Chunk, Reply, Request
from practicum.backends.hf import HfBackend
from practicum.core import Form, Message, Sampling
from practicum.errors import BackendError, ConfigError, EndpointError, ModelFileError

pytest.importorskip("torch")
pytest.importorskip("transformers")

SYSTEM = Message("system", "你是一位心理咨询师。You are a counselor.")
ZH = "我最近总是睡不着，一躺下就想工作上的事。"
EN = "I cannot sleep, I keep thinking about work."


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("hf") / "tiny")


@pytest.fixture(scope="module")
def loaded(tiny: Path) -> Iterator[HfBackend]:
    backend = HfBackend(str(tiny), name="hf:tiny", device="cpu", batch=8)
    asyncio.run(backend.start())
    yield backend
    asyncio.run(backend.aclose())


@pytest.fixture
def model(loaded: HfBackend) -> HfBackend:
    """The model with nothing in its cache."""
    loaded._cache.clear()
    return loaded


def ask(*said: str, thread: str = "", temperature: float | None = 0.0, tokens: int | None = 24, seed: int = 7, **more: Any) -> Request:
    """Ask as the client, turns in alternation."""
    turns = [Message("assistant" if number % 2 else "user", text) for number, text in enumerate(said)]
    sampling = Sampling(temperature=temperature, max_tokens=tokens)
    return Request(thread=thread, form=Form.CHAT, messages=[SYSTEM, *turns], sampling=sampling, seed=seed, **more)


def configured(folder: Path, to: Path, file: str, **changes: Any) -> Path:
    """Copy a model with another configuration; None takes a key out."""
    to.mkdir()
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    settings = json.loads((to / file).read_text()) | changes
    (to / file).write_text(json.dumps({key: value for key, value in settings.items() if value is not None}))
    return to


async def collect(stream: AsyncGenerator[Chunk, None]) -> tuple[list[str], Reply]:
    chunks = [chunk async for chunk in stream]
    assert all(chunk.reply is None for chunk in chunks[:-1])
    assert chunks[-1].reply is not None
    return [chunk.text for chunk in chunks], chunks[-1].reply


MIXED = [
    ask(ZH, temperature=0.0),
    ask(EN, temperature=1.0, seed=3),
    ask(ZH * 60, temperature=0.7, tokens=9),
    ask("嗯", temperature=1.3, seed=2**31 - 1),
    ask("Hello", "你好", EN, temperature=0.0, tokens=30),
]


async def test_a_reply_is_booked_as_it_was_made(model: HfBackend) -> None:
    reply = await model.reply(ask(ZH))
    call = reply.call
    assert reply.text == reply.text.strip() != ""
    assert (call.model, call.seed, call.attempts, call.completion_tokens, call.finish) == ("hf:tiny", 7, 1, 24, "length")
    assert (call.prompt_tokens, call.cached_tokens) == (56, 0)
    assert call.seconds > 0
    assert model.under_way == 0


async def test_the_greedy_reply_is_that_of_the_library(model: HfBackend, tiny: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, reference = AutoTokenizer.from_pretrained(tiny), AutoModelForCausalLM.from_pretrained(tiny)
    ids = tokenizer(f"<|im_start|>system\n{SYSTEM.content}<|im_end|>\n<|im_start|>user\n{ZH}<|im_end|>\n<|im_start|>assistant\n")
    prompt = torch.tensor([ids["input_ids"]])
    wanted = reference.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=24, do_sample=False)
    text = tokenizer.decode(wanted[0, prompt.shape[1] :], skip_special_tokens=True)
    assert (await model.reply(ask(ZH))).text == text.strip().rstrip("\N{REPLACEMENT CHARACTER}").strip()


async def test_a_reply_is_the_same_whoever_else_is_in_the_batch(model: HfBackend) -> None:
    alone = [(await model.reply(request)).text for request in MIXED]
    assert len(set(alone)) == len(MIXED)
    model._cache.clear()
    together = await asyncio.gather(*map(model.reply, MIXED))
    assert [reply.text for reply in together] == alone
    assert (await model.reply(replace(MIXED[1], seed=4))).text != alone[1]


async def test_what_the_model_computes_does_not_depend_on_the_batch(model: HfBackend) -> None:
    requests = [replace(request, logprobs=3) for request in MIXED]
    alone = [await model.reply(request) for request in requests]
    for batch in [await asyncio.gather(*map(model.reply, requests)) for _ in range(2)]:  # the second goes on from what is kept
        for one, other in zip(alone, batch, strict=True):
            for before, after in zip(one.chances, other.chances, strict=True):
                assert after.top == pytest.approx(before.top, abs=1e-3)


async def test_requests_join_a_batch_that_is_running(model: HfBackend) -> None:
    alone = [(await model.reply(request)).text for request in MIXED]
    running = model.stream(ask(EN, tokens=60, seed=5))
    await anext(running)
    joined = await asyncio.gather(*map(model.reply, MIXED))
    assert [reply.text for reply in joined] == alone
    assert (await collect(running))[1].text == (await model.reply(ask(EN, tokens=60, seed=5))).text


async def test_more_requests_than_the_batch_takes_wait_for_a_place(tiny: Path, model: HfBackend) -> None:
    small = HfBackend(str(tiny), name="small", device="cpu", batch=2)
    assert small.capacity == 2
    replies = await asyncio.gather(*map(small.reply, MIXED))
    assert [reply.text for reply in replies] == [(await model.reply(request)).text for request in MIXED]
    await small.aclose()


async def test_closing_waits_for_the_last_step_of_a_call_that_was_cancelled(tiny: Path) -> None:
    backend = HfBackend(str(tiny), name="closed", device="cpu")
    stream = backend.stream(ask(ZH, tokens=900, temperature=1.0))
    await anext(stream)
    await stream.aclose()
    assert backend._pump is not None
    assert not backend._pump.done()
    await backend.aclose()
    assert backend._pump.done()
    assert backend._model is None


@pytest.mark.parametrize("thread", ["a", ""])
async def test_the_next_request_of_a_conversation_computes_only_what_is_new(model: HfBackend, thread: str) -> None:
    first = await model.reply(ask(ZH, thread=thread))
    again = ask(ZH, first.text, EN, thread=thread)
    second = await model.reply(again)
    assert first.call.cached_tokens == 0
    # Whole is the first prompt; of its reply what the tokenizer cuts the same way again.
    assert first.call.prompt_tokens <= second.call.cached_tokens < second.call.prompt_tokens
    model._cache.clear()
    fresh = await model.reply(again)
    assert fresh.call.cached_tokens == 0
    assert fresh.text == second.text


async def test_the_same_question_again_computes_one_token(model: HfBackend) -> None:
    first = await model.reply(ask(EN, thread="a"))
    second = await model.reply(ask(EN, thread="a"))
    assert second.call.cached_tokens == first.call.prompt_tokens - 1
    assert second.text == first.text


async def test_cached_and_fresh_conversations_share_a_batch(model: HfBackend) -> None:
    one, two = await model.reply(ask(ZH, thread="a")), await model.reply(ask("Hello", thread="b"))
    requests = [ask(ZH, one.text, EN, thread="a"), ask("Hello", two.text, ZH * 2, thread="b"), ask("嗯嗯", EN, "好", thread="c")]
    cached = await asyncio.gather(*map(model.reply, requests))
    assert cached[0].call.cached_tokens >= one.call.prompt_tokens
    assert cached[1].call.cached_tokens >= two.call.prompt_tokens
    model._cache.clear()
    for request, reply in zip(requests, cached, strict=True):
        fresh = await model.reply(request)
        model._cache.clear()
        assert fresh.text == reply.text


async def test_a_released_thread_is_computed_anew(model: HfBackend) -> None:
    await model.reply(ask(ZH, thread="a"))
    model.release("a")
    model.release("unknown")
    assert (await model.reply(ask(ZH, thread="a"))).call.cached_tokens == 0


async def test_without_caches_everything_is_computed(tiny: Path) -> None:
    bare = HfBackend(str(tiny), name="bare", device="cpu", caches=0)
    assert [(await bare.reply(ask(ZH, thread="a"))).call.cached_tokens for _ in range(2)] == [0, 0]
    await bare.aclose()


@pytest.mark.parametrize("temperature", [0.0, 1.0])
async def test_a_streamed_reply_is_the_whole_one_in_pieces(model: HfBackend, temperature: float) -> None:
    request = ask(ZH, temperature=temperature, tokens=40)
    whole = await model.reply(request)
    pieces, reply = await collect(model.stream(request))
    assert "".join(pieces) == reply.text == whole.text
    assert len(pieces) > 5
    assert all(pieces[:-1])
    assert reply.call.completion_tokens == whole.call.completion_tokens


async def test_streams_and_whole_replies_share_a_batch(model: HfBackend) -> None:
    whole = await asyncio.gather(*map(model.reply, MIXED))
    streamed = await asyncio.gather(collect(model.stream(MIXED[0])), model.reply(MIXED[1]), collect(model.stream(MIXED[2])))
    assert streamed[0][1].text == whole[0].text
    assert streamed[1].text == whole[1].text
    assert streamed[2][1].text == whole[2].text


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_stop_ends_the_reply_before_it(model: HfBackend, streaming: bool) -> None:
    whole = (await model.reply(ask(ZH, tokens=40))).text
    stop = whole[12:15]
    request = ask(ZH, tokens=40, stop=(stop, "never"))
    reply = (await collect(model.stream(request)))[1] if streaming else await model.reply(request)
    assert reply.text == whole[: whole.index(stop)].strip()
    assert reply.call.finish == "stop"
    assert reply.call.completion_tokens < 40


async def test_a_stream_that_is_closed_leaves_the_batch(model: HfBackend) -> None:
    stream = model.stream(ask(ZH, tokens=900, temperature=1.0, stop=("<none>",)))
    await anext(stream)
    assert model.under_way == 1
    (left,) = model._running
    await stream.aclose()
    assert model.under_way == 0
    assert model._pump is not None
    await model._pump  # ends: nobody is left
    assert left.row.finish == "gone"
    assert model._model is not None
    assert model._model.decoder.room == model.capacity


async def test_a_cancelled_call_leaves_the_others_alone(model: HfBackend) -> None:
    whole = await model.reply(ask(EN, temperature=1.0))
    long = asyncio.create_task(model.reply(ask(ZH, thread="gone", tokens=900, temperature=1.0)))
    stream = model.stream(ask(EN, temperature=1.0))
    await anext(stream)
    long.cancel()
    with pytest.raises(asyncio.CancelledError):
        await long
    assert (await collect(stream))[1].text == whole.text
    assert not any(key == "gone" for key in model._cache._kept)  # its thread may have been released already


async def test_a_call_that_is_cancelled_while_it_waits_is_never_begun(tiny: Path) -> None:
    single = HfBackend(str(tiny), name="single", device="cpu", batch=1)
    first = single.stream(ask(ZH, tokens=40))
    await anext(first)
    waits = asyncio.create_task(single.reply(ask(EN, thread="waits")))
    await asyncio.sleep(0)
    waits.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits
    await collect(first)
    assert "waits" not in single._cache._kept
    await single.aclose()


async def test_those_who_wait_are_refused_when_it_is_drained(tiny: Path) -> None:
    single = HfBackend(str(tiny), name="single", device="cpu", batch=1)
    first = single.stream(ask(ZH, tokens=40))
    await anext(first)
    waits = asyncio.create_task(single.reply(ask(EN)))
    await asyncio.sleep(0)
    assert single.under_way == 2
    single.drain()
    with pytest.raises(EndpointError, match="resumable"):
        await waits
    with pytest.raises(EndpointError, match="resumable"):
        await single.reply(ask(EN))
    assert (await collect(first))[1].text  # what was begun is ended
    await single.aclose()
    await single.aclose()


async def test_the_model_s_own_generation_config_holds_where_nothing_is_asked(tiny: Path, tmp_path: Path, model: HfBackend) -> None:
    own = {"do_sample": True, "temperature": 0.7, "top_p": 0.9, "top_k": 3, "min_p": 0.01, "repetition_penalty": 1.3, "max_new_tokens": 11}
    folder = configured(tiny, tmp_path / "own", "generation_config.json", **own)
    backend = HfBackend(str(folder), name="own", device="cpu")
    free = replace(ask(ZH), sampling=Sampling(temperature=None, top_p=None, max_tokens=None))
    reply = await backend.reply(free)
    assert (reply.call.completion_tokens, reply.call.finish) == (11, "length")
    assert reply.text != (await model.reply(replace(free, sampling=Sampling(temperature=None, max_tokens=11)))).text
    steady = await backend.reply(replace(free, steady=True))
    assert steady.text != reply.text  # the penalty is off, all else is the same
    both = await asyncio.gather(backend.reply(free), backend.reply(replace(free, steady=True)))
    assert [one.text for one in both] == [reply.text, steady.text]
    await backend.aclose()


async def test_all_tokens_may_be_drawn_where_the_model_says_so(tiny: Path, tmp_path: Path, model: HfBackend) -> None:
    backend = HfBackend(str(configured(tiny, tmp_path / "all", "generation_config.json", top_k=0)), name="all", device="cpu")
    wild = ask(ZH, temperature=2.0)
    assert (await backend.reply(wild)).text != (await model.reply(wild)).text  # where it says nothing, the library's 50 hold
    await backend.aclose()


async def test_without_a_limit_the_reply_ends_with_the_context(model: HfBackend) -> None:
    reply = await model.reply(ask(ZH * 236, tokens=None, temperature=1.0, seed=1))
    assert reply.call.prompt_tokens + reply.call.completion_tokens == 1024
    assert reply.call.finish == "length"


async def test_a_session_that_fills_the_context_is_refused(model: HfBackend) -> None:
    with pytest.raises(BackendError, match=r"outgrown the context .* 1024 fit") as refused:
        await model.reply(ask(ZH * 250))
    assert refused.value.kind == "context"


async def test_a_refused_request_does_not_touch_the_others(model: HfBackend) -> None:
    bad, good = await asyncio.gather(model.reply(ask(ZH * 250)), model.reply(ask(EN)), return_exceptions=True)
    assert isinstance(bad, BackendError)
    assert isinstance(good, Reply)


async def test_a_transcript_goes_as_raw_text_and_ends_at_its_template_s_mark(model: HfBackend) -> None:
    lines = [Message("system", "你是来访者。"), Message("user", "咨询师：你好"), Message("user", "来访者：嗯")]
    request = replace(ask(), form=Form.TRANSCRIPT, messages=lines, cue="咨询师：", template="chatml", stop=("\n",))
    reply = await model.reply(request)
    # As a chat: the lines are one message of the user's, and the reply is begun with the cue.
    system, text = lines[0].content, "咨询师：你好\n来访者：嗯"
    raw = f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n咨询师："
    assert model._model is not None
    assert reply.call.prompt_tokens == len(model._model.weights.tokenizer(raw).input_ids)
    tailed = await model.reply(replace(request, tail=Message("user", "（简短）")))
    assert tailed.call.prompt_tokens > reply.call.prompt_tokens
    assert tailed.call.cached_tokens > 20


async def test_raw_text_gets_the_tokenizer_s_mark_of_the_beginning_and_a_chat_its_template_s(
    tiny: Path, tmp_path: Path, model: HfBackend
) -> None:
    mark, text = {"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    special = {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [0], "tokens": ["<|endoftext|>"]}}
    marking = {"type": "TemplateProcessing", "single": [mark, text], "pair": [mark, text, text], "special_tokens": special}
    backend = HfBackend(str(configured(tiny, tmp_path / "marks", "tokenizer.json", post_processor=marking)), name="marks", device="cpu")
    for request, more in ((ask(ZH), 0), (replace(ask(ZH), form=Form.TRANSCRIPT), 1)):
        counts = [(await one.reply(request)).call.prompt_tokens for one in (backend, model)]
        assert counts[0] - counts[1] == more
    await backend.aclose()


async def test_a_tail_comes_last_and_is_not_kept(model: HfBackend) -> None:
    plain = await model.reply(ask(EN, thread="a"))
    tailed = await model.reply(ask(EN, thread="a", tail=Message("user", "Be brief.")))
    assert tailed.call.prompt_tokens > plain.call.prompt_tokens
    assert tailed.text != plain.text


async def test_an_empty_system_message_is_not_sent(model: HfBackend) -> None:
    request = ask(EN, temperature=1.0)
    without = await model.reply(replace(request, messages=request.messages[1:]))
    empty = await model.reply(replace(request, messages=[Message("system", ""), *request.messages[1:]]))
    assert empty.call.prompt_tokens == without.call.prompt_tokens
    assert empty.text == without.text


async def test_a_template_that_takes_no_system_message_says_what_to_do(tiny: Path, tmp_path: Path) -> None:
    folder = configured(tiny, tmp_path / "picky", "tokenizer_config.json")
    strict = "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" + TEMPLATE
    (folder / "chat_template.jinja").write_text(strict)
    backend = HfBackend(str(folder), name="picky", device="cpu")
    with pytest.raises(BackendError, match=r"System role not supported; .* a bot without an instruction .* form = transcript") as refused:
        await backend.reply(ask(ZH))
    assert refused.value.kind == "model"
    assert (await backend.reply(replace(ask(ZH, temperature=1.0), messages=[Message("user", ZH)]))).text
    await backend.aclose()


async def test_a_model_without_a_chat_template_is_asked_in_the_transcript_form(tiny: Path, tmp_path: Path) -> None:
    folder = configured(tiny, tmp_path / "base", "tokenizer_config.json")
    (folder / "chat_template.jinja").unlink()
    backend = HfBackend(str(folder), name="base", device="cpu")
    with pytest.raises(BackendError, match="has no chat template; ask it in the transcript form"):
        await backend.reply(ask(ZH))
    assert (await backend.reply(replace(ask(ZH), form=Form.TRANSCRIPT))).text
    await backend.aclose()


async def test_text_that_is_no_unicode_is_refused(model: HfBackend) -> None:
    with pytest.raises(BackendError, match="the tokenizer refused the text"):
        await model.reply(ask("\ud800"))


async def test_probabilities_are_the_model_s_own(model: HfBackend) -> None:
    reply = await model.reply(ask(ZH, tokens=30, logprobs=5))
    assert len(reply.chances) == 24
    assert all(chance.top[chance.text] == max(chance.top.values()) <= 0 for chance in reply.chances)  # greedy took the likeliest
    assert all(len(chance.top) <= 6 for chance in reply.chances)


async def test_empty_replies_are_asked_for_again_and_then_given_up(tiny: Path, tmp_path: Path) -> None:
    every = list(range(1000))
    folder = configured(tiny, tmp_path / "mute", "generation_config.json", eos_token_id=every)
    backend = HfBackend(str(folder), name="mute", device="cpu")
    with pytest.raises(BackendError, match="4 empty replies, with seeds from 7") as empty:
        await backend.reply(ask(ZH))
    assert empty.value.kind == "empty"
    with pytest.raises(BackendError, match="4 empty replies"):
        await collect(backend.stream(ask(ZH)))
    assert backend.under_way == 0
    await backend.aclose()


async def test_an_empty_reply_costs_an_attempt_and_the_next_seed(model: HfBackend) -> None:
    found = None
    for seed in range(400):
        request = ask("嗯", tokens=1, temperature=2.0, seed=seed)
        reply = await model.reply(request)
        if reply.call.attempts > 1:
            found = reply.call
            break
    assert found is not None, "no seed gave half a character or the end"
    assert found.seed == seed + found.attempts - 1
    assert found.completion_tokens == found.attempts


async def test_a_model_that_overflows_fails_its_calls_and_no_others(model: HfBackend) -> None:
    import torch

    assert model._model is not None
    head = model._model.weights.model.lm_head.weight
    kept = head.detach().clone()
    with torch.no_grad():
        head.fill_(float("nan"))
    try:
        with pytest.raises(BackendError, match="the model failed: probability tensor") as failed:
            await model.reply(ask(ZH, temperature=1.0))
    finally:
        with torch.no_grad():
            head.copy_(kept)
    assert failed.value.kind == "model"
    assert (await model.reply(ask(ZH, temperature=1.0))).text


async def test_a_stream_that_fails_after_its_first_word_is_broken(model: HfBackend) -> None:
    import torch

    assert model._model is not None
    head = model._model.weights.model.lm_head.weight
    kept = head.detach().clone()
    stream = model.stream(ask(ZH, temperature=1.0, tokens=400))
    await anext(stream)
    with torch.no_grad():
        head.fill_(float("nan"))
    try:
        with pytest.raises(BackendError) as broken:
            await collect(stream)
    finally:
        with torch.no_grad():
            head.copy_(kept)
    assert broken.value.kind == "broken"
    assert model._model.decoder.room == model.capacity


async def test_a_bug_reaches_those_who_wait(tiny: Path) -> None:
    backend = HfBackend(str(tiny), name="bug", device="cpu")
    broken = ask(ZH, template="nonsense")
    with pytest.raises(KeyError, match="nonsense"):
        await backend.reply(replace(broken, form=Form.TRANSCRIPT))
    assert backend.under_way == 0
    assert (await backend.reply(ask(ZH))).text
    await backend.aclose()


async def test_sliding_windows_run_batched_but_uncached(tiny: Path, tmp_path: Path) -> None:
    changes = {
        "use_sliding_window": True,
        "sliding_window": 16,
        "max_window_layers": 1,
        "layer_types": ["full_attention", "sliding_attention"],
    }
    folder = configured(tiny, tmp_path / "sliding", "config.json", **changes)
    backend = HfBackend(str(folder), name="sliding", device="cpu", batch=3)
    alone = [await backend.reply(request) for request in MIXED]
    together = await asyncio.gather(*map(backend.reply, MIXED))
    assert [reply.text for reply in together] == [reply.text for reply in alone]
    assert {reply.call.cached_tokens for reply in [*alone, *together]} == {0}
    await backend.aclose()


async def test_what_was_chosen_is_told(tiny: Path) -> None:
    told: list[str] = []
    backend = HfBackend(str(tiny), name="hf:tiny", device="cpu", dtype="bfloat16", batch=1, notify=told.append)
    await backend.start()
    await backend.start()
    assert len(told) == 2
    assert re.fullmatch(r"hf:tiny: 0\.1 M parameters in bfloat16 on cpu \(\d+ threads?\), up to 1 request together", told[1])
    assert (await backend.reply(ask(ZH))).text
    await backend.aclose()


async def test_weights_keep_their_own_type_elsewhere_than_on_a_cpu(tiny: Path) -> None:
    told: list[str] = []
    backend = HfBackend(str(tiny), name="hf:tiny", device="meta", notify=told.append)  # a device that holds shapes only
    await backend.start()
    assert told[1] == "hf:tiny: 0.1 M parameters in float32 on meta, up to 16 requests together"
    await backend.aclose()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "float8"}, "dtype 'float8': expected one of auto, float32"),
        ({"batch": 0}, "batch 0, caches 64: expected a batch of 1 or more"),
        ({"caches": -1}, "0 or more caches"),
    ],
)
def test_values_that_will_not_do_are_refused_at_once(tiny: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        HfBackend(str(tiny), name="x", **options)


async def test_a_device_that_is_not_there_is_refused(tiny: Path) -> None:
    backend = HfBackend(str(tiny), name="x", device="nowhere:3")
    with pytest.raises(ConfigError, match="device 'nowhere:3' cannot be used"):
        await backend.start()
    await backend.aclose()


async def test_damaged_weights_are_named(tiny: Path, tmp_path: Path) -> None:
    folder = configured(tiny, tmp_path / "damaged", "config.json")
    (folder / "model.safetensors").write_bytes(b"\1" * 100)
    backend = HfBackend(str(folder), name="x", device="cpu")
    with pytest.raises(ModelFileError, match=r"transformers cannot load .*damaged .*is the folder whole"):
        await backend.start()
    await backend.aclose()
