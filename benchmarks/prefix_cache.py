"""Figure 5: a local model computes each token of a session once per side.

Two sessions of twenty exchanges at once, four prefixes alive, in both forms, through `practicum simulate` on the smallest
model of the catalog. For every prompt but a side's first: the tokens computed (prompt tokens less those that llama.cpp
took from its cache), over the tokens after the longest prefix that it shares with the same side's prompt before.

In the chat form that prefix is the whole prompt before. In the transcript form it is that prompt less its tail (end of
the message, start of the reply, the cue), whose tokens are counted with the model's own tokenizer. What the model has
itself said is in its cache too, so the ratio may be below 1.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from itertools import pairwise
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.meter import measure, python
from benchmarks.table import Row, Verdict
from practicum.backends import TEMPLATES, find_model, is_present, model_path
from practicum.core import Form, Speaker
from practicum.roles import labels

MODEL = "smollm2-135m"
STORIES = (
    "I am twenty-nine and keep the books of a small company. Since the spring I wake at four. My mother calls every evening.",
    "I moved here in autumn for a new post. My manager is strict, and I say yes when I mean no. On Sundays I used to paint.",
)


def measure_figure(bench: Bench) -> list[Row]:
    """Return a row for each form."""
    if not is_present(find_model(MODEL)):
        missing = f"`practicum models pull {MODEL}` first"
        return [Row(figure=5, measure="local model: prompt tokens", reach="≤ 1.1", ours=missing, verdict=Verdict.NOT_MEASURED)]
    return [_row(bench, form) for form in (Form.CHAT, Form.TRANSCRIPT)]


def _row(bench: Bench, form: Form) -> Row:
    exchanges, words = (3, 8) if bench.quick else (20, 60)
    settings = {
        "client.form": form, "counselor.form": form, "client.max_tokens": words, "counselor.max_tokens": words,
        "check.ask_again": 0, "ending.min_exchanges": 1000,  # neither a second asking nor an early goodbye
    }  # fmt: skip
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        profiles, db = Path(folder, "profiles.json"), Path(folder, "practicum.db")
        profiles.write_text(json.dumps(STORIES))
        options = {
            "profiles": profiles, "client": f"local:{MODEL}", "counselor": f"local:{MODEL}", "language": "en",
            "max-exchanges": exchanges, "at-once": 2, "db": f"sqlite:///{db}",
        }  # fmt: skip
        flags = [f"--{name}={value}" for name, value in options.items()] + [f"--set={key}={value}" for key, value in settings.items()]
        measure(python("-m", "practicum", "simulate", *flags, "--json"), bench.server, timeout=900)
        computed, after_prefix, calls = _tokens(db, _tail_tokens(form))
    ratio = computed / after_prefix
    return Row(
        figure=5,
        measure=f"local model, {form} form, {exchanges} exchanges, 2 sessions: prompt tokens computed / tokens after the shared prefix",
        reach="≤ 1.1",
        ours=f"{ratio:.2f}",
        verdict=Verdict.of(ratio <= 1.1),
        detail={"computed": computed, "after_prefix": after_prefix, "calls": calls},
    )


def _tokens(db: Path, tails: Mapping[str, int]) -> tuple[int, int, int]:
    """Return the tokens computed, those after the shared prefixes, and the calls, each side's first left out."""
    sides: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    with closing(sqlite3.connect(db)) as store:
        query = "select key, speaker, call from turn join session on session.id = session_id where call is not null order by key, idx"
        for key, speaker, text in store.execute(query):
            call = json.loads(text)
            sides[key, speaker].append((call["prompt_tokens"], call["cached_tokens"]))
    computed = after_prefix = calls = 0
    for (_, speaker), prompts in sides.items():
        for (before, _), (tokens, cached) in pairwise(prompts):
            computed += tokens - cached
            after_prefix += tokens - (before - tails[speaker])
            calls += 1
    return computed, after_prefix, calls


def _tail_tokens(form: Form) -> dict[str, int]:
    """Return how many tokens of each side's prompt come after its transcript; they are not part of the next prompt's prefix."""
    if form is Form.CHAT:
        return dict.fromkeys(map(str, Speaker), 0)
    import xllamacpp  # type: ignore[import-untyped]

    params = xllamacpp.CommonParams()
    params.model.path = str(model_path(find_model(MODEL)))
    params.n_ctx = 512
    params.verbosity = -1
    server = xllamacpp.Server(params)

    def count(text: str) -> int:
        return int(server.handle_completions({"prompt": text, "n_predict": 1})["usage"]["prompt_tokens"])

    after = TEMPLATES[find_model(MODEL).template].after
    return {str(speaker): count(f"so{after}{labels('en')[speaker].rstrip()}") - count("so") for speaker in Speaker}
