"""The official OpenAI SDK as the caller: what it makes of the gateway's answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from practicum.errors import BackendError, EndpointError
from practicum.serve import NO_BANNER
from practicum.serve.crisis import crisis_text
from practicum.serve.keys import KeyRing, Scope, new_key
from practicum.serve.service import Service
from tests.serve.conftest import PIECES, Scripted, app_of, listening

SAID = {"zh": "我最近总是睡不好。", "en": "I have not slept for days."}


def said(text: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": text}]


@asynccontextmanager
async def sdk(*services: Service, key: str = "none", keys: KeyRing | None = None, **config: Any) -> AsyncIterator[AsyncOpenAI]:
    """Let a gateway listen, and return a client of it that asks once."""
    at_once = config.pop("at_once", 8)
    async with (
        listening(app_of(*services, keys=keys, at_once=at_once, **config)) as address,
        AsyncOpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0) as client,
    ):
        yield client


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_it_hears_an_answer(language: str) -> None:
    async with sdk(Scripted()) as client:
        answer = await client.chat.completions.create(model="bot/warm", messages=said(SAID[language]))
    assert answer.choices[0].message.content == "".join(PIECES[language])
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.system_fingerprint == "0123456789abcdef"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (11, 7, 18)
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 4


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_it_hears_a_stream(language: str) -> None:
    async with sdk(Scripted()) as client:
        stream = await client.chat.completions.create(model="bot/warm", messages=said(SAID[language]), stream=True)
        chunks = [chunk async for chunk in stream]
    words = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]
    assert words == list(PIECES[language])
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)
    assert len({chunk.id for chunk in chunks}) == 1


async def test_it_hears_a_streams_tokens() -> None:
    async with sdk(Scripted()) as client:
        options: Any = {"include_usage": True}
        stream = await client.chat.completions.create(model="bot/warm", messages=said("你好"), stream=True, stream_options=options)
        *_, last = [chunk async for chunk in stream]
    assert last.usage is not None
    assert last.usage.total_tokens == 18
    assert last.choices == []


async def test_it_reads_a_stream_by_its_own_helper() -> None:
    async with sdk(Scripted()) as client, client.chat.completions.stream(model="bot/warm", messages=said("你好")) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == "听起来这段日子很不容易。"


async def test_it_lists_models_and_looks_at_one() -> None:
    async with sdk(Scripted(), Scripted(name="client/ab12", counselor=False)) as client:
        assert [model.id async for model in client.models.list()] == ["bot/warm", "client/ab12"]
        assert (await client.models.retrieve("bot/warm")).owned_by == "practicum"
        with pytest.raises(openai.NotFoundError) as missing:
            await client.models.retrieve("bot/none")
    assert missing.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("fault", "raised", "status"),
    [
        (BackendError("too long", kind="context"), openai.BadRequestError, 400),
        (BackendError("said nothing", kind="empty"), openai.InternalServerError, 502),
        (EndpointError("away"), openai.InternalServerError, 503),
    ],
)
async def test_failures_behind_come_as_its_own_exceptions(fault: Exception, raised: type[openai.APIStatusError], status: int) -> None:
    async with sdk(Scripted(fault=fault)) as client:
        for stream in (False, True):
            with pytest.raises(raised, match=str(fault)) as error:
                await client.chat.completions.create(model="bot/warm", messages=said("你好"), stream=stream)
            assert error.value.status_code == status
            assert error.value.request_id


async def test_mistakes_come_as_its_own_exceptions() -> None:
    async with sdk(Scripted()) as client:
        create = client.chat.completions.create
        with pytest.raises(openai.NotFoundError, match=r"'gpt-4\.1' is not served"):
            await create(model="gpt-4.1", messages=said("hi"))
        with pytest.raises(openai.BadRequestError, match="one answer") as refused:
            await create(model="bot/warm", messages=said("hi"), n=2)
        assert (refused.value.param, refused.value.code) == ("n", "unsupported_parameter")
        image: Any = [{"type": "image_url", "image_url": {"url": "data:,"}}]
        with pytest.raises(openai.BadRequestError, match="read text only"):
            await create(model="bot/warm", messages=said(image))


async def test_a_body_that_is_too_large_is_told_so_while_it_is_sent() -> None:
    async with sdk(Scripted()) as client:
        with pytest.raises(openai.APIStatusError, match="more than 1,048,576 bytes") as refused:
            await client.chat.completions.create(model="bot/warm", messages=said("好" * 5_000_000))
        assert refused.value.status_code == 413
        await client.models.list()


async def test_a_stream_that_breaks_raises_in_the_middle() -> None:
    async with sdk(Scripted(fault=BackendError("the connection broke", kind="broken"), fault_after=2)) as client:
        stream = await client.chat.completions.create(model="bot/warm", messages=said("你好"), stream=True)
        heard = []

        async def listen() -> None:
            async for chunk in stream:
                heard.append(chunk.choices[0].delta.content)

        with pytest.raises(openai.APIError, match="the connection broke"):
            await listen()
    assert heard == ["", "听起来", "这段日子"]


async def test_closing_a_stream_early_ends_it_at_its_source() -> None:
    service = Scripted(hold_after=1)
    async with sdk(service) as client:
        stream = await client.chat.completions.create(model="bot/warm", messages=said("你好"), stream=True)
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        await stream.close()
        await asyncio.wait_for(service.over.wait(), 5)
    assert service.under_way == 0


async def test_a_full_gateway_is_a_rate_limit_error_and_trying_again_helps() -> None:
    service = Scripted(hold_after=0)
    async with sdk(service, at_once=1, queue=0) as client:
        first = asyncio.create_task(client.chat.completions.create(model="bot/warm", messages=said("一")))
        await service.holding.wait()
        with pytest.raises(openai.RateLimitError) as busy:
            await client.chat.completions.create(model="bot/warm", messages=said("二"))
        assert busy.value.code == "busy"
        assert int(busy.value.response.headers["retry-after"]) >= 1
        service.go.set()
        await first
        await client.chat.completions.create(model="bot/warm", messages=said("二"))


async def test_keys_are_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    _, secret = new_key(file, "lab", [Scope.BOTS], per_minute=1)
    services = (Scripted(), Scripted(name="client/a", counselor=False))
    async with sdk(*services, keys=KeyRing(file), key=secret) as client:
        await client.chat.completions.create(model="bot/warm", messages=said("你好"))
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(model="bot/warm", messages=said("你好"))
        with pytest.raises(openai.PermissionDeniedError):
            await client.models.retrieve("client/a")
        with pytest.raises(openai.AuthenticationError, match="not known"):
            await client.with_options(api_key="pk-guess").models.list()


async def test_risk_is_told_in_a_header_and_the_banner_is_off_for_simulations() -> None:
    async with sdk(Scripted(), banner={"country": "GB"}) as client:
        raw = await client.chat.completions.with_raw_response.create(model="bot/warm", messages=said("I want to kill myself"))
        assert raw.headers["x-practicum-risk"] == "suicide"
        assert (raw.parse().choices[0].message.content or "").startswith(crisis_text("GB", "en"))
        plain = await client.chat.completions.create(
            model="bot/warm", messages=said("I want to kill myself"), extra_headers=dict(NO_BANNER), temperature=0.3, presence_penalty=1
        )
        assert plain.choices[0].message.content == "That sounds very hard. Go on."
