"""A request's body: what OpenAI's protocol allows of it, and what the gateway makes of that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from practicum.core import Message
from practicum.serve.config import BoundsConfig
from practicum.serve.crisis import without_banner
from practicum.serve.refusal import Refusal

SEEDS = 2**31
MOST_STOPS = 16


class Part(BaseModel):
    """A piece of a schema: what is not known is let in."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, use_attribute_docstrings=True)


class TextPart(Part):
    """A piece of a message."""

    type: Literal["text"]
    text: str


class ChatMessage(Part):
    """One message."""

    role: Literal["user", "assistant", "system", "developer"]
    """`system` and `developer` messages are ignored: a bot has instructions of its own."""
    content: str | list[TextPart]
    """Not blank where it is said by user or assistant."""


class StreamOptions(Part):
    """How to stream."""

    include_usage: bool | None = None
    """A last chunk tells the tokens."""


def _whole(value: Any) -> Any:
    """JSON knows no integers: 5.0 is one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = BeforeValidator(_whole)
Stop = Annotated[str, Field(min_length=1, max_length=1_000)]
MOST_TOKENS = 1_000_000
"""Of a reply; whoever asks for more, in a number of any size, has asked for no limit."""
Tokens = Annotated[int, Whole, Field(ge=1)]


class ChatBody(Part):
    """A question to a bot or a simulated client. Fields that are not listed are ignored and named in `X-Practicum-Ignored`."""

    model: str
    """`bot/NAME` or `client/PROFILE_ID`; `GET /v1/models` lists them."""
    messages: list[ChatMessage]
    stream: bool | None = None
    """The answer as server-sent events."""
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    """Lowers the bot's own limit, never raises it."""
    max_completion_tokens: Tokens | None = None
    """The same."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """Of bots that let the caller set it; ignored otherwise."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """As temperature."""
    stop: Stop | Annotated[list[Stop], Field(max_length=MOST_STOPS)] | None = None
    """Added to the bot's own."""
    seed: Annotated[int, Whole, Field(ge=-(2**63), lt=2**63)] | None = None
    """None: derived from the body, so that the same question has the same answer."""
    n: Annotated[Literal[1], Whole] | None = None
    """One answer a question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A body that has been understood."""

    model: str
    messages: tuple[Message, ...]
    """`user` and `assistant` only, none empty, without banners of earlier replies."""
    stream: bool
    with_usage: bool
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    stop: tuple[str, ...]
    seed: int
    """In [0, 2**31)."""
    ignored: tuple[str, ...]
    """Names of what was given and is not used, sorted; temperature and top_p are the service's matter."""

    @property
    def latest(self) -> str:
        """What the caller has said since the last reply."""
        said: list[str] = []
        for message in reversed(self.messages):
            if message.role != "user":
                break
            said.append(message.content)
        return "\n".join(reversed(said))


def read_question(body: bytes, bounds: BoundsConfig) -> Question:
    """Read a body.

    Raises:
        Refusal: 400; it is no JSON, not what the protocol allows, more than the bounds allow, or asks for what no bot can do.
    """
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise Refusal(400, f"the body is not JSON: {problem}", code="invalid_json") from None
    if not isinstance(data, dict):
        raise Refusal(400, "the body is not a JSON object", code="invalid_json")
    _refuse_what_no_bot_can(data)
    _refuse_too_long(data, bounds)
    try:
        asked = ChatBody.model_validate(data)
    except ValidationError as problem:
        raise _mistake(problem) from None
    messages = tuple(_spoken(asked.messages))
    if sum(len(message.content) for message in messages) > bounds.characters:
        raise _too_long(f"messages: more than {bounds.characters:,} characters in all")
    stop = (asked.stop,) if isinstance(asked.stop, str) else tuple(asked.stop or ())
    limits = [limit for limit in (asked.max_tokens, asked.max_completion_tokens) if limit is not None]
    return Question(
        model=asked.model,
        messages=messages,
        stream=bool(asked.stream),
        with_usage=bool(asked.stream and asked.stream_options and asked.stream_options.include_usage),
        max_tokens=min((min(limit, MOST_TOKENS) for limit in limits), default=None),
        temperature=asked.temperature,
        top_p=asked.top_p,
        stop=stop,
        seed=asked.seed % SEEDS if asked.seed is not None else int.from_bytes(blake2b(body, digest_size=4).digest()) % SEEDS,
        ignored=tuple(sorted(set(_ignored(asked)))),
    )


_HARMLESS: Mapping[str, Sequence[Any]] = {
    "logprobs": (False,),
    "top_logprobs": (0,),
    "tools": ([],),
    "functions": ([],),
    "tool_choice": ("none", "auto"),
    "function_call": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "modalities": (["text"],),
    "audio": (),
    "response_format": ({"type": "text"},),
}
"""Fields that ask for what no bot can do, and the values with which they do not."""


def _refuse_what_no_bot_can(data: Mapping[str, Any]) -> None:
    for name, harmless in _HARMLESS.items():
        if data.get(name) is not None and data[name] not in harmless:
            raise Refusal(400, f"{name}: not supported; bots answer in text, without tools", code="unsupported_parameter", param=name)
    if isinstance(n := data.get("n"), int) and n != 1:
        raise Refusal(400, "n: not supported; a question has one answer", code="unsupported_parameter", param="n")
    messages = data.get("messages")
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and isinstance(kind := part.get("type"), str) and kind != "text":
                raise Refusal(
                    400,
                    f"messages.{index}.content: parts of type {kind[:40]!r} are not supported; bots read text only",
                    code="unsupported_content",
                    param=f"messages.{index}.content",
                )


def _refuse_too_long(data: Mapping[str, Any], bounds: BoundsConfig) -> None:
    messages = data.get("messages")
    if isinstance(messages, list) and len(messages) > bounds.messages:
        raise _too_long(f"messages: {len(messages):,} of them; at most {bounds.messages:,} are read")


def _too_long(message: str) -> Refusal:
    return Refusal(400, message, code="context_length_exceeded", param="messages")


def _mistake(problem: ValidationError) -> Refusal:
    """Say what is wrong with the first field that is; what a caller has said is not repeated."""
    first = problem.errors(include_input=False, include_url=False, include_context=False)[0]
    path = [str(step) for step in first["loc"]]
    told = first["msg"][:1].lower() + first["msg"][1:]
    for name, expected in (("content", "text, or a list of text parts"), ("stop", f"text, or at most {MOST_STOPS} texts")):
        if name in path:  # what follows names branches of a union
            path, told = path[: path.index(name) + 1], f"expected {expected}"
    where = ".".join(path)
    return Refusal(
        400, f"{where}: {told}", code="missing_required_parameter" if first["type"] == "missing" else "invalid_value", param=where
    )


def _spoken(messages: Sequence[ChatMessage]) -> Iterator[Message]:
    """Yield what caller and bot have said."""
    for index, message in enumerate(messages):
        if message.role in {"system", "developer"}:
            continue
        content = message.content
        text = content if isinstance(content, str) else "\n".join(part.text for part in content)
        if not text.strip() or "\0" in text:
            where = f"messages.{index}.content"
            raise Refusal(400, f"{where}: blank, or with a NUL character; expected words", code="invalid_value", param=where)
        if message.role == "assistant":
            text = without_banner(text)
        if text:  # a reply that was cut off after its banner has said nothing
            yield Message(message.role, text)


def _ignored(asked: ChatBody) -> Iterator[str]:
    """Yield the names of what was given and is not used."""
    yield from (name for name, value in (asked.model_extra or {}).items() if value is not None and name not in _HARMLESS)
    if asked.stream_options is not None:
        if not asked.stream:
            yield "stream_options"
        yield from (f"stream_options.{name}" for name in asked.stream_options.model_extra or ())
    for message in asked.messages:
        if message.role in {"system", "developer"}:
            yield f"messages[{message.role}]"
        elif message.model_extra:
            yield from (f"messages.{name}" for name, value in message.model_extra.items() if value is not None)


class Usage(BaseModel):
    """What an answer took."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Answer(BaseModel):
    """What a bot says."""

    role: Literal["assistant"]
    content: str


class AnswerChoice(BaseModel):
    """The only choice."""

    index: Literal[0]
    message: Answer
    finish_reason: Literal["stop", "length", "content_filter"]


class ChatAnswer(BaseModel):
    """An answer, whole."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[AnswerChoice]
    usage: Usage


class ModelCard(BaseModel):
    """A bot or a simulated client."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: Literal["practicum"]
    description: str


class ModelList(BaseModel):
    """All that a caller may ask."""

    object: Literal["list"]
    data: list[ModelCard]


class ErrorInfo(BaseModel):
    """Why there is no answer."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """An error, as OpenAI's protocol shapes it."""

    error: ErrorInfo
