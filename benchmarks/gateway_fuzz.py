"""Figure 23: whatever is sent to the gateway, it answers, soon, and never by a mistake of its own.

From the OpenAPI document, ten minutes of schemathesis with all its checks but one (a document cannot say that a bot needs a last
message of the caller's, so that some documented bodies are refused): half of the time with the document as it is, half with one
whose messages are words, so that the bot is reached (bounds of our own: what lies beyond them may be answered). Then by hand:
damaged, oversized, binary and deeply nested bodies, damaged HTTP, bodies that stop half-way, callers that leave; and after all of it
a question that must be answered.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.bench import Bench
from benchmarks.fakeserver import FakeServer
from benchmarks.gateway import serve
from benchmarks.meter import clean_environment, python
from benchmarks.mutate import NASTY_VALUES, damage, mutate_bytes
from benchmarks.table import Row

SECONDS = 600
CASES = 20_000
AT_ONCE = 32
PATIENCE = 10.0
"""Seconds after which no answer counts as a hang."""
WORDS = ("我最近总是睡不好。", "I cannot sleep.", "我不想活了", "…")


def measure_figure(bench: Bench) -> list[Row]:
    """Return a row for schemathesis and one for what was made by hand."""
    with FakeServer.start(latency=1) as server, serve(server, bench.folder, at_once=AT_ONCE) as gateway:
        root = gateway.url.removesuffix("/v1")
        return [
            _by_document(bench, root, gateway.model, 10 if bench.quick else SECONDS),
            _by_hand(bench, root, gateway.model, 400 if bench.quick else CASES),
        ]


def _by_document(bench: Bench, root: str, model: str, seconds: int) -> Row:
    document = json.loads(_get(f"{root}/openapi.json"))
    document["components"]["schemas"]["ChatBody"]["properties"]["model"]["enum"] = [model]
    wide = run_schemathesis(document, root, seconds // 2, bench.folder)
    narrow(document)
    deep = run_schemathesis(document, root, seconds - seconds // 2, bench.folder, ours=True)
    problems = [*wide["failures"], *wide["errors"], *deep["failures"], *deep["errors"]]
    cases = sum(report["test_cases"]["generated"] for report in (wide, deep))
    return Row(
        figure=23,
        measure=f"gateway: schemathesis over its OpenAPI document, {seconds} s: what its checks find, 5xx and hangs among them",
        reach="0",
        ours=f"{len(problems)} of {cases:,} requests",
        verdict=bench.verdict(not problems and cases > 0),
        detail={"seeds": [wide["seed"], deep["seed"]], "cases": cases, "problems": problems[:20], "rates": deep["valid_rates"]},
    )


def narrow(document: dict[str, Any]) -> None:
    """Let a document allow conversations that a bot answers, and hardly anything else."""
    schemas = document["components"]["schemas"]
    schemas["ChatBody"]["properties"]["messages"]["minItems"] = 1
    fields = schemas["ChatMessage"]["properties"]
    fields["role"]["enum"] = ["user"]
    fields["content"] = {"type": "string", "pattern": "^[a-z一-龥 ，。]{1,40}[一-龥]$"}


def run_schemathesis(document: dict[str, Any], root: str, seconds: int, folder: Path, *, ours: bool = False) -> dict[str, Any]:
    """Test a gateway against a document and return the report.

    Args:
        document: OpenAPI.
        root: The gateway's address.
        seconds: How long.
        folder: For files.
        ours: The document's bounds are not the gateway's, which need not refuse what lies beyond them.

    Raises:
        RuntimeError: There is no report.
    """
    with tempfile.TemporaryDirectory(dir=folder) as name:
        file, report = Path(name, "openapi.json"), Path(name, "report.json")
        file.write_text(json.dumps(document))
        options = [f"--url={root}", f"--max-time={seconds}", "--continue-on-failure", "--checks=all", "--suppress-health-check=all"]
        options += [f"--report-json-path={report}", f"--exclude-checks=positive_data_acceptance{',negative_data_rejection' * ours}"]
        options += [f"--request-timeout={PATIENCE:g}", f"--max-response-time={PATIENCE:g}"]
        command = python("-m", "schemathesis.cli", "run", str(file), *options)
        environment = clean_environment()
        ran = subprocess.run(command, cwd=name, env=environment, capture_output=True, text=True, timeout=seconds + 300, check=False)
        if not report.exists():
            raise RuntimeError(f"schemathesis: exit status {ran.returncode}:\n{ran.stdout[-3000:]}{ran.stderr[-3000:]}")
        found: dict[str, Any] = json.loads(report.read_text())
    return found


def _by_hand(bench: Bench, root: str, model: str, cases: int) -> Row:
    seen = asyncio.run(ask_hostilely(root, model, cases))
    bad = sum(count for kind, count in seen.items() if kind.startswith("5") or kind in {"hang", "no HTTP"})
    alive = ask_well(root, model)
    return Row(
        figure=23,
        measure=f"gateway: {cases:,} damaged, oversized, binary, nested, cut-off requests: 5xx, hangs, tracebacks",
        reach="0",
        ours=f"{bad}{'' if alive else ', and it answers no more'}",
        verdict=bench.verdict(not bad and alive),
        detail={"answers": dict(sorted(seen.items())), "answers after": alive},
    )


async def ask_hostilely(root: str, model: str, cases: int) -> Counter[str]:
    """Send seeded hostile requests, some at once, and return how each was answered: a status, `closed`, `left`, `hang` or `no HTTP`."""
    parts = urllib.parse.urlsplit(root)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    seen: Counter[str] = Counter()
    numbers: Iterator[int] = iter(range(cases))

    async def keep_asking() -> None:
        for number in numbers:
            seen[await _ask(host, port, *draw_request(Random(number), model))] += 1

    await asyncio.gather(*(keep_asking() for _ in range(AT_ONCE)))
    return seen


def draw_request(draw: Random, model: str) -> tuple[bytes, bool]:
    """Return a hostile request, and whether its sender leaves without waiting for an answer."""
    message = {"role": draw.choice(("user", "user", "system")), "content": draw.choice(WORDS)}
    body = {"model": model, "messages": [message] * draw.randint(1, 3), "stream": draw.random() < 0.3, "seed": draw.randrange(9)}
    match draw.randrange(12):
        case 0:
            data = draw.randbytes(draw.randrange(2_000))
        case 1:
            opening, closing = draw.choice(((b"[", b"]"), (b'{"messages":', b"}"), (b'{"a":[', b"]}")))
            depth = draw.choice((10, 500, 1_000, 100_000))
            data = opening * depth + b"1" + closing * depth
        case 2:
            data = json.dumps(body | {"messages": [{"role": "user", "content": "好" * draw.choice((1, 70_000, 400_000))}]}).encode()
        case 3:
            data = json.dumps(body | {draw.choice([*body, "stop", "max_tokens", "n", "tools"]): draw.choice(NASTY_VALUES)}).encode()
        case 4:
            data = json.dumps(body | {"seed": 0}).replace('"seed": 0', f'"seed": {draw.choice(("1e400", "NaN", "-0", "9" * 400))}').encode()
        case _:
            data = damage(body, draw)
    kind = draw.choice(("application/json",) * 9 + ("text/plain",))
    path = draw.choice(("/v1/chat/completions",) * 9 + (f"/v1/models/{mutate_bytes(model.encode(), draw).hex()}",))
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nConnection: close\r\n"
    if draw.random() < 0.1:
        pieces = b"".join(b"%x\r\n%b\r\n" % (len(data[at : at + 700]), data[at : at + 700]) for at in range(0, len(data), 700))
        whole = head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"
    else:
        whole = head.encode() + b"Content-Length: %d\r\n\r\n" % len(data) + data
    leaves = draw.random() < 0.1
    if leaves:
        whole = whole[: draw.randrange(len(whole))]
    elif draw.random() < 0.1:
        whole = mutate_bytes(whole[:200], draw) + whole[200:]
        leaves = True  # the head may now announce more than comes
    return whole, leaves


async def _ask(host: str, port: int, request: bytes, leaves: bool) -> str:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        async with asyncio.timeout(0.2 if leaves else PATIENCE):
            await writer.drain()
            line = await reader.readline()
            await reader.read()
    except TimeoutError:
        return "left" if leaves else "hang"
    except ConnectionError:
        return "closed"
    finally:
        writer.transport.abort()
    if not line:
        return "closed"
    return line[9:12].decode() if line.startswith(b"HTTP/1.1 ") else "no HTTP"


def ask_well(root: str, model: str) -> bool:
    """Return whether a plain question is answered."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "你好"}]}).encode()
    request = urllib.request.Request(f"{root}/v1/chat/completions", body, {"Content-Type": "application/json"})  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            return bool(json.loads(answer.read())["choices"][0]["message"]["content"])
    except OSError:
        return False


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310 - loopback
        data: bytes = answer.read()
    return data
