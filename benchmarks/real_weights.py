"""Real weights through `hf:`: `python -m benchmarks.real_weights` (`make e2e`), a few minutes on a CPU.

Qwen2.5-Coder-0.5B of the catalog, read by transformers from its GGUF file, answers a client in Chinese and in English: whole,
streamed, two together, and a second exchange that goes on from what is kept of the first. A small model made for code counsels
nobody; what is shown is that it speaks, and that each way of asking gives what it should. The record goes to `real_weights.md`.
"""

from __future__ import annotations

import asyncio
import os
import platform
import resource
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from practicum.backends import find_model, is_present, model_path
from practicum.backends.base import Reply, Request
from practicum.backends.hf import HfBackend
from practicum.core import Form, Message, Sampling

MODEL = "qwen2.5-coder-0.5b"
RECORD = Path(__file__).with_suffix(".md")
SYSTEM = {
    "zh": "你是一位温和的心理咨询师。每次只说一两句话，先回应来访者的感受，再问一个问题。",
    "en": "You are a gentle counselor. Say one or two sentences: answer the client's feeling first, then ask one question.",
}
SAID = {
    "zh": ("我最近总是睡不着，一躺下就想工作上的事。", "大概有一个月了，白天也没有精神。"),
    "en": ("I cannot sleep lately. As soon as I lie down I think about work.", "For about a month, and I am tired all day."),
}


class Check:
    """What must hold of a real model, and whether it did."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.failed = False

    def that(self, holds: bool, claim: str) -> None:
        """Note a claim."""
        self.lines.append(f"- {'yes' if holds else '**NO**'}: {claim}")
        self.failed |= not holds


def _request(language: str, messages: Sequence[Message], *, temperature: float = 0.0) -> Request:
    shown = [Message("system", SYSTEM[language]), *messages]
    return Request(thread=language, form=Form.CHAT, messages=shown, sampling=Sampling(temperature=temperature, max_tokens=80), seed=11)


def _first(language: str, *, temperature: float = 0.0) -> Request:
    return _request(language, [Message("user", SAID[language][0])], temperature=temperature)


def _row(what: str, reply: Reply, seconds: float) -> str:
    call = reply.call
    rate = call.completion_tokens / seconds
    text = reply.text.replace("\n", " ⏎ ").replace("|", "\\|")
    asked = f"{call.prompt_tokens} ({call.cached_tokens})"
    return f"| {what} | {text} | {asked} | {call.completion_tokens} | {call.finish} | {seconds:.1f} | {rate:.1f} |"


async def _record(backend: HfBackend, check: Check) -> list[str]:
    rows = [
        "| asked | reply | prompt tokens (cached) | reply tokens | finish | s | tokens/s |",
        "| --- | --- | --: | --: | --- | --: | --: |",
    ]
    whole: dict[str, Reply] = {}
    for language in ("zh", "en"):
        begun = time.monotonic()
        reply = whole[language] = await backend.reply(_first(language))
        rows.append(_row(f"{language}, whole, greedy", reply, time.monotonic() - begun))
        check.that(reply.call.cached_tokens == 0, f"{language}: the first reply computed its whole prompt")
        backend.release(language)
    for language in ("zh", "en"):
        begun = time.monotonic()
        pieces, first = [], 0.0
        reply = whole[language]
        async for chunk in backend.stream(_first(language)):
            first = first or time.monotonic() - begun
            pieces.append(chunk.text)
            reply = chunk.reply or reply
        rows.append(_row(f"{language}, streamed in {len(pieces)} chunks, the first after {first:.1f} s", reply, time.monotonic() - begun))
        check.that("".join(pieces) == reply.text, f"{language}: the chunks joined are the reply")
        check.that(reply.text == whole[language].text, f"{language}: streamed and whole are the same")
        backend.release(language)
    begun = time.monotonic()
    both = await asyncio.gather(*(backend.reply(_first(language)) for language in ("zh", "en")))
    seconds = time.monotonic() - begun
    for language, reply in zip(("zh", "en"), both, strict=True):
        rows.append(_row(f"{language}, in a batch of two", reply, seconds))
        check.that(reply.text == whole[language].text, f"{language}: in a batch and alone are the same")
    for language in ("zh", "en"):
        said, answered, then = SAID[language][0], whole[language].text, SAID[language][1]
        turns = [Message("user", said), Message("assistant", answered), Message("user", then)]
        begun = time.monotonic()
        reply = await backend.reply(_request(language, turns, temperature=0.7))
        rows.append(_row(f"{language}, second exchange, temperature 0.7", reply, time.monotonic() - begun))
        least = whole[language].call.prompt_tokens
        check.that(reply.call.cached_tokens >= least, f"{language}: the second exchange computed nothing of the first one's prompt again")
        backend.release(language)
        fresh = await backend.reply(_request(language, turns, temperature=0.7))
        check.that(fresh.text == reply.text, f"{language}: with the same seed, uncached and cached are the same")
    return rows


async def measure() -> tuple[list[str], bool]:
    """Ask the model; return the record and whether all held."""
    path = model_path(find_model(MODEL))
    told: list[str] = []
    before = os.getloadavg()[0]
    check = Check()
    backend = HfBackend(str(path), name=f"hf:{path.name}", notify=told.append)
    begun = time.monotonic()
    await backend.start()
    loaded = time.monotonic() - begun
    rows = await _record(backend, check)
    await backend.aclose()
    after = os.getloadavg()[0]
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << (20 if sys.platform != "darwin" else 30))
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "tokenizers", "gguf"))
    lines = [
        "# Real weights through `hf:`",
        "",
        f"`python -m benchmarks.real_weights`, {datetime.now(UTC):%Y-%m-%d}; {platform.system()}, "
        f"Python {platform.python_version()}, {versions}.",
        "",
        *(f"- {line}" for line in told),
        f"- loaded in {loaded:.0f} s; largest resident set {rss:.1f} GiB; load average {before:.1f} before, {after:.1f} after",
        "",
        *rows,
        "",
        "## Held",
        "",
        *check.lines,
    ]
    return lines, not check.failed


def main() -> int:
    """Print the record and keep it; exit 1 if something did not hold."""
    if not is_present(find_model(MODEL)):
        print(f"`practicum models pull {MODEL} --yes` first", file=sys.stderr)
        return 2
    lines, held = asyncio.run(measure())
    print("\n".join(lines))
    RECORD.write_text("\n".join(lines) + "\n")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
