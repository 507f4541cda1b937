from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from benchmarks.fakeserver import FakeServer
from practicum.backends import find_model, is_present
from practicum.serve.crisis import crisis_text
from practicum.store import DEFAULT_URL, Store
from tests.cli.conftest import CLIENT, COUNSELOR, Practicum, masked

COMMAND = (sys.executable, "-m", "practicum", "chat")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src"), "COLUMNS": "100", "TERM": "xterm", "LC_ALL": "C.UTF-8"}
PATIENCE = 60
"""Seconds after which what a terminal should show has not come."""


class Person:
    """Somebody at a pseudo-terminal on which `practicum chat` runs in a process of its own."""

    def __init__(self, *args: str) -> None:
        self.child, self._terminal = pty.fork()
        if self.child == 0:
            os.execve(sys.executable, [*COMMAND, *args], ENVIRONMENT)  # noqa: S606
        self._seen = bytearray()
        self._read_to = 0
        self.status: int | None = None

    def sees(self, text: str) -> None:
        """Wait until a text turns up after what was seen before."""
        while (found := self._seen.find(text.encode(), self._read_to)) < 0:
            if not self._read():
                pytest.fail(f"{text!r} did not come; seen: {self.text()}")
        self._read_to = found + len(text.encode())

    def types(self, text: str) -> None:
        """Press keys."""
        os.write(self._terminal, text.encode())

    def says(self, line: str, *, at: str = "") -> None:
        """Wait for the prompt, then say a line."""
        self.sees(at or self.prompt)
        self.types(f"{line}\n")

    prompt = "你："

    def text(self) -> str:
        """Return all that the terminal has shown."""
        return self._seen.decode(errors="replace")

    def leaves(self) -> int:
        """Wait for the end; return the exit status."""
        while self._read():
            pass
        return self.wait()

    def wait(self) -> int:
        if self.status is None:
            os.close(self._terminal)
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        return self.status

    def kill(self) -> None:
        """End the process, whatever it does."""
        if self.status is None:
            os.kill(self.child, signal.SIGKILL)
            self.wait()

    def _read(self) -> bool:
        if not select.select([self._terminal], [], [], PATIENCE)[0]:
            pytest.fail(f"nothing came for {PATIENCE} s; seen: {self.text()}")
        try:
            data = os.read(self._terminal, 65536)
        except OSError:  # how Linux says that the child has gone
            return False
        self._seen += data
        return bool(data)


class Desk:
    """Seats people, and sees to it that none is left behind."""

    def __init__(self) -> None:
        self._people: list[Person] = []

    def seat(self, *args: str, prompt: str = "你：") -> Person:
        person = Person(*args)
        person.prompt = prompt
        self._people.append(person)
        return person

    def close(self) -> None:
        for person in self._people:
            person.kill()


@pytest.fixture
def desk() -> Iterator[Desk]:
    opened = Desk()
    yield opened
    opened.close()


def turns_of(run: str, which: str = "1") -> list[str]:
    with Store.open(DEFAULT_URL, create=False) as store:
        return [turn.text for turn in store.session(run, which).turns]


PROMPTS = {"zh": "你：", "en": "You: "}
TAKEN_BACK = {"zh": "最后一个来回已收回", "en": "the last exchange is taken back"}
both_languages = pytest.mark.parametrize("language", ["zh", "en"])

# ── on a terminal ────────────────────────────────────────────────────────────────────────────────────────────────────


@both_languages
def test_a_person_talks_to_a_bot_and_saves_it(desk: Desk, practicum: Practicum, language: str) -> None:
    lines, replies = CLIENT[language], COUNSELOR[language]
    person = desk.seat(f"script:counselor.{language}.txt", prompt=PROMPTS[language])
    person.says(lines[0], at="> ")
    person.sees(replies[0])
    person.says(lines[1])
    person.sees(replies[1])
    person.says("/undo")
    person.sees(TAKEN_BACK[language])
    assert not Path("practicum.db").exists()
    person.says("/save mine")
    person.sees("mine")
    person.says(lines[2])
    person.sees(replies[1])
    person.says("/quit")
    assert person.leaves() == 0
    assert turns_of("mine") == [lines[0], replies[0], lines[2], replies[1]]
    assert practicum("export", "mine", "--format", "messages", "--out", "out").status == 0
    [row] = [json.loads(line) for line in next(Path("out").glob("*.jsonl")).read_text("utf-8").splitlines()]
    assert [one["content"] for one in row["messages"][1:]] == turns_of("mine")
    assert person.text().rstrip().endswith("practicum export mine --format jsonl --out practicum-export\x1b[0m")


@both_languages
def test_a_person_counsels_a_client(desk: Desk, practicum: Practicum, language: str) -> None:
    lines, replies = COUNSELOR[language], CLIENT[language]
    options = ("--as", "counselor", "--client", "1", "--profiles", f"{language}.json", "--run", "r")
    person = desk.seat(f"script:client.{language}.txt", *options, prompt=PROMPTS[language])
    person.sees("你好" if language == "zh" else "Hello")
    person.says(lines[0])
    person.sees(replies[0])
    person.says(lines[1])
    person.sees(replies[1])
    person.says("/undo")
    person.sees(TAKEN_BACK[language])
    person.says("/history")
    person.sees(lines[0])
    person.sees(replies[0])
    person.says(lines[2])
    person.sees(replies[1])
    person.sees(person.prompt)
    person.types("\x04")
    assert person.leaves() == 0
    assert "升职" not in person.text()  # the story is the client's own
    assert turns_of("r")[1:] == [lines[0], replies[0], lines[2], replies[1]]
    assert practicum("export", "r", "--format", "sharegpt", "--out", "out").status == 0
    assert lines[2] in Path("out/data.json").read_text("utf-8")


def test_a_line_is_edited_as_a_whole_and_the_last_ones_come_back(desk: Desk) -> None:
    person = desk.seat("script:echo", "--language", "zh", "--save", "--run", "r")
    person.sees(person.prompt)
    person.types("我睡不着\x7f好\x1b[D\x1b[D很\n")  # backspace takes a whole character, arrows go over one
    person.sees("咨询师：")
    person.sees(person.prompt)
    person.types("\x1b[A\n")
    person.sees("咨询师：")
    person.says("/quit")
    assert person.leaves() == 0
    assert turns_of("r") == ["我睡很不好"] * 4
    assert [path.name for path in Path.cwd().iterdir() if "history" in path.name] == []


def test_ctrl_c_cuts_a_reply_and_at_the_prompt_asks_before_it_leaves(desk: Desk, fake_server: FakeServer) -> None:
    fake_server.set(stream_chunks=1000, stream_pause=50)
    person = desk.seat(f"openai:m@{fake_server.url}", "--language", "en", "--save", "--run", "r", prompt="You: ")
    person.says("I sleep badly.")
    person.sees("word 2")
    person.types("\x03")
    person.sees("cut short")
    person.sees(person.prompt)
    person.types("\x03")
    person.sees("Ctrl-C again")
    fake_server.set(stream_chunks=0)
    person.says("/retry")
    person.sees("Counselor: ")
    person.sees(person.prompt)
    person.types("\x03")
    person.sees("Ctrl-C again")
    person.sees(person.prompt)
    person.types("\x03")
    assert person.leaves() == 0
    assert turns_of("r")[0] == "I sleep badly."
    assert len(turns_of("r")) == 2
    assert fake_server.stats()["streams_cut"] == 1


def test_after_kill_9_the_same_command_goes_on(desk: Desk) -> None:
    command = ("script:client.zh.txt", "--as", "counselor", "--client", "1", "--language", "zh", "--run", "r")
    person = desk.seat(*command)
    person.says("请说。")
    person.sees(CLIENT["zh"][0])
    person.says("后来呢？")
    person.sees(CLIENT["zh"][1])
    person.sees(person.prompt)
    person.kill()
    again = desk.seat(*command)
    again.sees("请说。")
    again.sees(CLIENT["zh"][1])
    again.sees("接着谈吗")
    again.types("y\n")
    again.says("醒来会想什么？")
    again.sees(CLIENT["zh"][2])
    again.says("/quit")
    assert again.leaves() == 0
    assert turns_of("r") == ["你好", "请说。", CLIENT["zh"][0], "后来呢？", CLIENT["zh"][1], "醒来会想什么？", CLIENT["zh"][2]]


def test_killed_while_a_reply_is_on_its_way_the_words_are_answered_afterwards(desk: Desk, fake_server: FakeServer) -> None:
    fake_server.set(latency=1000 * 2 * PATIENCE)
    command = (f"openai:m@{fake_server.url}", "--as", "counselor", "--client", "1", "--language", "en", "--run", "r")
    person = desk.seat(*command, prompt="You: ")
    person.says("Where would you like to begin?")
    while fake_server.stats()["requests"] < 1 and person.status is None:
        pass
    person.kill()
    assert len(turns_of("r")) == 2
    fake_server.set(latency=0)
    again = desk.seat(*command, prompt="You: ")
    again.sees("Go on with it?")
    again.types("\n")
    again.sees("Client: ")
    again.says("/quit")
    assert again.leaves() == 0
    assert len(turns_of("r")) == 3


def test_the_dialogue_looks_so(desk: Desk) -> None:
    person = desk.seat("script:client.en.txt", "--as", "counselor", "--client", "2", "--profiles", "en.json", "--run", "r", prompt="You: ")
    person.says("Go on.")
    person.says("/help")
    person.says("/quit")
    person.leaves()
    shown = person.text().replace("\r\x1b[K", "⌫").replace("\r\n", "\n").replace("\r", "")
    assert masked(re.sub(r"\x1b\[[?\d;]*[a-z]", "", shown)) == snapshot("""\
client 2 · script:client.en.txt#DIGEST
You are the counselor; a language model plays the client, and the story is fiction.
Every turn is kept in r (sqlite:///practicum.db). /help lists the commands, /quit ends the session.

Client: Hello
You: Go on.
Client: …⌫Client: I have been waking at three every night.
You: /help
  /undo      takes back the last exchange
  /retry     has the last reply said anew
  /history   prints what was said
  /quit      ends the session; so does Ctrl-D
  /help      lists these
You: /quit

The session is over after 1 exchange.
The session is kept in r:
  practicum show r KEY
  practicum export r --format jsonl --out practicum-export
""")


# ── at a terminal of our own, in this process ────────────────────────────────────────────────────────────────────────


class Keys:
    """A keyboard: lines, and Ctrl-C where there is none (None)."""

    def __init__(self, *lines: str | None) -> None:
        self._lines = list(lines)

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        if not self._lines:
            return ""
        line = self._lines.pop(0)
        if line is None:
            signal.raise_signal(signal.SIGINT)
        return f"{line}\n"


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True

    def reconfigure(self, **_: Any) -> None: ...


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs `practicum chat ARGS` with keys pressed; returns what the screen shows, without colours."""
    monkeypatch.setenv("NO_COLOR", "1")

    def run(keys: Keys, *args: str) -> str:
        from practicum.cli import main

        shown = Screen()
        monkeypatch.setattr(sys, "stdin", keys)
        monkeypatch.setattr(sys, "stdout", shown)
        monkeypatch.setattr(sys, "argv", ["practicum", "chat", *args])
        with pytest.raises(SystemExit) as left:
            main()
        assert not left.value.code
        return shown.getvalue().replace("\r\x1b[K", "⌫")

    return run


def test_help_history_and_what_is_no_command(screen: Callable[..., str]) -> None:
    keys = Keys("/help", "我睡不好", "/history", "/dance", "", "/retry", "/quit")
    assert masked(screen(keys, "script:counselor.zh.txt")) == snapshot("""\
bot/integrative · script:counselor.zh.txt#DIGEST
这是一个程序，不是治疗。
你说的话不会写入磁盘，除非输入 /save。/help 列出命令，/quit 结束。
This is a program, not therapy.
Nothing that you say is written to the disk, unless you say /save. /help lists the commands, /quit ends the session.

>   /undo      收回最后一个来回 / takes back the last exchange
  /retry     请对方把上一句重说一遍 / has the last reply said anew
  /history   看到目前为止的对话 / prints what was said
  /save      保存会话：/save，或 /save 名称 / keeps the session: /save, or /save NAME
  /quit      结束会话（Ctrl-D 也可以） / ends the session; so does Ctrl-D
  /help      列出这些命令 / lists these
> 咨询师：…⌫咨询师：你好，今天想从哪里说起？
你：你：我睡不好
咨询师：你好，今天想从哪里说起？
你：没有 /dance 这个命令；/help 列出所有命令
你：你：（重新回复）
咨询师：…⌫咨询师：你好，今天想从哪里说起？
你：
会话结束，共 1 个来回。
会话没有保存。
""")


def test_a_failed_reply_is_told_and_may_be_asked_for_again(screen: Callable[..., str]) -> None:
    Path("counselor.en.txt").write_text("!fail out of order\n", "utf-8")
    assert "(no reply: out of order\n" in screen(Keys("Hello", "/retry"), "script:counselor.en.txt", "--language", "en")


def test_ctrl_c_twice_leaves(screen: Callable[..., str]) -> None:
    shown = screen(Keys(None, "I sleep badly.", None, None), "script:counselor.en.txt", "--language", "en")
    assert shown.count("Ctrl-C again, or /quit, ends the session") == 2
    assert "The session is over after 1 exchange.\nThe session was not kept.\n" in shown


def test_the_story_is_shown_where_it_is_wanted(screen: Callable[..., str]) -> None:
    options = ("script:client.zh.txt", "--as", "counselor", "--client", "1", "--profiles", "zh.json")
    assert "来访者的故事：我二十九岁，最近升职以后一直睡不好。" in screen(Keys(), *options, "--show-profile")
    assert "二十九" not in screen(Keys(), *options)


def test_a_session_may_be_begun_anew(screen: Callable[..., str]) -> None:
    options = ("script:client.en.txt", "--as", "counselor", "--client", "1", "--profiles", "en.json", "--run", "r")
    process = subprocess.Popen((*COMMAND, *options), env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("".join(f"{line}\n" for line in COUNSELOR["en"]).encode())
    process.stdin.flush()
    while not process.stdout.readline().startswith(f"Client: {CLIENT['en'][3]}".encode()):
        pass
    process.kill()
    process.communicate()
    shown = screen(Keys("n", "Go on."), *options)
    assert "…\nYou: " in shown  # of a long session the end
    assert "This session was not finished. Go on with it? [Y/n]" in shown
    assert turns_of("r", "2") == ["Hello", "Go on.", CLIENT["en"][0]]


@both_languages
def test_help_is_shown_before_the_reply_once_for_each_kind_of_risk(screen: Callable[..., str], language: str) -> None:
    lines = {"zh": ("我想死。", "真的想死。", "我割腕了。"), "en": ("I want to die.", "I really want to die.", "I cut myself.")}[language]
    text = crisis_text("CN", "zh" if language == "zh" else "en")
    shown = screen(Keys(*lines), f"script:counselor.{language}.txt", "--country", "cn")
    assert shown.count(text) == 2
    assert shown.index(text) < shown.index(COUNSELOR[language][0])
    assert text not in screen(Keys(*lines), f"script:counselor.{language}.txt", "--no-banner")


def test_a_counselor_is_shown_no_crisis_lines_and_no_marks(screen: Callable[..., str]) -> None:
    Path("client.zh.txt").write_text("我想死。", "utf-8")
    shown = screen(Keys("请说。"), "script:client.zh.txt", "--as", "counselor", "--client", "1", "--language", "zh")
    assert "来访者：我想死。" in shown
    assert "risk" not in shown
    assert "12356" not in shown


def test_what_a_model_says_does_not_steer_the_terminal(screen: Callable[..., str]) -> None:
    Path("bad.txt").write_text("\x1b[2Jgone\x07", "utf-8")
    shown = screen(Keys("hi"), "script:bad.txt", "--language", "en")
    assert "Counselor: [2Jgone\n" in shown


def test_what_stands_in_for_the_authors_instruction_is_told(screen: Callable[..., str]) -> None:
    shown = screen(Keys(), "bot/mechat", "--model", "script:echo")
    assert shown.startswith("bot/mechat · script:echo; our instruction stands in for its authors', --prompt takes theirs\n")


# ── through a pipe ───────────────────────────────────────────────────────────────────────────────────────────────────


def pipe(*args: str, said: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run((*COMMAND, *args), env=ENVIRONMENT, input=said, capture_output=True, text=True, check=False)


def test_a_pipe_says_a_line_a_turn_and_hears_the_replies_alone() -> None:
    done = pipe("script:counselor.zh.txt", said="我睡不好\n\n还是睡不好\n")
    assert done.returncode == 0
    assert done.stdout == f"咨询师：{COUNSELOR['zh'][0]}\n咨询师：{COUNSELOR['zh'][1]}\n"
    assert "\x1b" not in done.stderr
    assert not list(Path.cwd().glob("practicum.db*"))


def test_a_pipe_that_gets_no_reply_fails() -> None:
    Path("counselor.en.txt").write_text("!fail out of order\n", "utf-8")
    done = pipe("script:counselor.en.txt", said="Hello\n")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "practicum: out of order"


def test_a_pipe_goes_on_with_an_unfinished_session(practicum: Practicum, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("chat", "script:client.en.txt", "--as", "counselor", "--client", "1", "--profiles", "en.json", "--run", "r")
    Path("client.en.txt").write_text(f"{CLIENT['en'][0]}\n!fail out of order\n", "utf-8")
    monkeypatch.setattr(sys, "stdin", io.StringIO("Go on.\nAnd then?\n"))
    assert practicum(*options).status == 1
    monkeypatch.setattr(sys, "stdin", io.StringIO("/quit\n"))
    outcome = practicum(*options)
    assert outcome.status == 1  # it fails again: the words still wait for their answer
    assert "going on with the unfinished session" in outcome.err
    assert turns_of("r") == ["Hello", "Go on.", CLIENT["en"][0], "And then?"]


# ── single replies ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_single_reply_is_all_that_is_printed(practicum: Practicum) -> None:
    outcome = practicum("chat", "script:counselor.zh.txt", "--message", "我睡不好")
    assert outcome == (0, f"{COUNSELOR['zh'][0]}\n", "")


def test_a_single_reply_in_json(practicum: Practicum) -> None:
    Path("before.json").write_text('[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]', "utf-8")
    outcome = practicum("chat", "script:counselor.en.txt", "--message", "I want to die.", "--history", "before.json", "--json")
    assert outcome.status == 0
    answer = outcome.json()
    assert len(answer.pop("digest")) == 16
    assert answer == snapshot(
        {
            "reply": "When did it start?",
            "model": "script:counselor.en.txt",
            "bot": "bot/integrative",
            "finish": "stop",
            "prompt_tokens": 0,
            "completion_tokens": 0,
            "seconds": 0.0,
            "risk": ["suicide"],
        }
    )


def test_words_may_come_from_standard_input(practicum: Practicum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("I sleep badly.\n"))
    assert practicum("chat", "script:echo", "--message", "-").out == "I sleep badly.\n"


def test_crisis_lines_stand_beside_a_single_reply(practicum: Practicum) -> None:
    outcome = practicum("chat", "script:counselor.zh.txt", "--message", "我想死。", "--country", "CN")
    assert outcome == (0, f"{COUNSELOR['zh'][0]}\n", f"{crisis_text('CN', 'zh')}\n")


def test_a_single_reply_that_fails_exits_with_1(practicum: Practicum) -> None:
    Path("counselor.en.txt").write_text("!fail out of order\n", "utf-8")
    assert practicum("chat", "script:counselor.en.txt", "--message", "hi") == (1, "", "practicum: out of order\n")
    outcome = practicum("chat", "script:counselor.en.txt", "--message", "hi", "--json")
    assert (outcome.status, outcome.json()["error"]) == (1, "out of order")


def test_many_messages_are_answered_a_line_each(practicum: Practicum) -> None:
    rows = [{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": f"我睡不好{n}"}]} for n in range(30)]
    Path("many.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    outcome = practicum("chat", "script:echo", "--messages", "many.jsonl", "--json")
    assert outcome.status == 0
    assert [json.loads(line)["reply"] for line in outcome.out.splitlines()] == [f"我睡不好{n}" for n in range(30)]
    assert outcome.err == "note: 30 system messages left out: the bot has its own instruction\n"


def test_of_many_messages_the_failures_are_counted(practicum: Practicum) -> None:
    Path("counselor.en.txt").write_text("fine\n!fail out of order\n", "utf-8")
    user, bot = {"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}
    Path("many.jsonl").write_text("\n".join(json.dumps(row) for row in ([user], [user, bot, user])), "utf-8")
    outcome = practicum("chat", "script:counselor.en.txt", "--messages", "many.jsonl")
    assert outcome.status == 1
    assert [json.loads(line).get("error") for line in outcome.out.splitlines()] == [None, "out of order"]
    assert outcome.err == "practicum: 1 of 2 answers could not be had; 'error' says why\n"


def test_messages_may_come_through_a_pipe(practicum: Practicum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO('[{"role": "user", "content": "我睡不好"}]'.encode())))
    assert json.loads(practicum("chat", "script:echo", "--messages", "-").out)["reply"] == "我睡不好"


# ── wrong usage ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ((), "practicum: say whom to talk to, e.g. `practicum chat bot/integrative`"),
        (("--as", "counselor"), "practicum: profile is missing; --client takes one of: 1 zh-"),
        (("script:echo", "--model", "script:echo"), "practicum: --model script:echo: script:echo is a model already"),
        (("script:echo", "--country", "Atlantis"), "practicum: banner.country: 'Atlantis' is not known"),
        (("script:echo", "--json"), "practicum: --json: prints a single reply"),
        (("script:echo", "--history", "x.json"), "practicum: --history: is what was said before --message"),
        (("script:echo", "--message", "a", "--messages", "b"), "practicum: --messages: holds the messages itself"),
        (("script:echo", "--message", " "), "practicum: --message: is blank"),
        (("script:echo", "--messages", "nowhere.jsonl"), "practicum: nowhere.jsonl: cannot be read"),
        (("script:echo", "--save", "--db", "sqlite://"), "practicum: db: sqlite:// lives in memory"),
        (("bot/nobody",), "practicum: "),
        (("script:echo", "--set", "dance=1"), "practicum: unknown key 'dance'"),
        (("script:echo", "--client", "1"), "practicum: profile: there is no simulated client where you are the client"),
    ],
)
def test_wrong_usage_is_one_line_and_exits_with_2(practicum: Practicum, args: tuple[str, ...], told: str) -> None:
    outcome = practicum("chat", *args)
    assert outcome.status == 2
    assert outcome.err.startswith(told)
    assert len(outcome.err.splitlines()) == 1


# ── a real model ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_embedded_model_talks(practicum: Practicum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRACTICUM_CACHE")  # the weights that `make test` has fetched
    if not is_present(find_model("smollm2-135m")):
        pytest.skip("no weights; `practicum models pull smollm2-135m` fetches them")
    monkeypatch.setattr(sys, "stdin", io.StringIO("I sleep badly since I was promoted.\n"))
    outcome = practicum("chat", "bot/integrative", "--model", "local:smollm2-135m", "--save", "--run", "r", "--language", "en")
    assert outcome.status == 0
    turns = turns_of("r")
    assert len(turns) == 2
    assert outcome.out == f"Counselor: {turns[1]}\n"
    with Store.open(DEFAULT_URL, create=False) as store:
        assert store.session("r", "1").turns[1].call is not None


def test_an_embedded_model_plays_a_client(practicum: Practicum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRACTICUM_CACHE")
    if not is_present(find_model("smollm2-135m")):
        pytest.skip("no weights; `practicum models pull smollm2-135m` fetches them")
    monkeypatch.setattr(sys, "stdin", io.StringIO("Hello, where would you like to begin?\n"))
    outcome = practicum("chat", "local:smollm2-135m", "--as", "counselor", "--client", "en-awake-at-three", "--run", "r")
    assert outcome.status == 0
    assert len(turns_of("r")) == 3
    assert practicum("show", "r", "--json").json()["run"]["settings"]["client"]["temperature"] == 0.8
