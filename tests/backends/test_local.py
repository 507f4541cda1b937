"""The embedded model, by the smallest real one: what it says is of no interest here, how it is asked and booked is."""

from __future__ import annotations

import asyncio
import string
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from practicum.backends.base import KEPT_CHANCES, Constraint, Request
from practicum.backends.local import LOCAL_SAMPLERS, LocalBackend, local_samplers
from practicum.core import Call, Form, Message, Sampling, Speaker, Turn, as_seen_by, as_transcript
from practicum.errors import BackendError, ConfigError, EndpointError, ModelFileError

LABELS = {Speaker.CLIENT: "Client: ", Speaker.COUNSELOR: "Counselor: "}
SYSTEMS = {
    Speaker.CLIENT: "You are a tired nurse who cannot sleep after night shifts and talks to a counselor. " * 3,
    Speaker.COUNSELOR: "You are a counselor. Ask one short question at a time and listen well. " * 3,
}
ASKED = Request(
    thread="a",
    form=Form.CHAT,
    messages=[Message("system", "You are kind."), Message("user", "Hello")],
    sampling=Sampling(max_tokens=8),
    seed=7,
)


@pytest.fixture(scope="module")
def model(smollm2: Path) -> Iterator[LocalBackend]:
    backend = LocalBackend(smollm2, name="smollm2", slots=4, context=2048)
    yield backend
    asyncio.run(backend.aclose())


@pytest.fixture(autouse=True)
def _every_thread_is_released(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "model" in request.fixturenames:
        for thread in ("a", "b", "c", "d"):
            request.getfixturevalue("model").release(thread)


async def under_way(backend: LocalBackend) -> None:
    """Let a call that was just made begin."""
    for _ in range(10):
        await asyncio.sleep(0)
    assert backend.under_way == 1


async def test_a_reply_is_booked_as_it_was_made(model: LocalBackend) -> None:
    reply = await model.reply(ASKED)
    assert reply.text == reply.text.strip() != ""
    call = reply.call
    assert (call.model, call.seed, call.attempts, call.completion_tokens, call.finish) == ("smollm2", 7, 1, 8, "length")
    assert call.prompt_tokens > call.cached_tokens == 0
    assert call.seconds > 0
    assert model.under_way == 0


async def test_the_same_seed_says_the_same(model: LocalBackend) -> None:
    asked = replace(ASKED, messages=[Message("user", "Tell me of the moon.")])  # in no slot's cache yet
    said = [(await model.reply(replace(asked, thread=thread, seed=seed))).text for thread, seed in (("b", 1), ("c", 1), ("d", 2))]
    assert said[0] == said[1] != said[2]


async def test_a_transcript_is_asked_as_raw_text_with_the_reply_begun(model: LocalBackend) -> None:
    turns = [Turn(index=0, speaker=Speaker.CLIENT, text="Hi\n\nthere"), Turn(index=1, speaker=Speaker.COUNSELOR, text="Hm")]
    framed = replace(
        ASKED,
        form=Form.TRANSCRIPT,
        template="chatml",
        messages=as_transcript(turns, "Be Ann.", LABELS),
        tail=Message("user", "(Ann is tired.)"),
        cue="Client: I am",
    )
    by_hand = replace(
        framed,
        template="plain",
        messages=[
            Message("system", "<|im_start|>system\nBe Ann.<|im_end|>\n<|im_start|>user\nClient: Hi"),
            Message("user", "there\nCounselor: Hm\n(Ann is tired.)<|im_end|>"),
        ],
        tail=None,
        cue="<|im_start|>assistant\nClient: I am",
    )
    first, second = (await model.reply(framed)).call, (await model.reply(by_hand)).call
    # The slot still knows every token but the last, which llama.cpp always computes: the texts are the same.
    assert first.prompt_tokens == second.prompt_tokens == second.cached_tokens + 1


async def test_a_reply_ends_before_a_stop(model: LocalBackend) -> None:
    asked = replace(ASKED, messages=[Message("user", "Tell me of the wind.")])
    whole = (await model.reply(asked)).text
    assert (await model.reply(replace(asked, thread="b", stop=[whole[3:]]))).text == whole[:3].rstrip()


async def test_a_tail_is_sent_and_not_kept(model: LocalBackend) -> None:
    for form in Form:
        asked = replace(ASKED, thread=form, form=form, sampling=Sampling(temperature=0, max_tokens=4))
        without = (await model.reply(asked)).call.prompt_tokens
        with_tail = (await model.reply(replace(asked, tail=Message("user", "Say only the word banana.")))).call.prompt_tokens
        again = (await model.reply(asked)).call.prompt_tokens
        assert without == again < with_tail
        model.release(form)


@pytest.mark.parametrize("form", list(Form))
async def test_every_prefix_is_computed_once(model: LocalBackend, form: Form) -> None:
    """Figure 5 in small: two sessions interleaved, four prefixes alive."""
    end = await length_of_the_end(model) if form is Form.TRANSCRIPT else 0
    booked = [pair for two in await asyncio.gather(hold(model, "s1", form, 4), hold(model, "s2", form, 4)) for pair in two]
    computed = sum(now.prompt_tokens - now.cached_tokens for _, now in booked)
    # A chat's next prompt begins with the whole one before; a transcript's with all but its end mark and cue.
    new = sum(now.prompt_tokens - (before.prompt_tokens - end) for before, now in booked)
    assert len(booked) == 12
    assert 0 < computed <= 1.1 * new


async def length_of_the_end(model: LocalBackend) -> int:
    """Count the tokens of what follows a transcript's last line."""

    async def count(text: str) -> int:
        asked = replace(ASKED, form=Form.TRANSCRIPT, messages=[Message("system", text)], sampling=Sampling(max_tokens=4))
        return (await model.reply(asked)).call.prompt_tokens

    found = await count("<|im_end|>\n<|im_start|>assistant\nClient:<|im_end|>") - await count("<|im_end|>")
    model.release(ASKED.thread)
    return found


async def hold(model: LocalBackend, name: str, form: Form, exchanges: int) -> Sequence[tuple[Call, Call]]:
    """Hold a session; return each side's calls as (call before, call)."""
    turns: list[Turn] = []
    calls: dict[Speaker, list[Call]] = {speaker: [] for speaker in Speaker}
    for index in range(2 * exchanges):
        speaker = list(Speaker)[index % 2]
        request = Request(
            thread=f"{name}/{speaker}",
            form=form,
            template="chatml",
            messages=as_seen_by(speaker, turns, SYSTEMS[speaker]) if form is Form.CHAT else as_transcript(turns, SYSTEMS[speaker], LABELS),
            cue="" if form is Form.CHAT else LABELS[speaker].strip(),
            stop=["\n"],
            sampling=Sampling(max_tokens=8),
            seed=index,
        )
        reply = await model.reply(request)
        calls[speaker].append(reply.call)
        turns.append(Turn(index=index, speaker=speaker, text=reply.text))
    for speaker in Speaker:
        model.release(f"{name}/{speaker}")
    return [pair for one in calls.values() for pair in pairwise(one)]


async def test_a_reply_that_stays_empty_fails_after_new_seeds(model: LocalBackend) -> None:
    with pytest.raises(BackendError, match="4 empty replies, with seeds from 7") as caught:
        await model.reply(replace(ASKED, stop=[*string.ascii_letters, *string.digits, *string.punctuation]))
    assert caught.value.kind == "empty"


async def test_an_empty_reply_is_asked_for_again_with_the_next_seed(model: LocalBackend) -> None:
    asked = replace(ASKED, messages=[Message("user", "Tell me of the sea.")])
    first = await model.reply(asked)
    model.release("a")
    reply = await model.reply(replace(asked, thread="b", stop=[first.text]))
    assert (reply.call.attempts, reply.call.seed) == (2, ASKED.seed + 1)


async def test_a_session_that_outgrows_the_context_fails_with_advice(model: LocalBackend) -> None:
    with pytest.raises(BackendError, match=r"outgrown the context \(\d+ tokens, 2048 fit\); use fewer exchanges") as caught:
        await model.reply(replace(ASKED, messages=[Message("user", "word " * 3000)]))
    assert caught.value.kind == "context"


async def test_text_that_cannot_be_sent_fails_one_call(model: LocalBackend) -> None:
    with pytest.raises(BackendError, match="refused the request") as caught:
        await model.reply(replace(ASKED, messages=[Message("user", "half a character: \ud83d")]))
    assert caught.value.kind == "model"
    assert (await model.reply(ASKED)).text


async def test_a_thread_too_many_waits_and_is_refused_when_the_run_stops(smollm2: Path) -> None:
    backend = LocalBackend(smollm2, name="smollm2", slots=1, context=256, threads=1)
    assert (backend.capacity, backend.sessions_at_once) == (1, 1)
    assert (await backend.reply(ASKED)).text
    waiting = asyncio.create_task(backend.reply(replace(ASKED, thread="b")))
    await under_way(backend)
    backend.release("a")
    assert (await waiting).text
    refused = asyncio.create_task(backend.reply(replace(ASKED, thread="c")))
    await under_way(backend)
    backend.drain()
    with pytest.raises(EndpointError, match="resumable"):
        await refused
    assert backend.under_way == 0
    await backend.aclose()


async def test_a_cancelled_reply_stops_and_lets_the_model_go(smollm2: Path) -> None:
    backend = LocalBackend(smollm2, name="endless", slots=1, threads=1)
    endless = replace(ASKED, sampling=Sampling(max_tokens=8000), messages=[Message("user", "Count to one million in words.")])
    await backend.reply(ASKED)
    task = asyncio.create_task(backend.reply(endless))
    await under_way(backend)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(30):  # 8,000 tokens take longer on one thread
        await backend.aclose()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("practicum-endless")]


async def test_the_model_is_loaded_once_and_in_silence(smollm2: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    backend = LocalBackend(smollm2, name="smollm2", slots=2, context=256, threads=1, notify=said.append)
    assert said == []
    await asyncio.gather(backend.start(), backend.start(), backend.reply(ASKED))
    await backend.aclose()
    assert said == ["loading smollm2 (98 MB) on 1 CPU thread"]
    assert capfd.readouterr() == ("", "")


def test_the_file_tells_template_and_longest_context(smollm2: Path) -> None:
    backend = LocalBackend(smollm2, name="smollm2", context=100_000)
    assert (backend.template, backend.context, backend.capacity, backend.sessions_at_once) == ("chatml", 8192, 4, 2)


async def test_a_file_cut_off_behind_its_header_cannot_be_loaded(smollm2: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cut.gguf"
    with smollm2.open("rb") as file:
        path.write_bytes(file.read(10_000_000))
    backend = LocalBackend(path, name="cut", threads=1)
    with pytest.raises(ModelFileError, match=r"cut\.gguf: llama\.cpp cannot load it .* 4 × 8192 tokens"):
        await backend.start()
    await backend.aclose()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("wrong", [{"slots": 0}, {"slots": 257}, {"context": 0}, {"threads": 0}])
def test_numbers_out_of_range_are_refused(smollm2: Path, wrong: dict[str, int]) -> None:
    name, value = next(iter(wrong.items()))
    with pytest.raises(ConfigError, match=rf"x: .*{name} {value}.*expected 1 or more"):
        LocalBackend(smollm2, name="x", slots=wrong.get("slots", 1), context=wrong.get("context", 1), threads=wrong.get("threads"))


# ── what a rater wants ───────────────────────────────────────────────────────────────────────────────────────────────

FRUIT = Constraint(regex="(quince|medlar)", grammar='root ::= "quince" | "medlar"')


@pytest.mark.parametrize("form", list(Form))
async def test_an_answer_is_held_to_a_grammar_and_comes_with_its_chances(model: LocalBackend, form: Form) -> None:
    asked = replace(ASKED, form=form, constraint=FRUIT, logprobs=20, steady=True)
    reply = await model.reply(asked)
    assert reply.text in ("quince", "medlar")
    assert 0 < len(reply.chances) <= reply.call.completion_tokens
    assert "".join(one.text for one in reply.chances) == reply.text
    for one in reply.chances:
        assert one.text in one.top
        assert all(chance <= 0 for chance in one.top.values())
    assert len(reply.chances[0].top) >= 20


async def test_chances_are_given_only_where_they_are_asked_for_and_only_the_last_are_kept(model: LocalBackend) -> None:
    assert (await model.reply(ASKED)).chances == ()
    letters = Constraint(regex="[a-z]{80,120}", grammar="root ::= [a-z]{80,120}")
    reply = await model.reply(replace(ASKED, sampling=Sampling(max_tokens=200), constraint=letters, logprobs=2))
    assert len(reply.chances) == KEPT_CHANCES < reply.call.completion_tokens
    assert reply.text.endswith("".join(one.text for one in reply.chances))


def test_a_judge_is_sampled_without_a_penalty_on_what_stands_in_the_prompt() -> None:
    assert local_samplers(Form.TRANSCRIPT, steady=True) == local_samplers(Form.CHAT, steady=True) == {"top_k": 40, "min_p": 0.05}
    assert local_samplers(Form.TRANSCRIPT, steady=False) == LOCAL_SAMPLERS[Form.TRANSCRIPT]
    assert "repeat_penalty" in LOCAL_SAMPLERS[Form.TRANSCRIPT]
