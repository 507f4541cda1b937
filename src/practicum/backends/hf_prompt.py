"""What a request looks like to a model of transformers: tokens, and where the reply stops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from practicum.backends.base import Request
from practicum.backends.hf_load import Weights
from practicum.backends.hf_text import OPEN
from practicum.backends.templates import TEMPLATES
from practicum.core import Form, Message
from practicum.errors import BackendError

MOST_TOKENS = 2048
"""Of a reply that nobody has limited."""


class Prompt(NamedTuple):
    """A request as the model is given it."""

    tokens: list[int]
    limit: int
    """Most tokens of the reply."""
    stops: Sequence[str]
    ends: frozenset[int]
    """Tokens that end the reply: the model's own, and stops that are one token (its text might not show them)."""
    thinking: bool
    """The chat template has opened the model's thoughts."""


def shown_messages(request: Request) -> list[Message]:
    """Return the messages that are sent: no empty system message, the tail last."""
    tail = [] if request.tail is None else [request.tail]
    return [message for message in (*request.messages, *tail) if message.role != "system" or message.content]


def read_prompt(request: Request, weights: Weights) -> Prompt:
    """Turn a request into tokens.

    Raises:
        BackendError: The model's chat template refuses the messages (kind "model"), or they fill its context ("context").
    """
    tokenizer, name = weights.tokenizer, weights.name
    chat = request.form is Form.CHAT
    text = _chat_text(request, weights) if chat else _transcript_text(request)
    try:
        # A chat template writes its own mark of the beginning; raw text gets the tokenizer's.
        tokens: list[int] = tokenizer(text, add_special_tokens=not chat).input_ids
    except (TypeError, ValueError) as error:
        raise BackendError(f"{name}: the tokenizer refused the text: {error}", kind="model") from error
    room = weights.context - len(tokens) if weights.context else MOST_TOKENS + (request.sampling.max_tokens or 0)
    if room < 1 or not tokens:
        raise BackendError(
            f"{name}: the session has outgrown the context ({len(tokens)} tokens, {weights.context} fit with the reply); "
            "use fewer exchanges, or a window",
            kind="context",
        )
    stated = getattr(getattr(weights.model, "generation_config", None), "max_new_tokens", None)
    stops = list(request.stop) if chat else [*request.stop, *TEMPLATES[request.template].stop]
    single = tokenizer.get_added_vocab()
    return Prompt(
        tokens=tokens,
        limit=min(room, request.sampling.max_tokens or stated or MOST_TOKENS),
        stops=stops,
        ends=weights.ends | {single[stop] for stop in stops if stop in single},
        thinking=chat and text.rstrip().endswith(OPEN),
    )


def _chat_text(request: Request, weights: Weights) -> str:
    from jinja2.exceptions import TemplateError

    messages = shown_messages(request)
    if not weights.tokenizer.chat_template:
        raise BackendError(
            f"{weights.name}: the model has no chat template; ask it in the transcript form (form = transcript)", kind="model"
        )
    try:
        text: str = weights.tokenizer.apply_chat_template(
            [message._asdict() for message in messages], add_generation_prompt=True, tokenize=False
        )
    except (TemplateError, TypeError, ValueError) as error:
        advice = ""
        if any(message.role == "system" for message in messages):
            advice = "; if it takes no system message, use a bot without an instruction (prompt.text = ''), or form = transcript"
        raise BackendError(f"{weights.name}: the model's chat template refuses the messages: {error}{advice}", kind="model") from error
    return text


def _transcript_text(request: Request) -> str:
    template = TEMPLATES[request.template]
    tail = [] if request.tail is None else [request.tail]
    system, *lines = (message.content for message in (*request.messages, *tail))
    return template.before + system + template.between + "\n".join(lines) + template.after + request.cue
