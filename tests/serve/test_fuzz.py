"""Whatever is sent, it is answered in a way that the OpenAPI document allows. Ten minutes of it are figure 23."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings

from benchmarks.gateway_fuzz import ask_hostilely, ask_well, draw_request, narrow, run_schemathesis
from tests.serve.conftest import Scripted, app_of, ask, call, listening

BOUNDED = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), phases=[Phase.generate])


def documented(app: FastAPI) -> dict[str, Any]:
    """Return the document of an application, telling which bot there is."""
    document: dict[str, Any] = app.openapi()
    document["components"]["schemas"]["ChatBody"]["properties"]["model"]["enum"] = ["bot/warm"]
    return document


async def test_what_the_document_allows_or_forbids_is_answered_as_it_says(tmp_path: Path) -> None:
    app = app_of(Scripted())
    async with listening(app) as address:
        report = await asyncio.to_thread(run_schemathesis, documented(app), address, 5, tmp_path)
    assert report["failures"] == report["errors"] == []
    assert report["test_cases"]["generated"]


def test_conversations_are_answered() -> None:
    app = app_of(Scripted())
    narrow(documented(app))
    statuses = set()
    schema: Any = schemathesis.openapi.from_asgi("/openapi.json", app, headers={"host": "localhost"})

    @BOUNDED
    @given(case=schema["/v1/chat/completions"]["POST"].as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE))
    def ask_for_it(case: Any) -> None:
        answer = case.call(headers={"host": "localhost"})
        # A document cannot say which values of n, tools and the like ask for too much.
        case.validate_response(answer, excluded_checks=[schemathesis.checks.positive_data_acceptance])
        statuses.add(answer.status_code)

    ask_for_it()
    assert 200 in statuses


async def test_hostile_requests_are_answered_and_the_gateway_lives_on(caplog: pytest.LogCaptureFixture) -> None:
    async with listening(app_of(Scripted())) as address:
        seen = await ask_hostilely(address, "bot/warm", 400)
        assert await asyncio.to_thread(ask_well, address, "bot/warm")
    assert sum(seen.values()) == 400
    assert {"200", "400"} <= seen.keys() <= {"200", "400", "403", "404", "405", "408", "413", "415", "431", "closed", "left"}
    assert "Traceback" not in caplog.text


def test_hostile_requests_are_the_same_every_time() -> None:
    assert draw_request(Random(7), "m") == draw_request(Random(7), "m")


HOSTILE: list[Any] = [
    b"\x1f\x8b\x08\x00" + bytes(500),
    b'{"model":"bot/warm","messages":' + b"[" * 50_000,
    json.dumps(ask("好")).encode("utf-16"),
    json.dumps(ask("\ud83d")).encode(),
    json.dumps(ask()).encode() + b"trailing",
    json.dumps(ask(seed=10**400)).encode(),
    json.dumps(ask(temperature=float("nan"))).encode(),
    json.dumps(ask(max_tokens=-(2**70))).encode(),
    json.dumps(ask(**{f"f{number}\r\n": "\r\nX-Evil: 1" for number in range(5_000)})).encode(),
]


@pytest.mark.parametrize("body", HOSTILE)
async def test_a_hostile_body_is_refused_or_harmless(body: bytes) -> None:
    answer = await call(app_of(Scripted()), body)
    assert answer.status in {200, 400}
    assert "x-evil" not in answer.headers
    assert len(answer.headers.get("x-practicum-ignored", "")) < 5_000
