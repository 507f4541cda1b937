"""A caller who leaves, a body that does not come, a gateway that stops: nothing goes on for nobody, and no place is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from practicum.serve.gateway import Gateway
from practicum.serve.refusal import Refusal
from practicum.serve.relay import Caller, Gone
from tests.serve.conftest import Asking, Scripted, app_of, ask, call, get


def places(app: Any) -> tuple[int, int]:
    gateway: Gateway = app.state.gateway
    assert not gateway._callers
    return gateway.gate.serving, gateway.gate.waiting


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("after", [0, 2])
async def test_who_leaves_ends_the_answer_at_its_source(after: int, *, stream: bool) -> None:
    service = Scripted(hold_after=after)
    app = app_of(service)
    async with Asking(app, ask(stream=stream)) as asking:
        await service.holding.wait()
        asking.leave()
        await asyncio.wait_for(service.over.wait(), 5)
        await asking.task  # it ends as if nothing had happened
    assert places(app) == (0, 0)
    assert 'outcome="left"} 1.0' in (await get(app, "/metrics")).body.decode()
    assert bool(asking.sent) is (stream and after > 0)


async def test_who_leaves_the_line_takes_nobodys_place() -> None:
    service = Scripted(hold_after=1)
    app = app_of(service, at_once=1)
    async with Asking(app, ask("一")) as first, Asking(app, ask("二", stream=True)) as second, Asking(app, ask("三")) as third:
        await service.holding.wait()
        second.leave()
        await second.task
        service.go.set()
        assert (await first.answer()).status == (await third.answer()).status == 200
    assert [asked.messages[0].content for asked in service.asked] == ["一", "三"]
    assert places(app) == (0, 0)


async def test_who_leaves_while_the_body_comes_has_asked_nothing() -> None:
    service = Scripted()
    app = app_of(service)
    async with Asking(app, b'{"model":', whole=False) as asking:
        asking.leave()
        await asking.task
    assert not asking.sent
    assert not service.asked
    assert places(app) == (0, 0)
    assert 'model="-",outcome="left"} 1.0' in (await get(app, "/metrics")).body.decode()


async def test_a_caller_who_leaves_at_the_end_is_not_cancelled_any_more() -> None:
    app = app_of(Scripted())
    async with Asking(app, ask(stream=True)) as asking:
        answer = await asking.answer()
        asking.leave()
    assert answer.events[-1] == "[DONE]"
    assert 'outcome="ok"} 1.0' in (await get(app, "/metrics")).body.decode()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_gateway_that_stops_tells_those_whom_it_cuts_off(*, stream: bool) -> None:
    service = Scripted(hold_after=1)
    app = app_of(service, at_once=1)
    async with Asking(app, ask(stream=stream)) as served, Asking(app, ask()) as waiting, Asking(app, b"{", whole=False) as sending:
        await service.holding.wait()
        app.state.gateway.stop()
        answers = [await asking.answer() for asking in (served, waiting, sending)]
    assert [answer.status for answer in answers] == [200 if stream else 503, 503, 503]
    told = answers[0].events[-1] if stream else answers[0].json
    assert told["error"]["code"] == "stopping"
    assert service.under_way == 0
    assert places(app) == (0, 0)
    assert 'model="bot/warm",outcome="stopped"} 2.0' in (await get(app, "/metrics")).body.decode()


async def test_a_cancellation_from_elsewhere_passes_through() -> None:
    service = Scripted(hold_after=1)
    app = app_of(service)
    async with Asking(app, ask()) as asking:
        await service.holding.wait()
        asking.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking.task
    assert service.under_way == 0
    assert places(app) == (0, 0)


async def test_a_cancellation_from_elsewhere_is_not_taken_for_a_leave() -> None:
    never = asyncio.Event()

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    callers: list[Caller] = []

    async def serve() -> None:
        with Caller(receive, set()) as caller:
            callers.append(caller)
            caller.watch()
            task.cancel()  # in the same moment as the leave
            await never.wait()

    task = asyncio.create_task(serve())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert callers[0].gone is None or callers[0].gone is Gone.LEFT


async def test_a_body_is_not_read_beyond_its_bound() -> None:
    app = app_of(Scripted(), bounds={"body": 1_000})
    async with Asking(app, b" " * 600, whole=False) as asking:
        asking.add(b" " * 600, more=True)
        answer = await asking.answer()  # the rest has not come yet
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")
    told = await call(app, b"", whole=False, headers={"content-length": "1001"})
    assert told.status == 413  # not a byte was waited for
    assert (await call(app, ask(), headers={"content-length": "9" * 5_000})).status == 413
    assert (await call(app, ask())).status == 200


async def test_a_body_may_come_in_pieces() -> None:
    app = app_of(Scripted())
    async with Asking(app, b'{"model": "bot/warm", "messages": [{"role": "user", "content": "\xe4\xbd', whole=False) as asking:
        asking.add(b'\xa0\xe5\xa5\xbd"}]}', more=False)
        assert (await asking.answer()).json["choices"][0]["message"]["content"] == "听起来这段日子很不容易。"


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    with Caller(asyncio.Event().wait, set()) as caller, pytest.raises(Refusal) as refused:  # type: ignore[arg-type]
        await caller.read(100, patience=0.01)
    assert (refused.value.status, refused.value.code) == (408, "timeout")


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": ""},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-encoding": "gzip"},
    ],
)
async def test_a_body_of_another_type_is_refused(headers: dict[str, str]) -> None:
    answer = await call(app_of(Scripted()), ask(), headers=headers)
    assert (answer.status, answer.error["code"]) == (415, "unsupported_media_type")


async def test_json_with_parameters_is_json() -> None:
    assert (await call(app_of(Scripted()), ask(), headers={"content-type": "Application/JSON; charset=utf-8"})).status == 200


async def test_a_piece_is_sent_in_the_moment_it_comes() -> None:
    service = Scripted(pieces=("一", '二"\n', "三"), hold_after=2)
    async with Asking(app_of(service), ask(stream=True)) as asking:
        await service.holding.wait()
        assert len(asking.sent) == 3  # the head, the first piece, the second
        assert asking.sent[2]["body"].endswith('"delta":{"content":"二\\"\\n"},"logprobs":null,"finish_reason":null}]}\n\n'.encode())
        service.go.set()
        assert (await asking.answer()).said == '一二"\n三'
