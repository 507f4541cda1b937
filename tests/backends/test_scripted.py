from __future__ import annotations

from pathlib import Path

import pytest

from practicum.backends import Request, ScriptedBackend, always, echo, read_rule, rule_identity, seeded
from practicum.backends.templates import TEMPLATES, template_for
from practicum.core import Form, Message, Sampling
from practicum.errors import BackendError, ConfigError


def request(turns: int, seed: int = 0) -> Request:
    messages = [Message("system", "s"), *(Message("user", f"t{n}") for n in range(turns))]
    return Request(thread="t", form=Form.CHAT, messages=messages, sampling=Sampling(), seed=seed)


async def say(backend: ScriptedBackend, *turns: int) -> list[str]:
    return [(await backend.reply(request(n))).text for n in turns]


async def test_lines_follow_the_turns_not_the_calls() -> None:
    backend = ScriptedBackend(["a", "b"])
    assert await say(backend, 1, 1, 3, 5) == ["a", "a", "b", "a"]  # a counselor
    assert await say(backend, 2, 4) == ["a", "b"]  # a client, whose opening is no line


async def test_rules_say_the_same_echo_or_draw_by_seed() -> None:
    assert await say(ScriptedBackend(always("x")), 1, 3) == ["x", "x"]
    assert await say(ScriptedBackend(echo), 1, 3) == ["t0", "t2"]
    rule = seeded(["a", "b", "c"])
    assert rule(request(1, seed=5)) == rule(request(3, seed=5))
    assert {rule(request(1, seed=n)) for n in range(30)} == {"a", "b", "c"}


async def test_a_failing_line_fails_the_call() -> None:
    with pytest.raises(BackendError, match="out of order"):
        await say(ScriptedBackend(["!fail out of order"]), 1)
    with pytest.raises(BackendError, match="says nothing"):
        await say(ScriptedBackend(always("")), 1)


async def test_the_latest_requests_are_kept_as_they_were() -> None:
    backend = ScriptedBackend(["a"], keep=2)
    live = [Message("system", "s")]
    await backend.reply(Request(thread="t", form=Form.CHAT, messages=live, sampling=Sampling(), seed=0))
    live.append(Message("user", "later"))
    assert len(backend.asked[0].messages) == 1
    await say(backend, 1, 3)
    assert [len(asked.messages) for asked in backend.asked] == [2, 4]
    backend.release("t")
    backend.drain()
    await backend.aclose()
    assert backend.capacity > 1


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("听起来很难。", ["听起", "来很", "难。"]),
        (" I hear  you,\n您好 ok", ["I", " hear", "  you,", "\n您好", " ok"]),
        ("嗯", ["嗯"]),
    ],
)
async def test_a_line_is_streamed_in_words_or_characters(text: str, pieces: list[str]) -> None:
    backend = ScriptedBackend(always(text), keep=1)
    chunks = [chunk async for chunk in backend.stream(request(1))]
    assert [chunk.text for chunk in chunks] == [*pieces, ""]
    assert [chunk.reply.text for chunk in chunks if chunk.reply is not None] == [text.strip()]
    assert (len(backend.asked), backend.under_way) == (1, 0)


@pytest.mark.parametrize("line", ["!fail out of order", "", " "])
async def test_a_failing_line_fails_the_stream(line: str) -> None:
    backend = ScriptedBackend(always(line))
    with pytest.raises(BackendError):
        await anext(backend.stream(request(1)))
    assert backend.under_way == 0


def test_a_rule_is_read_by_name(tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    file.write_text("# a comment\n\n你好\n 再见 \n", "utf-8")
    assert read_rule("always 好的 吧")(request(1)) == "好的 吧"
    assert read_rule("echo")(request(1)) == "t0"
    assert [read_rule(str(file))(request(n)) for n in (1, 3)] == ["你好", "再见"]
    assert read_rule(f"seeded {file}")(request(1)) in {"你好", "再见"}


def test_the_identity_of_a_rule_follows_its_lines_not_its_folder(tmp_path: Path) -> None:
    one, two = tmp_path / "a" / "lines.txt", tmp_path / "b" / "lines.txt"
    for file in (one, two):
        file.parent.mkdir()
        file.write_text("x", "utf-8")
    assert rule_identity(str(one)) == rule_identity(str(two))
    assert rule_identity(f"seeded {one}").startswith("seeded lines.txt#")
    two.write_text("y", "utf-8")
    assert rule_identity(str(one)) != rule_identity(str(two))
    assert (rule_identity("echo"), rule_identity("always A")) == ("echo", "always A")


@pytest.mark.parametrize("content", [None, b"", b"# only\n", b"\xff\xfe"])
def test_a_useless_file_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "lines.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match="script:"):
        read_rule(str(file))


def test_a_template_is_found_by_a_models_own() -> None:
    assert template_for("{{ '<|im_start|>' + role }}") == "chatml"
    assert template_for("<|start_header_id|>") == "llama3"
    assert template_for("[INST]") == "plain"
    assert set(TEMPLATES) == {"chatml", "llama3", "plain"}


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_without_a_system_prompt_nothing_of_its_frame_is_left(name: str) -> None:
    template = TEMPLATES[name]
    whole = template.fill("系统", ["来访者：你好"], "咨询师：")
    bare = template.fill("", ["来访者：你好"], "咨询师：")
    assert whole.endswith(bare)
    assert "system" not in bare
    assert not bare.startswith("\n")
