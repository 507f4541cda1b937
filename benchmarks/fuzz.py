"""Figure 9: damaged profile files, configurations and model replies end in a result or in one clear error.

In this process, 100,000 cases: `read_profiles` on a file, `read_config` on a TOML file with `--set` items, and a voice
that asks the real backend for a reply, whose HTTP answer is damaged. Anything but a result or a `PracticumError` counts.

Then from outside: `practicum simulate` against a server that answers two calls in three with damaged bytes, HTTP
included. It must end without a traceback and leave a whole store; the same command on a good server completes the run.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.bench import Bench, Load, endings
from benchmarks.hostile import HostileServer, good_answer, words
from benchmarks.meter import ROOT, clean_environment
from benchmarks.mutate import NASTY_VALUES, damage, mutate_bytes
from benchmarks.table import Row, Verdict
from practicum.backends import CallBudget, Endpoint, OpenAIBackend
from practicum.backends.transport import Answer, BrokenError, Incoming, SlowError
from practicum.core import LANGUAGES, Form, Participant, Sampling, SessionView, Speaker, Turn
from practicum.dataset import read_profiles
from practicum.engine import known_keys, read_config
from practicum.errors import PracticumError
from practicum.measures import CheckRules
from practicum.roles import Chair, ModelVoice, labels

PROFILES: tuple[tuple[str, Any], ...] = (
    (".json", ["我最近总是睡不好，工作也越来越忙。", "My mother calls every evening and I never know what to say."]),
    (
        ".json",
        [{"id": "a", "text": "我常常夜里醒来。", "language": "zh", "facts": {"age": "29"}, "source": {"origin": "x"}, "split": "test"}],
    ),
    (".jsonl", {"id": "b", "text": "We argued about money again.", "language": "en", "split": "train"}),
    (".csv", 'id,text,language,facts.age\n1,"我很累,真的",zh,30\n2,I am tired,en,\n'),
    (".txt", "我把话都憋在心里，一到晚上就想很多。"),
)
CONFIG = """\
seed = 3
max_exchanges = 5
at_once = 8
[client]
model = "openai:m@http://127.0.0.1:1/v1"
temperature = 0.7
[counselor]
model = "script:echo"
max_tokens = 300
[ending]
policy = "paper"
[call]
timeout = 10.0
"""


def measure_figure(bench: Bench) -> list[Row]:
    """Return a row for the cases in this process and one for the run from outside."""
    return [_inside(bench), _outside(bench)]


def _inside(bench: Bench) -> Row:
    cases = 3000 if bench.quick else 100_000
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        kinds = {
            "profiles": (cases * 2 // 5, profile_case(Path(folder))),
            "configurations": (cases * 3 // 10, config_case(Path(folder))),
            "replies": (cases * 3 // 10, reply_case()),
        }
        outcomes = {kind: run_cases(count, case) for kind, (count, case) in kinds.items()}
    escaped = [line for _, _, lines in outcomes.values() for line in lines]
    return Row(
        figure=9,
        measure=f"{cases:,} damaged files, configurations and replies: what is neither a result nor a clear error",
        reach="0",
        ours=str(len(escaped)),
        verdict=Verdict.of(not escaped),
        detail={kind: {"results": good, "errors": refused} for kind, (good, refused, _) in outcomes.items()} | {"escaped": escaped[:20]},
    )


def run_cases(count: int, case: Callable[[Random], object]) -> tuple[int, int, list[str]]:
    """Return how many of the seeded cases gave a result and how many a `PracticumError`, and what else was raised."""
    results = refused = 0
    escaped: list[str] = []
    for number in range(count):
        try:
            case(Random(number))
            results += 1
        except PracticumError as error:
            refused += 1
            if not str(error).strip():
                escaped.append(f"seed {number}: an error without a word")
        except Exception as error:  # noqa: BLE001 - what the fuzzer is here to find
            escaped.append(f"seed {number}: {type(error).__name__}: {error}"[:300])
    return results, refused, escaped


def profile_case(folder: Path) -> Callable[[Random], object]:
    """Return a case that damages a profiles file and reads it."""

    def case(draw: Random) -> object:
        suffix, content = draw.choice(PROFILES)
        data = mutate_bytes(content.encode(), draw) if isinstance(content, str) else damage(content, draw)
        file = folder / f"profiles{suffix}"
        file.write_bytes(data * 2 if suffix == ".jsonl" and draw.random() < 0.3 else data)
        return read_profiles(file)

    return case


def config_case(folder: Path) -> Callable[[Random], object]:
    """Return a case that damages a configuration and `--set` items, and reads them."""
    keys = [key for section in ("", "client", "ending", "check", "call", "endpoint", "local") for key in known_keys(section)]

    def item(draw: Random) -> str:
        name = draw.choice(keys) + draw.choice(("", "", "", ".x", "..", "x"))
        text = (
            f"{name}={draw.choice([json.dumps(value) for value in NASTY_VALUES] + ['1', '0.5', 'x', '[', '{', 'inf', 'nan', '1979-05-27'])}"
        )
        return draw.choice((text, text, text.replace("=", ""), text[1:]))

    def case(draw: Random) -> object:
        file = folder / "run.toml"
        file.write_bytes(mutate_bytes(CONFIG.encode(), draw) if draw.random() < 0.7 else CONFIG.encode())
        settings = [item(draw) for _ in range(draw.randint(0, 3))]
        flags = {"limit": draw.choice((None, 0, 1, -5, "x")), "counselor.model": draw.choice((None, "", "openai:m", ":", "@http://"))}
        return read_config(flags, file=file, settings=settings)

    return case


class DamagingTransport:
    """Answers each call with what is set next."""

    next: Answer | Exception

    async def send(self, target: str, body: object, *, timeout: float) -> Answer:  # noqa: ASYNC109 - the protocol's
        """Answer, or break."""
        if isinstance(self.next, Exception):
            raise self.next
        return self.next

    async def open(self, target: str, body: object, *, timeout: float) -> Incoming:  # noqa: ASYNC109 - the protocol's
        """Refuse: no voice asks for a stream."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Nothing is open."""


def reply_case() -> Callable[[Random], object]:
    """Return a case that lets a voice speak on a damaged answer, and looks at what it says."""
    transport = DamagingTransport()
    notes: list[str] = []
    loop = asyncio.new_event_loop()
    endpoint = Endpoint("http://damaged/v1", transport, at_once=8, clock=time.monotonic, notify=notes.append)
    backend = OpenAIBackend("m", [endpoint], budget=CallBudget(total=0.0), clock=time.monotonic, notify=notes.append)
    who = Participant(role="client", model="openai:m", form=Form.CHAT, prompts=(), sampling=Sampling())
    chairs = {
        (speaker, form): Chair.of(speaker, replace(who, role=speaker, form=form, template="chatml"), backend, CheckRules(), ask_again=1)
        for speaker in Speaker
        for form in Form
    }
    turns = [Turn(index=0, speaker=Speaker.CLIENT, text="你好"), Turn(index=1, speaker=Speaker.COUNSELOR, text="请说")]

    def case(draw: Random) -> object:
        chair = chairs[draw.choice(list(Speaker)), draw.choice(list(Form))]
        transport.next = draw_answer(draw, raw=chair.participant.form is Form.TRANSCRIPT)
        language = draw.choice(LANGUAGES)
        voice = ModelVoice(chair, key="k", system="s", labels=labels(language))
        try:
            said = loop.run_until_complete(voice.speak(SessionView("k", language, 1, turns)))
        finally:
            voice.release()
        if not said.text.strip() or said.call is None:
            raise ValueError(f"accepted as speech: {said.text!r}")
        said.text.encode()  # what is not Unicode cannot be stored
        return said

    return case


def draw_answer(draw: Random, *, raw: bool) -> Answer | Exception:
    """Return a damaged answer of a server, or the loss of one."""
    match draw.randrange(20):
        case 0:
            return BrokenError("broken")
        case 1:
            return SlowError("slow")
        case at if at < 9:  # a sound answer with damaged words
            text = draw.choice((*NASTY_VALUES, mutate_bytes(words(draw).encode(), draw).decode(errors="replace")))
            return Answer(200, {}, json.dumps(good_answer(text, raw=raw)).encode())
    status = draw.choice((200,) * 12 + (204, 301, 400, 401, 404, 408, 422, 429, 500, 529, 999))
    headers = {b"retry-after": mutate_bytes(b"1", draw)} if status == 429 else {}
    sound = good_answer(words(draw), raw=raw) if status == 200 else {"error": {"message": "no seed", "code": 1}}
    return Answer(status, headers, damage(sound, draw))


def _outside(bench: Bench) -> Row:
    load = Load(sessions=20 if bench.quick else 300, exchanges=4, at_once=10 if bench.quick else 100, latency_ms=1)
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder, HostileServer() as hostile:
        db = Path(folder, "practicum.db")
        limits = ("--set", "call.timeout=1", "--set", "call.budget=2")
        command = [part.replace(bench.server.url, hostile.url) for part in bench.command(load, db, *limits)]
        run = subprocess.run(command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=240, check=False)
        problems = list(problems_of_store(db, load))
        if "Traceback" in run.stderr or run.returncode not in {0, 1}:
            problems.append(f"exit status {run.returncode}: {run.stderr[-500:]}")
        before = endings(db)
        bench.simulate(load, db)
        problems += problems_of_store(db, load)
        if (after := endings(db)).get("failed") or after.get("unfinished"):
            problems.append(f"not completed on a good server: {after}")
    return Row(
        figure=9,
        measure=f"{load.sessions} sessions on a server that damages two answers in three: tracebacks, half-written things",
        reach="0",
        ours=f"{len(problems)} ({hostile.damaged:,} damaged answers)",
        verdict=Verdict.of(not problems and hostile.damaged > 0),
        detail={"damaged": hostile.damaged, "problems": problems[:20], "first": before, "then": after},
    )


def problems_of_store(db: Path, load: Load) -> Iterator[str]:
    """Yield what is half-written: gaps, empty turns, sessions that ended at the turn limit before it."""
    with closing(sqlite3.connect(db)) as store:
        if (health := store.execute("pragma integrity_check").fetchone()[0]) != "ok":
            yield f"integrity check: {health}"
        query = (
            "select key, ending, group_concat(idx), sum(trim(text) = '') from session join turn on session_id = session.id group by 1, 2"
        )
        for key, ending, indices, empty in store.execute(query):
            found = sorted(map(int, indices.split(",")))
            if found != list(range(len(found))) or empty:
                yield f"session {key}: turns {found}, {empty} of them empty"
            if ending == "turn_limit" and len(found) != 2 * load.exchanges:
                yield f"session {key} ended at its limit after {len(found)} turns"
