"""Many replies at once from one model: rows join and leave a batch between two steps.

Everything here runs in the one thread that owns the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from practicum.backends.base import KEPT_CHANCES
from practicum.backends.hf_cache import Found, PromptCache
from practicum.backends.hf_draw import Draw, draw_tokens, read_settings, read_top
from practicum.backends.hf_load import Weights
from practicum.backends.hf_prompt import read_prompt
from practicum.backends.hf_row import GONE, Row, Run
from practicum.backends.hf_states import States, cut, hold, join, merge, select, split, states_of
from practicum.backends.hf_text import Detokenizer, Speech
from practicum.errors import BackendError

if TYPE_CHECKING:
    from torch import Tensor

PREFILL_TOKENS = 8192
"""Of prompts that are computed together, their padding included: more would not be faster, only larger."""


class Decoder:
    """The running batch of one model."""

    def __init__(self, weights: Weights, cache: PromptCache, batch: int) -> None:
        self._weights = weights
        self._kept = cache
        self._batch = 1 if weights.alone else batch
        self._runs: list[Run] = []
        self._cache: Any = None
        """The model's own object for the states of all runs, each row's at its right end."""
        self._length = 0
        """Tokens of the longest row in it, padding included."""

    @property
    def room(self) -> int:
        """Rows that may join at the next step."""
        if self._weights.plain:
            return self._batch - len(self._runs)
        return 0 if self._runs else self._batch  # states of other kinds cannot be merged

    def step(self, joining: Sequence[Row]) -> None:
        """Let rows join and compute their first token, or compute the next one of all that run.

        A row whose step failed carries its error; what is no fault of the model's is raised.
        """
        import torch

        with torch.inference_mode():
            self._drop_gone()
            if joining:
                self._admit(joining)
            elif self._runs:
                self._advance()

    def _drop_gone(self) -> None:
        gone = [run for run in self._runs if run.row.gone]
        self._leave(gone)
        for run in gone:
            run.row.finish = GONE

    def _admit(self, joining: Sequence[Row]) -> None:
        ready: list[Run] = []
        for row in joining:
            try:
                ready.append(self._prepare(row))
            except BackendError as error:
                row.error = error
        for group in _groups(ready) if self._weights.plain else [ready]:
            if group:
                self._guarded(group, partial(self._first, group))

    def _prepare(self, row: Row) -> Run:
        import torch

        weights = self._weights
        prompt = read_prompt(row.request, weights)
        found = self._kept.find(row.request.thread, prompt.tokens) if weights.plain else Found(0, 0, None)
        tokens = list(prompt.tokens)
        generator = torch.Generator(weights.device).manual_seed(row.seed)
        row.prompt_tokens, row.cached_tokens = len(tokens), found.known
        return Run(
            row=row,
            prompt=prompt,
            found=found,
            draw=Draw(read_settings(row.request, weights), generator, tokens),
            tokens=tokens,
            held=len(tokens),
            decode=Detokenizer(self._decode),
            speech=Speech(prompt.stops, thinking=prompt.thinking),
        )

    def _decode(self, tokens: list[int]) -> str:
        text: str = self._weights.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def _guarded(self, runs: Sequence[Run], compute: Callable[[], None]) -> bool:
        try:
            compute()
        except RuntimeError as error:  # out of memory, or weights that overflow: these rows fail, the model stays
            self._kept.clear()  # what is kept may be what was too much
            for run in runs:
                run.row.error = BackendError(f"{self._weights.name}: the model failed: {str(error).splitlines()[0]}", kind="model")
            return False
        return True

    def _first(self, group: Sequence[Run]) -> None:
        """Compute what is new of each prompt, and the first token after it."""
        import torch

        device = self._weights.device
        known = [run.found.known for run in group]
        new = [run.tokens[count:] for run, count in zip(group, known, strict=True)]
        past, width = max(known), max(map(len, new))
        # Each row: padding, what is known, padding, what is new. Padding is masked, and cut out again before anything is kept.
        mask = torch.zeros((len(group), past + width), dtype=torch.long)
        ids = torch.zeros((len(group), width), dtype=torch.long)
        for number, (count, tokens) in enumerate(zip(known, new, strict=True)):
            mask[number, past - count : past] = 1
            mask[number, past + width - len(tokens) :] = 1
            ids[number, width - len(tokens) :] = torch.tensor(tokens)
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, past:]
        states = join([cut(run.found.states, run.found.known) for run in group]) if past else None
        cache, logits = self._forward(ids.to(device), mask.to(device), positions.to(device), self._new_cache(states))
        if self._weights.plain:
            rows = split(states_of(cache), past, known, list(map(len, new)))
            self._draw(group, logits)
            for run, one in zip(group, rows, strict=True):
                if run.row.finish:
                    self._keep(run, one)
            self._enter([(run, one) for run, one in zip(group, rows, strict=True) if not run.row.over])
        else:
            self._draw(group, logits)
            self._runs, self._cache, self._length = list(group), cache, width
            self._leave(run for run in group if run.row.over)

    def _new_cache(self, states: States | None) -> Any:
        from transformers import DynamicCache

        if not self._weights.plain:
            return None  # the model makes its own
        return DynamicCache(states) if states else DynamicCache()

    def _enter(self, entering: Sequence[tuple[Run, States]]) -> None:
        if entering:
            states = [states_of(self._cache)] if self._runs else []
            self._hold(merge([*states, *(one for _, one in entering)]))
            self._runs = [*self._runs, *(run for run, _ in entering)]

    def _hold(self, states: States) -> None:
        self._cache = self._new_cache(states)
        self._length = states[0][0].shape[-2]

    def _advance(self) -> None:
        if not self._guarded(self._runs, self._next):
            self._runs, self._cache, self._length = [], None, 0

    def _next(self) -> None:
        import torch

        runs = self._runs
        device = self._weights.device
        held = torch.tensor([[run.held] for run in runs])
        mask = (torch.arange(self._length + 1) >= self._length - held).long()
        ids = torch.tensor([[run.tokens[-1]] for run in runs])
        self._cache, logits = self._forward(ids.to(device), mask.to(device), held.to(device), self._cache)
        self._length += 1
        for run in runs:
            run.held += 1
        self._draw(runs, logits)
        self._leave(run for run in runs if run.row.over)

    def _forward(self, ids: Tensor, mask: Tensor, positions: Tensor, cache: Any) -> tuple[Any, Tensor]:
        weights = self._weights
        asked = {
            "attention_mask": mask,
            "position_ids": positions,
            "use_cache": True,
            "logits_to_keep": 1,
            weights.cache_name: cache,
        }
        out = weights.model(input_ids=ids, **{name: value for name, value in asked.items() if name in weights.takes and value is not None})
        return getattr(out, weights.cache_name), out.logits[:, -1, :].float()

    def _draw(self, runs: Sequence[Run], logits: Tensor) -> None:
        for number, (run, token) in enumerate(zip(runs, draw_tokens([run.draw for run in runs], logits), strict=True)):
            row = run.row
            if row.request.logprobs and token not in run.prompt.ends:
                row.chances = [*row.chances, read_top(logits[number], token, row.request.logprobs, self._decode)][-KEPT_CHANCES:]
            run.take(token)

    def _leave(self, leaving: Iterable[Run]) -> None:
        """Take runs out of the batch; what was computed of finished ones is kept for their conversations' next requests."""
        left = set(map(id, leaving))
        if not left:
            return
        staying = [number for number, run in enumerate(self._runs) if id(run) not in left]
        if self._weights.plain:
            states = states_of(self._cache)
            for number, run in enumerate(self._runs):
                if id(run) in left and run.row.finish:
                    self._keep(run, hold(states, number, run.held))
        self._runs = [self._runs[number] for number in staying]
        if not staying:
            self._cache, self._length = None, 0
        elif self._weights.plain:
            self._hold(select(states_of(self._cache), staying, max(run.held for run in self._runs)))
        else:
            import torch

            self._cache.reorder_cache(torch.tensor(staying, device=self._weights.device))

    def _keep(self, run: Run, states: States) -> None:
        if not run.row.gone:  # its thread may have been released since
            self._kept.keep(run.found.key, run.tokens[: run.held], run.row.prompt_tokens, states)


def _groups(runs: Sequence[Run]) -> Iterable[Sequence[Run]]:
    """Put runs together whose prompts are about as long: no more padding than tokens, and no more than `PREFILL_TOKENS`."""
    group: list[Run] = []
    real = 0
    for run in sorted(runs, key=lambda run: len(run.tokens) - run.found.known):
        width = len(run.tokens) - run.found.known
        area = width * (len(group) + 1)
        if group and (area > PREFILL_TOKENS or area > 2 * (real + width)):
            yield group
            group, real = [], 0
        group.append(run)
        real += width
    if group:
        yield group
