from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.fakeserver import FakeServer
from practicum.build.answers import Answer, answer_all, read_messages, read_talks
from practicum.build.chat import ChatResult, Event, hold_chat
from practicum.build.chat_plan import ChatConfig, ChatPlan, choose, name_bot, plan_chat
from practicum.core import Ending, Language, Message, Profile, Session, SessionView, Speaker, Turn
from practicum.dataset import Format, bundled_profiles, export_run
from practicum.errors import BackendError, ConfigError, EndpointError, StoreError
from practicum.roles import Aside, Wish
from practicum.store import Store

COUNSELOR = {
    "zh": ("你好，今天想从哪里说起？", "是从什么时候开始的？", "醒来时心里在想什么？"),
    "en": ("Hello.", "When did it start?", "And then?"),
}
CLIENT = {
    "zh": ("最近总是睡不好，凌晨三点就醒。", "脑子停不下来。", "其实我怕他们发现我不行。"),
    "en": ("I wake at three every night.", "My head goes over every meeting.", "I am afraid they find me out."),
}
LEAVE, UNDO, RETRY = Aside(Wish.LEAVE), Aside(Wish.UNDO), Aside(Wish.RETRY)
Line = str | Aside | Callable[[], "Line"]


class Script:
    """A `Listener` that says its lines and then leaves; what it was told is kept."""

    def __init__(self, *lines: Line, patient: bool = True, goes_on: bool = True, cuts: Sequence[int] = ()) -> None:
        self.patient = patient
        self._lines = list(lines)
        self._goes_on = goes_on
        self._cuts = cuts
        self._cut: Callable[[], object] = lambda: None
        self.language: Language | None = None
        self.heard = ""
        self.pieces: list[str] = []
        self.turns: list[str] = []
        self.events: list[tuple[str, str]] = []
        self.offered: list[str] = []
        self.asked_at: list[int] = []

    async def ask(self, session: SessionView) -> str | Aside:
        self.asked_at.append(session.next_index)
        line: Line = self._lines.pop(0) if self._lines else LEAVE
        while callable(line):
            line = line()
        return line

    def begin(self, language: Language, cut: Callable[[], object]) -> None:
        self.language, self._cut = language, cut

    def offer(self, turns: Sequence[Turn]) -> bool:
        self.offered = [turn.text for turn in turns]
        return self._goes_on

    def hear(self, piece: str) -> None:
        self.pieces.append(piece)

    def said(self, turn: Turn) -> None:
        self.turns.append(turn.text)
        if len(self.turns) in self._cuts:
            self._cut()

    def tell(self, event: Event, detail: str = "") -> None:
        self.events.append((event, detail))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with `counselor.zh.txt` …"""
    monkeypatch.chdir(tmp_path)
    for name, lines in (("counselor", COUNSELOR), ("client", CLIENT)):
        for language, texts in lines.items():
            Path(f"{name}.{language}.txt").write_text("\n".join(texts), "utf-8")
    return tmp_path


DB = "sqlite:///chat.db"


def as_client(model: str = "script:counselor.zh.txt", **changes: Any) -> ChatPlan:
    return plan_chat(ChatConfig.model_validate({"bot": "integrative", "model": model, **changes}), db=DB)


def as_counselor(model: str = "script:client.zh.txt", profile: str = "1", **changes: Any) -> ChatPlan:
    config = {"chair": "counselor", "client": {"model": model}, "profile": profile, **changes}
    return plan_chat(ChatConfig.model_validate(config), db=DB)


def hold(plan: ChatPlan, listener: Script, **options: Any) -> ChatResult:
    return hold_chat(plan, listener, db=DB, **options)


def kept(result: ChatResult) -> Session:
    with Store.open(DB, create=False) as store:
        return store.session(result.run, result.key)


def said_in(session: Session) -> list[str]:
    return [turn.text for turn in session.turns]


def fails_at(which: int, language: Language = "zh") -> None:
    """Let the counselor's n-th line fail."""
    lines = list(COUNSELOR[language])
    lines[which] = "!fail 机器坏了"
    Path(f"counselor.{language}.txt").write_text("\n".join(lines), "utf-8")


# ── names and plans ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("who", "named"),
    [
        ("bot/cbt", {"bot": "cbt"}),
        ("bot:cbt", {"bot": "cbt"}),
        ("cbt", {"bot": "cbt"}),
        ("bot:mine/小禾.toml", {"bot": "mine/小禾.toml"}),
        ("mine/小禾.toml", {"bot": "mine/小禾.toml"}),
        ("openai:gpt-4.1", {"bot": "integrative", "model": "openai:gpt-4.1"}),
        ("local:x.gguf", {"bot": "integrative", "model": "local:x.gguf"}),
    ],
)
def test_a_bot_goes_by_several_names_and_a_model_by_its_own(who: str, named: dict[str, str]) -> None:
    assert name_bot(who) == named


def test_a_profile_is_chosen_by_id_or_by_number() -> None:
    profiles = [Profile(id=name, text=f"story {name}", language="en") for name in ("anna", "2", "小禾")]
    assert [choose(profiles, which).id for which in ("anna", "3", "小禾", "2", "1")] == ["anna", "小禾", "小禾", "2", "anna"]


@pytest.mark.parametrize("which", [None, "0", "4", "二", "bob"])
def test_a_profile_that_is_not_there_is_refused_with_those_that_are(which: str | None) -> None:
    profiles = [Profile(id=name, text=f"story {name}", language="en") for name in ("anna", "小禾")]
    with pytest.raises(ConfigError, match="--client takes one of: 1 anna, 2 小禾"):
        choose(profiles, which)


def test_of_many_profiles_a_refusal_lists_the_first() -> None:
    with pytest.raises(ConfigError, match=r"20 p19 … 5 more"):
        choose([Profile(id=f"p{n}", text=f"{n}", language="en") for n in range(25)], None)


def test_the_bundled_profiles_are_those_of_the_language() -> None:
    english = bundled_profiles("en")[1]
    assert as_counselor("script:client.en.txt", "2", language="en").profile == english
    assert as_counselor("script:client.en.txt", english.id).profile == english


def test_profiles_may_come_from_a_file_in_another_language_than_the_sessions() -> None:
    Path("mine.json").write_text('["我二十九岁，最近睡不好。"]', "utf-8")
    profile = as_counselor(profiles="mine.json", language="en").profile
    assert profile is not None
    assert (profile.text, profile.language) == ("我二十九岁，最近睡不好。", "en")


def test_a_client_that_is_no_local_model_is_asked_as_the_paper_asks() -> None:
    assert as_counselor("script:echo").seat.participant.sampling.temperature == 1.0


@pytest.mark.parametrize("key", ["profile", "profiles"])
def test_a_client_has_no_client_across(key: str) -> None:
    with pytest.raises(ConfigError, match="--as counselor"):
        as_client(**{key: "1"})


@pytest.mark.parametrize("key", ["model", "prompt"])
def test_a_client_is_not_played_by_a_bot(key: str) -> None:
    config = {"chair": "counselor", "profile": "1", key: "script:echo"}
    with pytest.raises(ConfigError, match="names what a bot answers with"):
        plan_chat(ChatConfig.model_validate(config), db=DB)


def test_whoever_sits_there_is_a_participant_like_any_other() -> None:
    plan = as_client(name="anna")
    client, counselor = (plan.participants[speaker] for speaker in Speaker)
    assert (client.role, client.model, client.prompts) == ("client", "person:anna", ())
    assert counselor.model.startswith("bot:integrative#")
    assert plan.identity["client"]["sampling"] == {"temperature": None, "top_p": None, "max_tokens": None}
    assert as_client(name="ben").name != plan.name == as_client(name="anna", language="en").name


def test_code_that_comes_with_a_model_is_run_only_if_the_user_says_so() -> None:
    Path("own.toml").write_text(
        'name = "own"\nlanguages = ["zh"]\n[model]\nname = "hf:some/model"\nown = true\ntrust_remote_code = true\n', "utf-8"
    )
    with pytest.raises(ConfigError, match=r"bot own: its model some/model runs Python code of its own; .* --trust-remote-code"):
        plan_chat(ChatConfig(bot="own.toml"))
    assert plan_chat(ChatConfig.model_validate({"bot": "own.toml", "hf": {"trust_remote_code": True}})).seat.bot is not None


# ── on the counselor's chair ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("language", "hello"), [("zh", "你好"), ("en", "Hello")])
def test_a_session_is_kept_from_its_first_turn_and_ends_when_the_counselor_leaves(language: Language, hello: str) -> None:
    on_disk: list[int] = []

    def look(line: str) -> Callable[[], str]:
        def say() -> str:
            with Store.open(DB, create=False) as store:
                on_disk.extend(len(session.turns) for session in store.sessions(store.runs()[0].name))
            return line

        return say

    words = ("请说。", "后来呢？") if language == "zh" else ("Go on.", "And then?")
    listener = Script(*(look(word) for word in words))
    result = hold(as_counselor(f"script:client.{language}.txt", language=language), listener)
    session = kept(result)
    assert said_in(session) == listener.turns == [hello, words[0], CLIENT[language][0], words[1], CLIENT[language][1]]
    assert on_disk == [1, 3]
    assert (session.ending, session.number, result.exchanges) == (Ending.COUNSELOR_CLOSED, 1, 2)
    assert listener.language == language
    assert session.profile == bundled_profiles(language)[0]


def test_the_last_exchange_is_taken_back_in_the_store_too() -> None:
    result = hold(as_counselor(), Script(UNDO, "请说。", "后来呢？", UNDO, "醒来会想什么？"))
    assert said_in(kept(result)) == ["你好", "请说。", CLIENT["zh"][0], "醒来会想什么？", CLIENT["zh"][1]]


def test_there_may_be_nothing_to_take_back_or_to_ask_again() -> None:
    listener = Script(UNDO, RETRY, "请说。")
    hold(as_counselor(), listener)
    assert listener.events == [(Event.NOTHING_TO_TAKE_BACK, ""), (Event.NOTHING_TO_ASK_AGAIN, "")]


def test_another_reply_has_another_seed_and_takes_the_place_of_the_first() -> None:
    Path("many.txt").write_text("\n".join(f"第{n}种说法，我睡不好。" for n in range(500)), "utf-8")
    listener = Script("请说。", RETRY, RETRY)
    session = kept(hold(as_counselor("script:seeded many.txt"), listener))
    said = [text for text in listener.turns if "睡不好" in text]
    assert len(set(said)) == 3
    assert said_in(session) == ["你好", "请说。", said[-1]]
    assert listener.events == [(Event.AGAIN, "")] * 2


def test_the_session_is_over_once_both_have_said_goodbye() -> None:
    Path("client.zh.txt").write_text("最近总是睡不好。\n脑子停不下来。\n谢谢你，再见。", "utf-8")
    listener = Script("请说。", "后来呢？", "今天就到这里，再见。", "not asked for any more")
    session = kept(hold(as_counselor(), listener))
    assert session.ending is Ending.CLOSED
    assert session.turns[-1].text == "谢谢你，再见。"


def test_the_session_is_over_at_the_turn_limit() -> None:
    session = kept(hold(as_counselor(max_exchanges=1), Script("请说。")))
    assert (session.ending, len(session.turns)) == (Ending.TURN_LIMIT, 2)


def test_replies_pass_the_check_of_any_simulated_client() -> None:
    Path("client.zh.txt").write_text("来访者：我睡不好。", "utf-8")
    session = kept(hold(as_counselor(), Script("请说。")))
    assert session.turns[2].text == "我睡不好。"
    assert session.turns[2].state["check"]["as_said"] == ["来访者：我睡不好。"]


def test_sessions_with_the_same_client_are_numbered() -> None:
    first, second, other = (hold(as_counselor(profile=which), Script("请说。")) for which in ("1", "1", "2"))
    assert first.run == second.run == other.run
    assert [kept(result).number for result in (first, second, other)] == [1, 2, 1]
    assert kept(first).case == kept(second).case != kept(other).case


def die() -> Line:
    raise KeyboardInterrupt  # as good as `kill -9`: nothing is told to the store


def test_an_unfinished_session_is_offered_and_gone_on_with() -> None:
    with pytest.raises(KeyboardInterrupt):
        hold(as_counselor(), Script("请说。", "后来呢？", die))
    listener = Script("醒来会想什么？")
    session = kept(hold(as_counselor(), listener))
    assert listener.offered == ["你好", "请说。", CLIENT["zh"][0], "后来呢？", CLIENT["zh"][1]]
    assert said_in(session) == [*listener.offered, "醒来会想什么？", CLIENT["zh"][2]]
    assert session.number == 1
    assert listener.turns == ["醒来会想什么？", CLIENT["zh"][2]]


def test_an_unfinished_session_may_be_left_as_it_is() -> None:
    with pytest.raises(KeyboardInterrupt):
        hold(as_counselor(), Script("请说。", die))
    declined = kept(hold(as_counselor(), Script("你好呀。", goes_on=False)))
    anew = Script("我们开始吧。")
    begun = kept(hold(as_counselor(), anew, new=True))
    assert (declined.number, begun.number) == (2, 3)
    assert anew.offered == []
    with Store.open(DB, create=False) as store:
        assert [session.ending is None for session in store.sessions(begun.run)] == [True, False, False]


def test_a_session_cut_off_before_a_word_is_gone_on_with_unasked_and_another_clients_is_not() -> None:
    with pytest.raises(KeyboardInterrupt):
        hold(as_counselor(), Script(die))
    other, same = Script("请说。"), Script("请说。")
    assert kept(hold(as_counselor(profile="2"), other)).number == 1
    assert said_in(kept(hold(as_counselor(), same))) == ["你好", "请说。", CLIENT["zh"][0]]
    assert other.offered == same.offered == []


def test_a_run_that_another_process_writes_is_refused() -> None:
    plan = as_counselor(run="class")
    with Store.open(DB) as store, store.own_run("class"), pytest.raises(StoreError, match="class"):
        hold(plan, Script("请说。"))


def test_clients_of_a_run_are_played_as_they_were_there() -> None:
    hold(as_counselor(run="class", client={"model": "script:client.zh.txt", "temperature": 0.5}), Script("请说。"))
    again = plan_chat(ChatConfig.model_validate({"chair": "counselor", "profiles": "class", "profile": "1"}), db=DB)
    assert again.seat.participant == as_counselor(client={"model": "script:client.zh.txt", "temperature": 0.5}).seat.participant
    other = {"chair": "counselor", "profiles": "class", "profile": "1", "client": {"model": "script:client.en.txt"}}
    seat = plan_chat(ChatConfig.model_validate(other), db=DB).seat
    assert (seat.model.name, seat.participant.sampling.temperature) == ("client.en.txt", 0.5)


# ── on the client's chair ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("language", ["zh", "en"])
def test_nothing_is_written_unasked(language: Language) -> None:
    listener = Script(*CLIENT[language][:2])
    result = hold(as_client(f"script:counselor.{language}.txt"), listener)
    assert (result.run, result.exchanges, result.ending) == ("", 2, Ending.CLIENT_LEFT)
    assert listener.language == language
    assert "".join(listener.pieces) == "".join(COUNSELOR[language][:2])
    assert not list(Path.cwd().glob("chat.db*"))


def test_what_was_said_before_is_kept_with_all_that_comes_after() -> None:
    lines = CLIENT["zh"]
    on_disk: list[int] = []

    def look() -> str:
        with Store.open(DB, create=False) as store:
            on_disk.append(len(store.session("mine", "1").turns))
        return lines[2]

    listener = Script(lines[0], lines[1], Aside(Wish.SAVE, "mine"), Aside(Wish.SAVE), look)
    session = kept(hold(as_client(), listener))
    assert said_in(session) == [text for pair in zip(lines, COUNSELOR["zh"], strict=True) for text in pair]
    assert on_disk == [4]
    assert all(turn.call is not None for turn in session.turns[1::2])
    assert listener.events == [(Event.SAVED, "mine"), (Event.SAVED_ALREADY, "mine")]
    profile = session.profile
    assert (session.ending, profile.id, profile.language, profile.source.origin, profile.split) == (
        Ending.CLIENT_LEFT, "person-person", "zh", "chat", None,
    )  # fmt: skip


def test_save_may_be_said_before_the_first_word() -> None:
    asked, told = Script(Aside(Wish.SAVE), UNDO, RETRY, "I wake at three."), Script("I wake at three.")
    first = hold(as_client("script:counselor.en.txt"), asked)
    second = hold(as_client("script:counselor.en.txt"), told, save=True)
    assert [event for event, _ in asked.events] == [
        Event.WILL_SAVE, Event.NOTHING_TO_TAKE_BACK, Event.NOTHING_TO_ASK_AGAIN, Event.SAVED,
    ]  # fmt: skip
    assert [event for event, _ in told.events] == [Event.SAVED]
    assert first.run == second.run
    assert [kept(result).number for result in (first, second)] == [1, 2]
    assert said_in(kept(second)) == ["I wake at three.", "Hello."]


def test_whoever_leaves_without_a_word_leaves_nothing() -> None:
    result = hold(as_client(), Script(), save=True)
    assert (result.ending, result.run, result.exchanges) == (None, "", 0)
    assert not Path("chat.db").exists()


def test_a_client_takes_back_and_asks_again() -> None:
    lines = CLIENT["zh"]
    listener = Script(lines[0], lines[1], UNDO, "其实是工作的事。", RETRY)
    session = kept(hold(as_client(), listener, save=True))
    assert said_in(session) == [lines[0], COUNSELOR["zh"][0], "其实是工作的事。", COUNSELOR["zh"][1]]


def test_a_failed_reply_is_told_and_the_words_are_said_again() -> None:
    fails_at(1)
    lines = CLIENT["zh"]

    def mend() -> Line:
        Path("counselor.zh.txt").write_text("\n".join(COUNSELOR["zh"]), "utf-8")
        return RETRY

    listener = Script(lines[0], lines[1], RETRY, LEAVE)
    session = kept(hold(as_client(), listener, save=True))
    assert [event for event in listener.events if event[0] is Event.FAILED] == [(Event.FAILED, "机器坏了")] * 2
    assert said_in(session) == [lines[0], COUNSELOR["zh"][0]]  # what got no reply is not part of it
    assert session.ending is Ending.CLIENT_LEFT


def test_without_patience_a_failed_reply_fails_the_session() -> None:
    fails_at(1)
    lines = CLIENT["zh"]
    with pytest.raises(BackendError, match="机器坏了"):
        hold(as_client(run="r"), Script(*lines, patient=False), save=True)
    with Store.open(DB, create=False) as store:
        session = store.session("r", "1")
    assert (session.ending, session.failure) == (Ending.FAILED, "机器坏了")
    assert said_in(session) == [lines[0], COUNSELOR["zh"][0], lines[1]]


def test_risks_are_labelled_and_the_session_is_flagged() -> None:
    result = hold(as_client(), Script("我觉得活着没意思，想死。"), save=True)
    session = kept(result)
    assert session.turns[0].state["risk"] == ["suicide"]
    assert session.risk == ("suicide",)


def test_a_risk_that_was_taken_back_is_none_of_the_sessions() -> None:
    session = kept(hold(as_client(), Script("我最近睡不好。", "我想死。", UNDO), save=True))
    assert session.risk == ()


@pytest.mark.parametrize("form", [Format.SHAREGPT, Format.MESSAGES, Format.JSONL, Format.CSV])
def test_both_chairs_are_exported_like_any_session(form: Format) -> None:
    ran = [
        hold(as_client("script:counselor.en.txt"), Script(*CLIENT["en"]), save=True),
        hold(as_counselor(), Script("请说。", "后来呢？")),
    ]
    for result, said in zip(ran, (CLIENT["en"][2], CLIENT["zh"][0]), strict=True):
        report = export_run(result.run, form=form, out=Path("out"), db=DB)
        assert report.written == 1
        assert said in report.files[0].read_text("utf-8")


def test_a_run_of_other_participants_is_refused_and_the_chat_goes_on() -> None:
    hold(as_counselor(run="taken"), Script("请说。"))
    lines = CLIENT["zh"]
    listener = Script(lines[0], Aside(Wish.SAVE, "taken"), lines[1], Aside(Wish.SAVE, "no name!"), Aside(Wish.SAVE, "free"))
    result = hold(as_client(), listener)
    assert [event for event, _ in listener.events] == [Event.NOT_SAVED, Event.NOT_SAVED, Event.SAVED]
    assert "taken" in listener.events[0][1]
    assert len(said_in(kept(result))) == 4


def test_without_patience_a_session_that_cannot_be_kept_is_an_error() -> None:
    hold(as_counselor(run="taken"), Script("请说。"))
    with pytest.raises(ConfigError, match="taken"):
        hold(as_client(run="taken"), Script("你好", patient=False), save=True)


# ── over HTTP ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_reply_streams_from_a_server_word_by_word(fake_server: FakeServer) -> None:
    fake_server.set(stream_chunks=12, stream_pause=1)
    listener = Script("最近总是睡不好。", "就是睡不着。")
    result = hold(as_client(f"openai:m@{fake_server.url}"), listener, save=True)
    session = kept(result)
    assert len(listener.pieces) > 4  # what comes together is told together
    assert "".join(listener.pieces) == "".join(turn.text for turn in session.turns[1::2])
    assert all(turn.completion_tokens > 0 for turn in session.turns[1::2])


def test_a_reply_cut_short_is_not_kept_and_may_be_asked_for_again(fake_server: FakeServer) -> None:
    listener = Script("最近总是睡不好。", RETRY, cuts=[1])
    session = kept(hold(as_client(f"openai:m@{fake_server.url}"), listener, save=True))
    assert [event for event, _ in listener.events] == [Event.SAVED, Event.CUT, Event.AGAIN]
    assert session.turns[0].text == "最近总是睡不好。"
    assert len(session.turns) == 2


def test_words_that_were_cut_may_be_said_otherwise(fake_server: FakeServer) -> None:
    listener = Script("最近总是睡不好。", "还是说工作吧。", UNDO, cuts=[1])
    session = kept(hold(as_client(f"openai:m@{fake_server.url}"), listener, save=True))
    assert session.turns == ()
    assert [event for event, _ in listener.events][-1] is Event.TAKEN_BACK


def test_a_simulated_client_is_cut_short_too(fake_server: FakeServer) -> None:
    fake_server.set(latency=60_000)
    listener = Script("请说。", cuts=[2])
    session = kept(hold(as_counselor(f"openai:m@{fake_server.url}"), listener))
    assert said_in(session) == ["你好"]
    assert listener.events == [(Event.CUT, "")]


def test_a_server_that_is_gone_is_told_at_once() -> None:
    with FakeServer.start() as server:
        model = f"openai:m@{server.url}"
    listener = Script("你好")
    result = hold(as_client(model), listener)
    assert [event for event, _ in listener.events] == [Event.NOTE, Event.FAILED]
    assert result.exchanges == 0
    with pytest.raises(EndpointError):
        hold(as_client(model), Script("你好", patient=False))


@pytest.mark.parametrize("saved", ["before", "after"])
def test_what_a_backend_notes_is_kept_with_the_run(saved: str) -> None:
    with FakeServer.start() as server:
        model = f"openai:m@{server.url}"
    result = hold(as_client(model), Script("你好", Aside(Wish.SAVE)), save=saved == "before")
    with Store.open(DB, create=False) as store:
        assert [note.text.startswith("no answer from") for note in store.run(result.run).notes] == [True]


# ── single replies ───────────────────────────────────────────────────────────────────────────────────────────────────


def answers(plan: ChatPlan, talks: Sequence[Sequence[Message]]) -> tuple[list[Answer], int]:
    taken: list[Answer] = []
    failed = answer_all(plan, talks, taken.append)
    return taken, failed


def test_many_talks_are_answered_in_order(fake_server: FakeServer) -> None:
    fake_server.set(latency=20)
    talks = [[Message("user", f"{text}{number}")] for number in range(40) for text in ("我睡不好", "I sleep badly ")]
    plan = as_client(f"openai:m@{fake_server.url}", at_once=8)
    taken, failed = answers(plan, talks)
    assert failed == 0
    assert fake_server.stats()["in_flight_max"] == 8
    again, _ = answers(replace(plan, config=plan.config.model_copy(update={"at_once": 1})), talks)
    assert [one.reply for one in again] == [one.reply for one in taken]
    assert all(one.reply and one.bot == "bot/integrative" and one.finish == "stop" for one in taken)


def test_a_reply_that_fails_stands_in_its_place() -> None:
    fails_at(1)
    turns = [Message("user", "我想死。"), Message("assistant", "请说"), Message("user", "就是睡不好")]
    taken, failed = answers(as_client(), [turns[:1], turns, turns[:1]])
    assert failed == 1
    assert [(one.reply, one.error, one.risk) for one in taken] == [
        (COUNSELOR["zh"][0], "", ("suicide",)),
        ("", "机器坏了", ()),
        (COUNSELOR["zh"][0], "", ("suicide",)),
    ]


def test_a_simulated_client_answers_for_scripts_too() -> None:
    taken, failed = answers(as_counselor(), [[Message("user", "你好，请说。")]])
    assert failed == 0
    assert taken[0].reply == CLIENT["zh"][0]
    assert taken[0].bot == f"client/{bundled_profiles('zh')[0].id}"


def test_talks_are_read_without_their_system_messages() -> None:
    rows = [
        {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "你好"}]},
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}],
    ]
    data = b"\n\n".join(json.dumps(row).encode() for row in rows)
    talks, left_out = read_talks(data, "x.jsonl")
    assert talks == [[Message("user", "你好")], [Message("user", "a"), Message("assistant", "b"), Message("user", "c")]]
    assert left_out == 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 2: not JSON"),
        ("3", "line 2: expected a list of messages"),
        ('{"messages": 3}', "line 2: expected a list of messages"),
        ('[{"role": "tool", "content": "x"}]', "line 2, message 1: expected a role"),
        ('[{"role": "user", "content": " "}]', "line 2, message 1: expected a role"),
        ('["x"]', "line 2, message 1: expected a role"),
        ("[]", "expected the last message to be the user's .to be answered., it is nothing"),
        ('[{"role": "assistant", "content": "x"}]', "it is assistant"),
    ],
)
def test_a_line_that_is_no_talk_is_refused_by_its_number(line: str, told: str) -> None:
    with pytest.raises(ConfigError, match=f"x.jsonl.*{told}"):
        read_talks(f'[{{"role": "user", "content": "ok"}}]\n{line}\n'.encode(), "x.jsonl")


def test_no_talk_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match="no talk to answer"):
        read_talks(b"\n \n", "x.jsonl")


def test_a_history_ends_with_the_assistants_words() -> None:
    with pytest.raises(ConfigError, match="--message comes after it"):
        read_messages(b'[{"role": "user", "content": "x"}]', "h.json", last="assistant")
