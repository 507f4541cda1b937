"""The gateway as an application: its routes, and their OpenAPI document."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse

from practicum.core.version import VERSION
from practicum.serve.config import ServeConfig
from practicum.serve.door import CHAT, Door
from practicum.serve.gateway import TRACE, Gateway
from practicum.serve.keys import Key, KeyRing
from practicum.serve.readiness import Readiness
from practicum.serve.refusal import Refusal
from practicum.serve.schema import ChatAnswer, ChatBody, ErrorBody, ModelCard, ModelList
from practicum.serve.service import Service

_JSON = "application/json"
_ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorBody, "description": "The request cannot be answered as it is."},
    "5XX": {"model": ErrorBody, "description": "The model behind cannot answer."},
}
_CODES = {404: "not_found", 405: "method_not_allowed"}


def make_app(
    services: Sequence[Service],
    config: ServeConfig,
    *,
    keys: KeyRing | None,
    at_once: int,
    clock: Callable[[], float],
    ticks: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """Return the application that serves these; its gateway is `app.state.gateway`. See `Gateway`.

    Raises:
        ConfigError: Two services have one name, or the banner's country is not known.
    """
    gateway = Gateway(services, config, keys=keys, at_once=at_once, clock=clock, ticks=ticks)
    app = FastAPI(
        title="practicum",
        version=VERSION,
        description="Counselor bots and simulated clients. Nothing here is therapy.",
        docs_url=None,  # its page would fetch code from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # what is said here is nobody else's
    )
    app.state.gateway = gateway
    app.add_middleware(Door, gateway=gateway)
    app.add_exception_handler(Refusal, _tell_refusal)
    app.add_exception_handler(HTTPException, _tell_http_error)
    app.add_exception_handler(Exception, _tell_bug)
    _add_chat(app)
    _add_models(app, gateway)
    _add_health(app, gateway, Readiness(services, clock=ticks))
    _describe(app)
    return app


def _add_chat(app: FastAPI) -> None:
    async def chat() -> Response:
        raise NotImplementedError  # the door takes questions past here; the route documents them and refuses other methods

    app.add_api_route(
        CHAT,
        chat,
        methods=["POST"],
        summary="Say something, and hear the answer",
        response_model=None,
        responses={200: {"model": ChatAnswer, "content": {"text/event-stream": {}}, "description": "The answer."}, **_ERRORS},
        openapi_extra={
            "requestBody": {"required": True, "content": {_JSON: {"schema": {"$ref": "#/components/schemas/ChatBody"}}}},
            "parameters": [
                {
                    "name": "X-Practicum-Banner",
                    "in": "header",
                    "required": False,
                    "schema": {"type": "string", "enum": ["on", "off"]},
                    "description": "off: no crisis lines before the answer; for simulated sessions.",
                }
            ],
        },
    )


def _add_models(app: FastAPI, gateway: Gateway) -> None:
    def card(service: Service) -> dict[str, Any]:
        created = int(gateway.begun)
        return {"id": service.name, "object": "model", "created": created, "owned_by": "practicum", "description": service.about}

    async def list_models(request: Request) -> Response:
        return _json({"object": "list", "data": [card(service) for service in gateway.open_to(_key(request))]})

    async def retrieve_model(request: Request, model: str) -> Response:
        return _json(card(gateway.find(model, _key(request))))

    app.add_api_route(
        "/v1/models",
        list_models,
        methods=["GET"],
        summary="List who can be asked",
        response_model=None,
        responses={200: {"model": ModelList}, **_ERRORS},
    )
    app.add_api_route(
        "/v1/models/{model:path}",
        retrieve_model,
        methods=["GET"],
        summary="Look at one of them",
        response_model=None,
        responses={200: {"model": ModelCard}, **_ERRORS},
    )


def _add_health(app: FastAPI, gateway: Gateway, readiness: Readiness) -> None:
    async def healthz(request: Request) -> Response:
        return _json({"alive": True})

    async def readyz(request: Request) -> Response:
        missing = await readiness.missing()
        if not missing:
            return _json({"ready": True})
        # Addresses of servers are not for everybody.
        told = len(missing) if gateway.guarded and _key(request) is None else missing
        return _json({"ready": False, "missing": told}, status=503)

    async def metrics(request: Request) -> Response:
        return PlainTextResponse(gateway.metrics.render(), media_type="text/plain; version=0.0.4")

    app.add_api_route("/healthz", healthz, methods=["GET"], summary="Whether the gateway lives", response_model=None)
    app.add_api_route(
        "/readyz",
        readyz,
        methods=["GET"],
        summary="Whether the models behind can answer",
        response_model=None,
        responses={503: {"description": "What is missing."}},
    )
    app.add_api_route(
        "/metrics",
        metrics,
        methods=["GET"],
        summary="Counters for Prometheus",
        response_model=None,
        response_class=PlainTextResponse,
        responses=_ERRORS,
    )


def _describe(app: FastAPI) -> None:
    """Give the app an OpenAPI document that holds the body's schema too: the body is read by ourselves, so FastAPI does not know it."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            body = ChatBody.model_json_schema(ref_template="#/components/schemas/{model}")
            document["components"]["schemas"] |= body.pop("$defs") | {"ChatBody": body}
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _key(request: Request) -> Key | None:
    key: Key | None = request.scope[TRACE].key
    return key


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status_code=status, media_type=_JSON)


async def _tell_refusal(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)  # noqa: S101 - registered for it
    request.scope[TRACE].why = refusal.code or ""
    return Response(refusal.body, status_code=refusal.status, headers=dict(refusal.headers), media_type=_JSON)


async def _tell_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    message = f"{request.method} {request.scope['path'][:200]}: {error.detail}"
    return await _tell_refusal(request, Refusal(error.status_code, message, code=_CODES.get(error.status_code), headers=error.headers))


async def _tell_bug(request: Request, error: Exception) -> Response:
    return await _tell_refusal(request, Refusal(500, "a mistake of the gateway; its log tells more", code="internal"))
