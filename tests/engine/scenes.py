"""What the tests of the engine share: voices by script, a journal in memory, a session to hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from practicum.backends import ChatBackend, ScriptedBackend
from practicum.core import Ending, Form, Language, Participant, Record, Sampling, SessionView, Speaker, Turn, Utterance
from practicum.engine import Journal, Moderator, OpenSession, SessionRules, hold_session
from practicum.measures import CheckRules
from practicum.roles import Chair, ModelVoice, labels, opening

KEY = "5e551011"
CLIENT_LINES = (
    "最近总是睡不好，白天没精神。",
    "大概从上个月换了工作开始的。",
    "我怕自己做得不够好。",
    "我妈也总打电话来问。",
    "我说不清那是什么感觉。",
)
COUNSELOR_LINES = (
    "听起来这段日子很不容易。",
    "那个时候你想到了什么？",
    "这种担心以前也有过吗？",
    "她问起的时候，你心里是怎样的？",
    "慢慢说，我在听。",
)
GOODBYE = "今天就先到这里吧，再见。"


class Talker:
    """A voice that says its lines in order and then goes on counting."""

    def __init__(self, *lines: str, problem: BaseException | None = None) -> None:
        self.lines = lines
        self.problem = problem
        """Raised once the lines are used up."""
        self.released = 0

    async def speak(self, session: SessionView) -> Utterance:
        spoken = session.next_index // 2
        if spoken < len(self.lines):
            return Utterance(text=self.lines[spoken])
        if self.problem is not None:
            raise self.problem
        return Utterance(text=f"第{spoken}句话")

    def release(self) -> None:
        self.released += 1


class MemoryJournal:
    """Keeps turns in memory."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.records: list[Record] = []

    async def append(self, turn: Turn, records: Sequence[Record]) -> None:
        self.turns.append(turn)
        self.records += records


def make_turns(*texts: str) -> list[Turn]:
    """Turns as a store would give them back, without risks."""
    speakers = (Speaker.CLIENT, Speaker.COUNSELOR)
    return [Turn(index=index, speaker=speakers[index % 2], text=text) for index, text in enumerate(texts)]


def make_chair(speaker: Speaker, backend: ChatBackend, *, form: Form = Form.CHAT, ask_again: int = 3) -> Chair:
    participant = Participant(role=speaker, model="script:x", form=form, prompts=(), sampling=Sampling(), template="chatml")
    return Chair.of(speaker, participant, backend, CheckRules(), ask_again)


def seat_models(
    backends: Mapping[Speaker, ChatBackend], systems: Mapping[Speaker, str], *, form: Form = Form.CHAT, language: Language = "zh"
) -> Mapping[Speaker, ModelVoice]:
    return {
        speaker: ModelVoice(
            make_chair(speaker, backend, form=form),
            key=KEY,
            system=systems[speaker],
            labels=labels(language),
            opening=opening(language) if speaker is Speaker.CLIENT else None,
        )
        for speaker, backend in backends.items()
    }


def script(*lines: str, keep: int = 1000) -> ScriptedBackend:
    return ScriptedBackend(lines, keep=keep)


async def hold(
    voices: Mapping[Speaker, Talker] | Mapping[Speaker, ModelVoice],
    journal: Journal,
    *,
    turns: Sequence[Turn] = (),
    rules: SessionRules | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Ending | None:
    """Hold a Chinese session of at most five exchanges."""
    session = OpenSession(key=KEY, language="zh", run_seed=7, turns=turns)
    moderator = Moderator(rules or SessionRules(max_exchanges=5))
    return await hold_session(session, voices, moderator, journal, clock=lambda: 1_700_000_000.0, stopping=stopping)
