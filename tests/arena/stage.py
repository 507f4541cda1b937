"""What the tests of panels share: members and supervisors by script, a notebook in memory, and a way to read a question."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from practicum.arena import Bench, Member, Question, Supervisor
from practicum.arena.records import BALLOT, CANARY, CANDIDATE, CHOICE, DECISION, read_ballot, read_choice
from practicum.backends import ChatBackend, Reply, Request, ScriptedBackend, TokenChances
from practicum.core import (
    LANGUAGES,
    Ballot,
    Call,
    Choice,
    Form,
    Language,
    Outcome,
    Participant,
    Record,
    Sampling,
    SessionView,
    Speaker,
    Turn,
    Utterance,
    Verdict,
)
from practicum.roles import QUESTION, SUPERVISOR, load_prompt

SAID = {
    "a": "听起来这段日子很不容易，你愿意多说一点吗？",
    "b": "你应该早点睡，少看手机，多运动，一切都会好起来的，想开一点。",
    "c": "嗯嗯，请说。",
}
"""What three counselors say: the honest one, the longest one, the shortest one."""

Rule = Callable[[Request], str]


class Shown(NamedTuple):
    """What a supervisor is shown, as it can find it in its prompt."""

    labels: list[str]
    texts: list[str]
    fence: str


def read_question(request: Request) -> Shown:
    """Find labels and fenced texts in a question of either language and form."""
    assert request.tail is not None
    text = request.tail.content
    fence = re.findall(r"<<end ([0-9a-f]{8})>>", text)[-1]
    found = re.findall(rf"(?:回应|Reply|咨询|Session)? ?([A-H])[：:]? ?\n?<<{fence}>>(.*?)<<end {fence}>>", text, re.DOTALL)
    return Shown([label for label, _ in found], [said.strip() for _, said in found], fence)


def first_slot(request: Request) -> str:
    return f"它排在最前面。\n结论：{read_question(request).labels[0]}"


def longest(request: Request) -> str:
    shown = read_question(request)
    return f"它说得最多。\n结论：{shown.labels[max(range(len(shown.texts)), key=lambda at: len(shown.texts[at]))]}"


def oracle(*honest: str) -> Rule:
    """Pick the first of these texts that is shown; `none` where there is none of them."""

    def rule(request: Request) -> str:
        shown = read_question(request)
        found = next((text for text in honest if text in shown.texts), None)
        return "谁也不行。\n结论：none" if found is None else f"它最诚实。\n结论：{shown.labels[shown.texts.index(found)]}"

    return rule


def saying(last: str) -> Rule:
    """End every answer in the same way."""
    return lambda _: f"说不上为什么。\n{last}"


def gibberish(request: Request) -> str:
    return f"蓝色的鱼在楼梯上唱歌，第{request.seed}遍"


def supervisor(
    rule: Rule | ChatBackend, *, name: str = "s", form: Form = Form.CHAT, question: str = "turn", keep: int = 1000, **options: Any
) -> Supervisor:
    backend = ScriptedBackend(rule, keep=keep) if callable(rule) else rule
    participant = Participant(
        role=SUPERVISOR, model=f"script:{name}", form=form, prompts=(), sampling=Sampling(temperature=0.0), template="chatml"
    )
    systems = {language: load_prompt(SUPERVISOR, language, form).render(language=language) for language in LANGUAGES}
    questions = {language: load_prompt(QUESTION, language, form, question) for language in LANGUAGES}
    return Supervisor(participant=participant, backend=backend, systems=systems, questions=questions, **options)


def bench(*rules: Rule, **options: Any) -> Bench:
    """A bench of one supervisor for each rule."""
    return Bench(supervisors=[supervisor(rule, name=str(number)) for number, rule in enumerate(rules)], **options)


def asked(of: Supervisor) -> Sequence[Request]:
    assert isinstance(of.backend, ScriptedBackend)
    return list(of.backend.asked)


def question(
    texts: Mapping[str, str] = SAID, *, turn: int = 1, language: Language = "zh", seed: int = 7, session: str = "5e55"
) -> Question:
    transcript = "来访者：最近总是睡不好。" if language == "zh" else "Client: I sleep badly."
    return Question(session=session, turn=turn, language=language, run_seed=seed, transcript=transcript, texts=texts)


class MemoryNotebook:
    """Keeps records in memory as a store would: as JSON."""

    def __init__(self, kept: Sequence[tuple[int, Record]] = ()) -> None:
        self.kept: Sequence[tuple[int, Record]] = kept
        self.records: list[tuple[int, Record]] = []

    async def keep(self, index: int, records: Sequence[Record]) -> None:
        assert records
        self.records += [(index, as_stored(record)) for record in records]

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        return [record.data for _, record in self.records if record.kind == kind]

    def ballots(self) -> list[Ballot]:
        return [read_ballot(data) for data in self.of(BALLOT)]

    def canaries(self) -> list[Ballot]:
        return [read_ballot(data) for data in self.of(CANARY)]


def as_stored(record: Record) -> Record:
    return Record(kind=record.kind, data=orjson.loads(orjson.dumps(record.data)))


class MemberVoice:
    """A counselor who says what a function of the session says, and counts how often."""

    def __init__(
        self, says: str | Callable[[SessionView], str], *, records: Sequence[Record] = (), state: Mapping[str, Any] | None = None
    ) -> None:
        self._says = says if callable(says) else lambda _: says
        self._records = tuple(records)
        self._state = state or {}
        self.spoken = 0
        self.released = 0

    async def speak(self, session: SessionView) -> Utterance:
        self.spoken += 1
        return Utterance(
            text=self._says(session),
            call=call(),
            records=self._records,
            state=self._state,
            prompt_tokens=10,
            completion_tokens=2,
        )

    def release(self) -> None:
        self.released += 1


def members(texts: Mapping[str, str | Callable[[SessionView], str] | MemberVoice]) -> list[Member]:
    return [Member(digest=name, voice=says if isinstance(says, MemberVoice) else MemberVoice(says)) for name, says in texts.items()]


def call(**changes: Any) -> Call:
    fields: dict[str, Any] = {"model": "m", "finish": "stop", "prompt_tokens": 10, "completion_tokens": 2, "seconds": 0.5, "seed": 1}
    return Call(**{**fields, **changes})


def view(*texts: str, language: Language = "zh") -> SessionView:
    speakers = (Speaker.CLIENT, Speaker.COUNSELOR)
    turns = [Turn(index=index, speaker=speakers[index % 2], text=text) for index, text in enumerate(texts)]
    return SessionView("5e55", language, 7, turns)


class Judged(NamedTuple):
    """What a panel committed with a turn."""

    choices: list[Choice]
    decision: Mapping[str, Any]
    failed: list[str]


def judged(records: Sequence[Record]) -> Judged:
    stored = [as_stored(record) for record in records]
    (decision,) = [record.data for record in stored if record.kind == DECISION]
    return Judged(
        choices=[read_choice(record.data) for record in stored if record.kind == CHOICE],
        decision=decision,
        failed=[record.data["participant"] for record in stored if record.kind == CANDIDATE],
    )


def verdict(*winners: str, outcome: Outcome | None = None) -> Verdict:
    """A win of one, a tie of several, else the outcome that is given."""
    kind = outcome or (Outcome.WIN if len(winners) == 1 else Outcome.TIE)
    return Verdict(outcome=kind, winners=tuple(sorted(winners)), shares={name: 1 / len(winners) for name in winners})


class ChancesBackend(ScriptedBackend):
    """Gives the log-probabilities that it is told for the last token of its answers, where they are asked for."""

    def __init__(self, rule: Rule, chances: Callable[[Request], Sequence[TokenChances]]) -> None:
        super().__init__(rule, keep=1000)
        self._chances = chances

    async def reply(self, request: Request) -> Reply:
        reply = await super().reply(request)
        return Reply(text=reply.text, call=reply.call, chances=tuple(self._chances(request)) if request.logprobs else ())
