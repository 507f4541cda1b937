"""What a caller is told when there is no answer: a status, and an error as OpenAI's protocol shapes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from practicum.errors import BackendError, ConfigError, EndpointError, PracticumError

ENDPOINT_SECONDS = 10
"""When to ask again where a model's server is away."""

_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


class Refusal(Exception):  # noqa: N818 - no failure of ours: an answer that is no
    """A request that is not answered. Raised inside the gateway only, and turned into an answer at its door."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        """A short stable word; None where the status says enough."""
        self.param = param
        """The field of the body that is at fault, dotted."""
        self.headers: Mapping[str, str] = headers or {}

    @property
    def error(self) -> dict[str, Any]:
        """The body of the answer, JSON-like."""
        kind = _TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    @property
    def body(self) -> bytes:
        """The body of the answer."""
        return orjson.dumps(self.error)


def too_many(message: str, *, code: str, seconds: int) -> Refusal:
    """Return what a caller is told who should come back in so many seconds."""
    return Refusal(429, message, code=code, headers={"Retry-After": str(seconds)})


def refusal_of(error: PracticumError) -> Refusal:
    """Return what a caller is told of a service's failure."""
    match error:
        case BackendError(kind="context"):
            return Refusal(400, str(error), code="context_length_exceeded", param="messages")
        case BackendError():
            return Refusal(502, f"the model behind failed: {error}", code=error.kind)
        case EndpointError():
            return Refusal(503, f"the model behind is away: {error}", code="endpoint", headers={"Retry-After": str(ENDPOINT_SECONDS)})
        case ConfigError():
            return Refusal(400, str(error))
        case _:
            return Refusal(502, f"the model behind failed: {error}")
