"""Drawing the next token of each row, by its own sampling and its own seed, with the library's warpers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from practicum.backends.base import Request, TokenChances
from practicum.backends.hf_load import Weights

if TYPE_CHECKING:
    from torch import Generator, Tensor

TOP_K = 50
"""Where a model's generation config states none: what `generate` of transformers does, with which models were published."""

Warp = Callable[[Any, Any], Any]


class Settings(NamedTuple):
    """How a row's next token is drawn; rows with the same settings are warped together."""

    temperature: float
    """0: the likeliest token, and nothing is drawn."""
    top_k: int
    """0: all."""
    top_p: float
    min_p: float
    penalty: float
    """On what stands in the prompt or has been said; 1: none."""


def read_settings(request: Request, weights: Weights) -> Settings:
    """Return a request's settings: its own, then what the model's generation config states, then the library's defaults."""

    def stated(name: str, default: float) -> float:
        value = getattr(getattr(weights.model, "generation_config", None), name, None)
        return default if value is None else float(value)

    asked = request.sampling
    usual = stated("temperature", 1.0) if stated("do_sample", 0.0) else 0.0
    return Settings(
        temperature=usual if asked.temperature is None else asked.temperature,
        top_k=int(stated("top_k", TOP_K)),
        top_p=stated("top_p", 1.0) if asked.top_p is None else asked.top_p,
        min_p=stated("min_p", 0.0),
        penalty=1.0 if request.steady else stated("repetition_penalty", 1.0),
    )


@lru_cache(maxsize=256)
def _warpers(settings: Settings) -> Sequence[Warp]:
    """Return what `generate` would do with these settings, in its order."""
    from transformers import MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    found: list[Warp] = []
    if settings.temperature != 1.0:
        found.append(TemperatureLogitsWarper(settings.temperature))
    if settings.top_k:
        found.append(TopKLogitsWarper(settings.top_k))
    if settings.top_p < 1.0:
        found.append(TopPLogitsWarper(settings.top_p))
    if settings.min_p:
        found.append(MinPLogitsWarper(settings.min_p))
    return found


class Draw(NamedTuple):
    """What a draw needs to know of a row."""

    settings: Settings
    generator: Generator
    tokens: Sequence[int]
    """Prompt and reply so far."""


def draw_tokens(draws: Sequence[Draw], logits: Tensor) -> list[int]:
    """Return the next token of each row.

    Args:
        draws: One a row.
        logits: (rows, vocabulary), float32.
    """
    import torch
    from transformers import RepetitionPenaltyLogitsProcessor

    scores = logits
    groups: dict[Settings, list[int]] = {}
    for number, draw in enumerate(draws):
        groups.setdefault(draw.settings, []).append(number)
        if draw.settings.penalty != 1.0:  # rows of different lengths: one by one
            said = torch.tensor([draw.tokens], device=logits.device)
            one = RepetitionPenaltyLogitsProcessor(draw.settings.penalty)(said, logits[number : number + 1])
            scores = scores.index_copy(0, torch.tensor([number], device=logits.device), one)
    chosen = scores.argmax(dim=-1)
    for settings, numbers in groups.items():
        if not settings.temperature:
            continue
        part = scores if len(groups) == 1 else scores[numbers]
        for warp in _warpers(settings):
            part = warp(None, part)
        chances = part.softmax(dim=-1)
        for place, number in enumerate(numbers):
            chosen[number] = torch.multinomial(chances[place], 1, generator=draws[number].generator)[0]
    found: list[int] = chosen.tolist()
    return found


def read_top(logits: Tensor, token: int, count: int, decode: Callable[[list[int]], str]) -> TokenChances:
    """Return a token and the `count` likeliest in its place, by the model's own distribution: nothing is warped."""
    logs = logits.log_softmax(dim=-1)
    best = logs.topk(min(count, logs.shape[-1]))
    top = {decode([one]): chance for one, chance in zip(best.indices.tolist(), best.values.tolist(), strict=True)}
    return TokenChances(decode([token]), top | {decode([token]): float(logs[token])})
