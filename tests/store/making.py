"""Short ways to things that a store takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import practicum.store
from practicum.core import Call, Form, Participant, Profile, PromptRef, Sampling, Speaker, Turn, digest_of
from practicum.store import PlannedSession, PromptText, RunRecord, Store

PROMPT = PromptText(id="client.plain.zh.chat", text="你是来访者。{{ profile }}")


def participant(role: str = "client") -> Participant:
    prompts = (PromptRef(id=PROMPT.id, digest=PROMPT.digest),)
    return Participant(role=role, model="script:lines", form=Form.CHAT, prompts=prompts, sampling=Sampling(top_p=0.9))


def record_of_run(name: str = "run", **changes: Any) -> RunRecord:
    fields: dict[str, Any] = {
        "name": name,
        "identity": {"max_exchanges": 50, "client": {"model": "script:lines"}, "languages": ["zh"]},
        "settings": {"at_once": 16},
        "version": "0.1.0",
        "participants": (participant("client"), participant("counselor")),
        "prompts": (PROMPT,),
    }
    return RunRecord(**{**fields, **changes})


def planned(number: int, profile: Profile | None = None) -> PlannedSession:
    """The n-th session of a run; keys begin with different digits."""
    return PlannedSession(
        key=digest_of(number),
        profile=profile or Profile(id=f"p{number}", text=f"我最近睡不着。{number}", language="zh"),
        case=digest_of(["case", number]),
        number=1,
        client=participant("client").digest,
        counselor=participant("counselor").digest,
        seed=7,
    )


def begin(store: Store, sessions: int = 1, name: str = "run") -> int:
    """Begin a run with that many planned sessions; return its id."""
    run_id = store.begin_run(record_of_run(name), at=1.0)
    store.plan_sessions(run_id, [planned(number) for number in range(1, sessions + 1)])
    return run_id


def turn(index: int, text: str = "你好", **changes: Any) -> Turn:
    speaker = Speaker.COUNSELOR if index % 2 else Speaker.CLIENT
    return Turn(**{"index": index, "speaker": speaker, "text": text, "at": 5.0 + index, **changes})


def call(**changes: Any) -> Call:
    fields: dict[str, Any] = {"model": "m", "finish": "stop", "prompt_tokens": 9, "completion_tokens": 3, "seconds": 0.5, "seed": 1}
    return Call(**{**fields, **changes})


def start_python(script: str, *args: str | Path) -> subprocess.Popen[str]:
    """Start a process that runs `script` with practicum and these helpers at hand."""
    paths = [Path(practicum.store.__file__).parents[2], Path(__file__).parents[2]]
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, args)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
