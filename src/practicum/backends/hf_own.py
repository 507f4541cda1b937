"""Models that are asked through a `.chat()` of their own (ChatGLM, InternLM2 families: code that comes with the weights).

They draw from torch's global generator, so that they answer one at a time, in a random state that is put back afterwards.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from practicum.backends.base import Request
from practicum.backends.hf_cache import common_prefix
from practicum.backends.hf_load import Weights
from practicum.backends.hf_prompt import shown_messages
from practicum.backends.hf_row import Row
from practicum.backends.hf_text import BROKEN, Speech
from practicum.errors import BackendError

_FAULTS = (RuntimeError, ValueError, TypeError, AttributeError, LookupError, NotImplementedError, ImportError)
"""What foreign code raises where its arguments or this transformers will not do."""


def answer_by_own(row: Row, weights: Weights, tell: Callable[[str], None]) -> None:
    """Answer a row through the model's own `.chat()`, or `.stream_chat()` if it streams and the model has one.

    Args:
        row: It is given its text, or its error.
        weights: The model.
        tell: Called with each piece that can be said, before the row is finished.
    """
    import torch

    chosen = torch.device(weights.device)
    devices = [chosen.index or 0] if chosen.type == "cuda" else []
    try:
        query = _query(row.request, weights)
        with torch.random.fork_rng(devices=devices), torch.inference_mode():
            torch.manual_seed(row.seed)
            _answer(row, weights, query, tell)
    except BackendError as error:
        row.error = error
    except _FAULTS as error:
        row.error = BackendError(f"{weights.name}: the model's own .chat() failed: {type(error).__name__}: {error}", kind="model")


def _query(request: Request, weights: Weights) -> str:
    name = weights.name
    if not hasattr(weights.model, "chat"):
        raise BackendError(f"{name}: the model has no .chat() of its own; set model.own = false in the bot file", kind="model")
    messages = shown_messages(request)
    if any(message.role == "system" for message in messages):
        raise BackendError(
            f"{name}: the model's own .chat() takes no system message; put the instruction into the transcript (form = transcript)",
            kind="model",
        )
    if len(messages) != 1:
        raise BackendError(
            f"{name}: the model's own .chat() is asked one message, got {len(messages)}; show the session as one text (form = transcript)",
            kind="model",
        )
    return messages[0].content


def _answer(row: Row, weights: Weights, query: str, tell: Callable[[str], None]) -> None:
    tokenizer = weights.tokenizer
    row.prompt_tokens = _count(tokenizer, query)
    speech = Speech(row.request.stop)
    if row.streaming and hasattr(weights.model, "stream_chat"):
        _stream(row, weights, query, speech, tell)
    else:
        speech.feed(_ask(weights.model.chat, weights, query, row)[0])
    row.piece = speech.take(last=True)
    row.text, row.reasoning = speech.said, speech.reasoning
    row.completion_tokens = _count(tokenizer, row.text)
    row.finish = "stop" if speech.stopped else ""  # why it ended, the model does not say


def _stream(row: Row, weights: Weights, query: str, speech: Speech, tell: Callable[[str], None]) -> None:
    before = fed = ""
    for text, *_ in _ask(weights.model.stream_chat, weights, query, row):
        if row.gone or speech.stopped:
            return
        # Some mend a comma once they know what follows it: what two texts agree on is safe.
        agreed = text[: common_prefix(before, text)].rstrip(BROKEN)
        if len(agreed) > len(fed):
            speech.feed(agreed[len(fed) :])
            fed = agreed
        if piece := speech.take():
            tell(piece)
        before = text
    speech.feed(before[len(fed) :].rstrip(BROKEN))


def _ask(call: Callable[..., Any], weights: Weights, query: str, row: Row) -> Any:
    """Call with what the signature names, or would take by `**`; what the bot's file asks for is passed in any case."""
    named = inspect.signature(call).parameters
    anything = any(one.kind is one.VAR_KEYWORD for one in named.values())
    sampling = row.request.sampling
    asked: dict[str, Any] = {}
    if sampling.temperature == 0:
        asked["do_sample"] = False
    else:
        asked |= {"temperature": sampling.temperature, "top_p": sampling.top_p}
    if "max_new_tokens" in named or anything:
        asked["max_new_tokens"] = sampling.max_tokens
    elif sampling.max_tokens is not None:
        asked["max_length"] = row.prompt_tokens + sampling.max_tokens
    kept = {name: value for name, value in asked.items() if value is not None and (anything or name in named)}
    return call(weights.tokenizer, query, **{"history": [], **kept, **(row.request.own or {})})


def _count(tokenizer: Any, text: str) -> int:
    """Return the tokens of a text; the marks that the model's own code puts around it are not known."""
    return len(tokenizer(text, add_special_tokens=False).input_ids)
