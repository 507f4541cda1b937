"""`practicum serve` as its users meet it: a process, two bots and clients behind its door, and whoever speaks the protocol before it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from openai import APIStatusError, OpenAI

from benchmarks.fakeserver import FakeServer
from practicum import read_sessions, simulate
from practicum.arena import read_arena_config
from practicum.build import hold_arena, plan_arena
from practicum.core import Profile, Speaker
from practicum.engine import Progress

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/v1")
BOT = """\
name = "{name}"
languages = ["zh", "en"]
model = {{ name = "{model}" }}
prompt = {{ text = "bundled:person-centred", form = "chat" }}
reply = {{ strip_label = true, first_paragraph = true }}
"""
RISKY = Profile.of("我叫小安，我不想活了，已经想了很久。", "zh")
PLAIN = Profile.of("I am Robin. I keep waking up at four and cannot say why.", "en")

Serve = Callable[..., str]
Sdk = Callable[[str], OpenAI]


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[str]:
    """Run the verb on a free port, and yield its base address; it must end well on Ctrl-C."""
    command = [sys.executable, "-m", "practicum", "serve", "--port=0", *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith("serving"):
                yield ADDRESS.findall(line)[0]
                break
        else:
            raise AssertionError(process.communicate()[1])
    finally:
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 0, told
    assert "Traceback" not in told


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    with ExitStack() as stack:
        yield lambda *options: stack.enter_context(serving(tmp_path, *options))


@pytest.fixture
def sdk() -> Iterator[Sdk]:
    """Makes the official client for an address; closed when the test ends."""
    with ExitStack() as stack:
        yield lambda url: stack.enter_context(OpenAI(base_url=url, api_key="none", max_retries=0))


def bots(folder: Path, **models: str) -> str:
    for name, model in models.items():
        (folder / f"{name}.toml").write_text(BOT.format(name=name, model=model), "utf-8")
    return ",".join(f"{name}.toml" for name in models)


def test_simulate_and_arena_go_through_the_door_with_two_of_its_bots(serve: Serve, tmp_path: Path, fake_server: FakeServer) -> None:
    names = bots(tmp_path, listens="script:always 听起来很不容易，是什么让你今天想说出来？", asks="script:always 咨询师：这样有多久了？")
    url = serve("--bots", names)
    client = "script:always 我不想活了，每天都这样。"
    db = f"sqlite:///{tmp_path}/runs.db"
    result = simulate([RISKY], client=client, counselor=f"openai:bot/asks@{url}", db=db, run="one", max_exchanges=2)
    [session] = read_sessions(result.run, db=db)
    said = [turn.text for turn in session.turns if turn.speaker is Speaker.COUNSELOR]
    assert said == ["这样有多久了？"] * 2  # polished, and without the lines for a person in danger
    assert session.risk == ("suicide",)

    flags = {
        "client": {"model": client},
        "members": {name: {"model": f"openai:bot/{name}@{url}"} for name in ("listens", "asks")},
        "supervisors": {"judge": {"model": f"openai:fake@{fake_server.url}"}},
        "max_exchanges": 2,
        "run": "arena",
        "allow_train": True,
    }
    plan = plan_arena(read_arena_config(flags), [RISKY, PLAIN], db=db)
    hold_arena(plan, db=db, progress=Progress())
    sessions = read_sessions("arena", db=db)
    assert {session.exchanges for session in sessions} == {2}
    words = {turn.text for session in sessions for turn in session.turns if turn.speaker is Speaker.COUNSELOR}
    assert words <= {"听起来很不容易，是什么让你今天想说出来？", "这样有多久了？"}


def test_a_person_who_speaks_of_dying_hears_where_help_is_before_the_bot_speaks(serve: Serve, sdk: Sdk, tmp_path: Path) -> None:
    url = serve("--bots", bots(tmp_path, asks="script:always 你现在安全吗？"), "--country", "CN")
    asked: Any = {"model": "bot/asks", "messages": [{"role": "user", "content": RISKY.text}]}
    raw = sdk(url).chat.completions.with_raw_response.create(**asked)
    assert raw.headers["x-practicum-risk"] == "suicide"
    text = raw.parse().choices[0].message.content or ""
    assert "12356" in text
    assert text.endswith("你现在安全吗？")
    again = asked["messages"] + [{"role": "assistant", "content": text}, {"role": "user", "content": "安全。"}]
    assert sdk(url).chat.completions.create(model="bot/asks", messages=again).choices[0].message.content == "你现在安全吗？"


def test_a_simulated_client_can_be_counseled_over_the_protocol(serve: Serve, sdk: Sdk, tmp_path: Path) -> None:
    profiles = [{"id": "an", "text": RISKY.text}, {"id": "robin", "text": PLAIN.text}]
    (tmp_path / "profiles.json").write_text(json.dumps(profiles, ensure_ascii=False), "utf-8")
    (tmp_path / "client.txt").write_text("我最近睡不好。\n已经半年了。\n", "utf-8")
    bots_file = bots(tmp_path, asks="script:always 多久了？")
    url = serve("--bots", bots_file, "--clients", "profiles.json", "--client", "script:client.txt")
    names = [model.id for model in sdk(url).models.list()]
    assert names == ["bot/asks", "client/an", "client/robin"]

    def counsel(name: str, *said: str) -> str | None:
        roles = ["user", "assistant"] * len(said)
        messages: Any = [{"role": role, "content": text} for role, text in zip(roles, said, strict=False)]
        return sdk(url).chat.completions.create(model=f"client/{name}", messages=messages).choices[0].message.content

    assert counsel("an") == "你好"
    assert counsel("robin") == "Hello"
    assert counsel("an", "你好，今天想聊些什么？") == "我最近睡不好。"
    assert counsel("an", "你好，今天想聊些什么？", "我最近睡不好。", "多久了？") == "已经半年了。"
    stream = sdk(url).chat.completions.create(model="client/an", messages=[{"role": "user", "content": "请说。"}], stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "我最近睡不好。"
    with pytest.raises(APIStatusError, match="the client has spoken last"):
        counsel("an", "你好，今天想聊些什么？", "我最近睡不好。")


def test_the_clients_of_a_run_are_served_with_its_model_and_prompt(serve: Serve, sdk: Sdk, tmp_path: Path) -> None:
    (tmp_path / "client.txt").write_text("I wake at four.\nSince spring.\n", "utf-8")
    script = f"script:{tmp_path}/client.txt"
    simulate(
        [PLAIN], client=script, counselor="script:always Since when?", db=f"sqlite:///{tmp_path}/practicum.db", run="r", max_exchanges=2
    )
    url = serve("--bots", bots(tmp_path, asks="script:echo"), "--clients", "r")
    answer = sdk(url).chat.completions.create(model=f"client/{PLAIN.id}", messages=[{"role": "user", "content": "What brings you here?"}])
    assert answer.choices[0].message.content == "I wake at four."


def test_an_embedded_model_answers_behind_the_door_in_both_ways(serve: Serve, sdk: Sdk, tmp_path: Path) -> None:
    url = serve("--bots", bots(tmp_path, small="local:smollm2-135m"), "--set", "local.context=1024")
    asked: Any = {"model": "bot/small", "messages": [{"role": "user", "content": "I keep waking up at four."}], "max_tokens": 24, "seed": 7}
    whole = sdk(url).chat.completions.create(**asked)
    assert whole.choices[0].message.content
    assert whole.usage is not None
    assert whole.usage.prompt_tokens > 100  # the instruction was sent
    pieces = [chunk.choices[0].delta.content for chunk in sdk(url).chat.completions.create(**asked, stream=True)]
    assert len([piece for piece in pieces if piece]) > 3  # word by word; not the same words, for the second time its prompt is cached


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--bots", "nobody"], "nobody"),
        (["--bots", "cbt", "--prompt", "mechat=x.txt"], "mechat is not served"),
        (["--bots", "cbt", "--prompt", "x.txt"], "expected BOT=PROMPT"),
        (["--bots", "cbt", "--model", "bot:integrative"], "a bot answers with a model"),
        (["--bots", "cbt,cbt", "--model", "script:echo"], "two bots are called 'cbt'"),
        (["--bots", "mechat"], "--trust-remote-code"),
        (["--bots", "cbt", "--model", "script:echo", "--host", "0.0.0.0"], "key"),  # noqa: S104 - it is refused
        (["--bots", "cbt", "--model", "script:echo", "--client", "script:echo"], "no client to play"),
        (["--bots", "cbt", "--model", "script:echo", "--clients", "nowhere"], "neither a file of profiles nor a run"),
        (["--bots", "cbt", "--model", "script:echo", "--country", "XX"], "'XX' is not known"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_line(options: list[str], message: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "practicum", "serve", "--port=0", *options], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert ran.returncode == 2, ran.stderr
    assert message in ran.stderr
    assert ran.stderr.count("\n") == 1
