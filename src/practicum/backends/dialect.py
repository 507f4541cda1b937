"""What an endpoint's flavour of the OpenAI protocol takes and gives: parameters out, answers in."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from practicum.backends.base import KEPT_CHANCES, Constraint, TokenChances
from practicum.backends.reasoning import split_reasoning
from practicum.core import Form, Sampling

OPTIONAL = ("seed", "temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "stream_options")
"""Parameters that may be left out when a server refuses them."""
_REFUSAL = re.compile(r"unsupported|not support|unrecogni[sz]ed|unknown|unexpected|not permitted|not allowed|extra", re.IGNORECASE)

_MOST_CACHED = 256


class MalformedError(Exception):
    """A 200 whose body is no chat completion: cut off, or something else altogether."""


NOT_SUCH = (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError)
"""What reading JSON of another shape raises."""


class Tokens(NamedTuple):
    """What an answer took; zeros where the server does not say."""

    prompt: int
    completion: int
    cached: int
    """Of the prompt's, those whose state the server still held."""


class Answered(NamedTuple):
    """What stands in a good answer."""

    text: str
    """Stripped, reasoning taken out; "" if nothing was said."""
    reasoning: str
    finish: str
    model: str
    request_id: str
    tokens: Tokens
    chances: tuple[TokenChances, ...] = ()


@lru_cache(maxsize=256)
def encode_extras(form: Form, logprobs: int, constraint: Constraint | None) -> bytes:
    """Return what a request wants besides, as the beginning of a list of JSON members: `"logprobs":true,…,`, or nothing."""
    wanted: dict[str, Any] = {}
    if logprobs:
        wanted |= {"logprobs": True, "top_logprobs": logprobs} if form is Form.CHAT else {"logprobs": logprobs}
    if constraint is not None:
        wanted |= {"structured_outputs": {"regex": constraint.regex}, "grammar": constraint.grammar}
    return orjson.dumps(wanted)[1:-1] + b"," if wanted else b""


def sampling_members(sampling: Sampling) -> dict[str, Any]:
    """Return what a body says of sampling: nothing of what is left to the model's own default."""
    wanted = {"temperature": sampling.temperature, "top_p": sampling.top_p, "max_tokens": sampling.max_tokens}
    return {name: value for name, value in wanted.items() if value is not None}


class Dialect:
    """The parameters that one endpoint takes, learnt from its refusals."""

    def __init__(self) -> None:
        self.version = 0
        """Rises with each thing learnt: a body made under an older version is worth sending again."""
        self._dropped: set[str] = set()
        self._renamed: dict[str, str] = {}
        self.thinks_unmarked = False
        """Thoughts have come that only a closing mark ended: the opening one is sent with the prompt (see `Speech`)."""
        self._cache: dict[tuple[Sampling, tuple[str, ...], bool], bytes] = {}

    def encode(self, sampling: Sampling, stop: tuple[str, ...], seed: int, *, streamed: bool = False) -> bytes:
        """Return the parameters as the end of a JSON object: `"temperature":1.0,…,"seed":7}`."""
        fixed = self._cache.get((sampling, stop, streamed))
        if fixed is None:
            wanted = sampling_members(sampling)
            if stop:
                wanted["stop"] = list(stop)
            wanted["stream"] = streamed
            if streamed:
                wanted["stream_options"] = {"include_usage": True}
            kept = {self._renamed.get(name, name): value for name, value in wanted.items() if name not in self._dropped}
            fixed = orjson.dumps(kept)[1:-1]
            if len(self._cache) >= _MOST_CACHED:  # callers of a gateway choose their own
                self._cache.clear()
            self._cache[sampling, stop, streamed] = fixed
        return fixed + (b"}" if "seed" in self._dropped else b',"seed":%d}' % seed)

    def learn(self, body: bytes) -> str | None:
        """Learn from the body of a 400; return what to tell the user, or None if it names no parameter that can go."""
        message, param = _error_of(body)
        if "max_completion_tokens" in message and "max_tokens" not in self._renamed:
            self._renamed["max_tokens"] = "max_completion_tokens"
            note = "takes max_completion_tokens in place of max_tokens"
        else:
            param = param.partition(".")[0]
            named = param if param in OPTIONAL else next((name for name in OPTIONAL if re.search(rf"\b{name}\b", message)), None)
            if named is None or named in self._dropped or not _REFUSAL.search(message):
                return None
            self._dropped.add("max_tokens" if named == "max_completion_tokens" else named)
            note = f"does not take {named}: calls go without it"
        self.version += 1
        self._cache.clear()
        return note


def _error_of(body: bytes) -> tuple[str, str]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body[:500].decode(errors="replace"), ""
    error = found.get("error", found) if isinstance(found, dict) else found
    if not isinstance(error, dict):
        return str(error), ""
    return str(error.get("message") or error.get("detail") or error), str(error.get("param") or "")


def error_text(body: bytes) -> str:
    """Return what a server says of an error: one line, at most 300 characters."""
    return " ".join(_error_of(body)[0].split())[:300]


def error_code(body: bytes) -> str:
    """Return the error's code or type, "" if it has none."""
    try:
        error = orjson.loads(body).get("error")
        return str(error.get("code") or error.get("type") or "")
    except (orjson.JSONDecodeError, AttributeError):
        return ""


def read_chances(logprobs: Any) -> tuple[TokenChances, ...]:
    """Read the `logprobs` of a choice, in the chat's shape or in that of raw completions; the last `KEPT_CHANCES` places."""
    if content := logprobs.get("content"):
        return tuple(
            TokenChances(place["token"], {one["token"]: float(one["logprob"]) for one in [*(place.get("top_logprobs") or ()), place]})
            for place in content[-KEPT_CHANCES:]
        )
    tokens, tops = logprobs.get("tokens") or (), logprobs.get("top_logprobs") or ()
    return tuple(
        TokenChances(token, {name: float(chance) for name, chance in (top or {}).items()})
        for token, top in list(zip(tokens, tops, strict=True))[-KEPT_CHANCES:]
    )


def read_usage(usage: Any) -> Tokens:
    """Read the `usage` of an answer, or of the last event of a stream."""
    usage = usage or {}
    details = usage.get("prompt_tokens_details") or {}
    return Tokens(int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0), int(details.get("cached_tokens") or 0))


def read_answer(body: bytes) -> Answered:
    """Read the body of a 200, from `/chat/completions` or `/completions`.

    Raises:
        MalformedError: Not such an answer.
    """
    try:
        whole = orjson.loads(body)
        choice = whole["choices"][0]
        message = choice.get("message")
        if message is None:
            said, thought = choice["text"], None
        else:
            said, thought = message.get("content"), message.get("reasoning_content") or message.get("reasoning")
        inline, text = split_reasoning(said or "")
        return Answered(
            text=text.strip(),
            reasoning=thought or inline,
            finish=choice.get("finish_reason") or "",
            model=whole.get("model") or "",
            request_id=whole.get("id") or "",
            tokens=read_usage(whole.get("usage")),
            chances=read_chances(choice["logprobs"]) if choice.get("logprobs") else (),
        )
    except NOT_SUCH as problem:
        raise MalformedError(f"{type(problem).__name__}: {body[:80]!r}") from None
