"""Figure 21: sixteen requests that wait go through an `hf:` model together, and that pays.

In a process of its own, on a tiny random model (what is measured is the loop around it, not the arithmetic): sixteen requests of
different lengths, temperatures and seeds, one after another, then all at once; in turns, the best of each counts. No prompt cache:
every reply computes its whole prompt. The replies of both are compared: a batch must change none of them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.meter import ROOT, MeterError, clean_environment, python
from benchmarks.table import Row, Verdict
from practicum.backends.base import Reply, Request
from practicum.core import Form, Message, Sampling

REQUESTS = 16
REACH = 3.0
SAID = ("我最近总是睡不着，一躺下就想工作上的事。", "I cannot sleep, I keep thinking about work.")


def measure_figure(bench: Bench) -> list[Row]:
    """Return one row."""
    if find_spec("torch") is None or find_spec("transformers") is None:
        return [_row("torch or transformers is not installed", Verdict.NOT_MEASURED, {})]
    tokens, rounds = (32, 2) if bench.quick else (128, 7)
    found = _measure_child("--tokens", str(tokens), "--rounds", str(rounds))
    alone, together = max(found["alone"]), max(found["together"])
    ours = f"{together / alone:.1f} × ({together:,.0f} against {alone:,.0f} tokens/s), {found['same']}/{REQUESTS} replies the same"
    return [_row(ours, bench.verdict(together >= REACH * alone), found)]


def _row(ours: str, verdict: Verdict, detail: dict[str, Any]) -> Row:
    measure = f"hf: {REQUESTS} waiting requests on a tiny model, together against one at a time: tokens/s"
    return Row(figure=21, measure=measure, reach=f"≥ {REACH:g} ×", ours=ours, verdict=verdict, detail=detail)


def _measure_child(*arguments: str) -> dict[str, Any]:
    run = subprocess.run(
        python("-m", "benchmarks.hf_batch", *arguments), cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise MeterError(f"hf_batch failed: exit status {run.returncode}\n{run.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def _requests(tokens: int) -> list[Request]:
    return [
        Request(
            thread="",
            form=Form.CHAT,
            messages=[Message("system", "你是一位心理咨询师。"), Message("user", SAID[number % 2] * (1 + number // 4))],
            sampling=Sampling(temperature=(0.0, 0.7, 1.0)[number % 3], max_tokens=tokens),
            seed=number,
        )
        for number in range(REQUESTS)
    ]


async def _compare(folder: Path, tokens: int, rounds: int) -> dict[str, Any]:
    from practicum.backends.hf import HfBackend

    backend = HfBackend(str(folder), name="tiny", device="cpu", batch=REQUESTS, caches=0)
    requests = _requests(tokens)
    rates: dict[str, list[float]] = {"alone": [], "together": []}
    first: list[Reply] = []
    second: list[Reply] = []
    await asyncio.gather(*map(backend.reply, requests))  # what is only done once
    for _ in range(rounds):
        begun = time.perf_counter()
        first = [await backend.reply(request) for request in requests]
        rates["alone"].append(_rate(first, begun))
        begun = time.perf_counter()
        second = await asyncio.gather(*map(backend.reply, requests))
        rates["together"].append(_rate(second, begun))
    await backend.aclose()
    same = sum(one.text == other.text for one, other in zip(first, second, strict=True))
    return {**rates, "same": same, "tokens": sum(reply.call.completion_tokens for reply in second)}


def _rate(replies: list[Reply], begun: float) -> float:
    return sum(reply.call.completion_tokens for reply in replies) / (time.perf_counter() - begun)


def main() -> None:
    """Measure in this process and print the rates as JSON."""
    parser = argparse.ArgumentParser(description="Batched against one at a time.")
    for name in ("tokens", "rounds"):
        parser.add_argument(f"--{name}", type=int, required=True)
    options = parser.parse_args()

    from benchmarks.tiny_hf import make_tiny

    with tempfile.TemporaryDirectory() as folder:
        made = make_tiny(Path(folder), eos_token_id=None)
        print(json.dumps(asyncio.run(_compare(made, options.tokens, options.rounds))))


if __name__ == "__main__":
    main()
