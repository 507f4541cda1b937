"""Which tokens of a session a model learns: the counselor's words and the mark that ends them, and nothing else.

Trainers mask by patching the model's chat template, for the templates that they know; Qwen2's and deepseek-llm-chat's are not among
them. Here the session is rendered up to each reply, and the characters that a reply adds are mapped to tokens: that holds for any
template that only appends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from practicum.errors import TrainingError

IGNORED = -100
"""The label of a token that is not learnt; what torch's cross entropy leaves out."""

Messages = Sequence[Mapping[str, str]]
"""`{"role": system|user|assistant, "content": …}`, the counselor being the assistant."""


class Tokenizer(Protocol):
    """What is used of a transformers tokenizer; it must be a fast one, for only those know where their tokens stand."""

    def apply_chat_template(self, conversation: Any, *, tokenize: bool, add_generation_prompt: bool) -> Any:
        """Render messages as text."""
        ...

    def __call__(self, text: str, *, add_special_tokens: bool, return_offsets_mapping: bool) -> Mapping[str, Any]:
        """Return `input_ids` and `offset_mapping` (characters)."""
        ...


class Span(NamedTuple):
    """Characters of a rendered session."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """A session, or a window of one, as a trainer takes it."""

    input_ids: list[int]
    labels: list[int]
    """As `input_ids`, `IGNORED` where nothing is learnt."""

    @property
    def learnt(self) -> int:
        """Tokens that count in the loss."""
        return sum(label != IGNORED for label in self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A session as the model's template writes it, and where the replies stand."""

    text: str
    replies: tuple[Span, ...]
    """One for each assistant message, from the end of the generation prompt to the end mark, which belongs to it."""
    ends: tuple[int, ...]
    """For each message, where the text stands that its rendering has added."""


def render(tokenizer: Tokenizer, messages: Messages) -> Rendered:
    """Render a session and find its replies.

    Raises:
        TrainingError: The template refuses these messages, or rewrites what it has written before.
    """
    whole = _render(tokenizer, messages, cue=False)
    replies, ends = [], []
    for index, message in enumerate(messages):
        upto = whole if index == len(messages) - 1 else _render(tokenizer, messages[: index + 1], cue=False)
        if not whole.startswith(upto):
            raise TrainingError(_rewrites(index, whole, upto))
        ends.append(len(upto))
        if message["role"] != "assistant":
            continue
        before = _render(tokenizer, messages[:index], cue=True)
        if not upto.startswith(before):
            raise TrainingError(_rewrites(index, upto, before))
        # What a template writes after its end mark (a line break) is never generated: it is not learnt.
        replies.append(Span(len(before), len(upto.rstrip())))
    return Rendered(text=whole, replies=tuple(replies), ends=tuple(ends))


def _render(tokenizer: Tokenizer, messages: Messages, *, cue: bool) -> str:
    from jinja2 import TemplateError

    if not messages:
        return ""
    try:
        return str(tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=cue))
    except (TemplateError, ValueError) as problem:
        raise TrainingError(
            f"the model's chat template refuses a session: {problem}; is the base a chat model, and does it take a system role?"
        ) from None


def _rewrites(index: int, whole: str, part: str) -> str:
    at = next((i for i, (a, b) in enumerate(zip(whole, part, strict=False)) if a != b), min(len(whole), len(part)))
    return (
        f"the model's chat template does not only append: with message {index + 1} it writes {part[at : at + 40]!r} where the whole "
        f"session has {whole[at : at + 40]!r}; which tokens are the counselor's cannot be told"
    )


def encode(tokenizer: Tokenizer, messages: Messages) -> Encoded:
    """Tokenize a session, and label the tokens of its replies.

    Args:
        tokenizer: The base model's.
        messages: Optionally a system message, then user and assistant in turn.

    Raises:
        TrainingError: The template cannot be used (see `render`), or a token holds both a reply and what stands before it.
    """
    rendered = render(tokenizer, messages)
    tokens = tokenizer(rendered.text, add_special_tokens=False, return_offsets_mapping=True)
    ids, offsets = tokens["input_ids"], tokens["offset_mapping"]
    labels = [IGNORED] * len(ids)
    spans = iter(rendered.replies)
    span = next(spans, None)
    for index, (start, end) in enumerate(offsets):
        while span is not None and start >= span.end:
            span = next(spans, None)
        if span is None:
            break
        if start < span.start < end:
            raise TrainingError(
                f"the token {rendered.text[start:end]!r} joins the end of the prompt to the beginning of a reply: at inference the model "
                "would never be shown it; this template and tokenizer do not fit each other"
            )
        if span.start <= start and end <= span.end and end > start:
            labels[index] = ids[index]
    return Encoded(input_ids=list(ids), labels=labels)
