"""An arena without a model: what counselors say is drawn, what the supervisor says is a function of what it is shown.

All between them is the package's own: orders, labels and questions, the panel, the store, the log that is read back from it.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple

from practicum.arena import Bench, ChoiceLog, Member, Panel, Supervisor, read_arena_config, read_log
from practicum.backends import Request, ScriptedBackend
from practicum.build import ArenaPlan, plan_arena
from practicum.core import Profile, SessionView, Speaker, Utterance
from practicum.engine import Appointment, Desk, Notebook, Pace, Progress, SessionRules, Voice, run_desk
from practicum.measures import STYLE_FEATURES, style_features
from practicum.roles import labels
from practicum.store import Store

STRENGTHS = {"甲": 1.2, "乙": 0.4, "丙": -0.4, "丁": -1.2}
"""Counselors by the character that their replies begin with, the best first: what the oracle knows, in logits."""
LENGTHS = {"甲": (4, 10), "乙": (3, 9), "丙": (2, 8), "丁": (1, 7)}
"""From how few to how many clauses each says: who is better talks more."""
CLAUSE = "我在听你说话，"
TASTE = 3.0
"""Logits that a reply e times as long is worth to the supervisor `longer`."""
STORY = "我最近总是睡不好，工作也越来越忙，和家里人说不上几句话。这是第{number}个来访者。"
_SAID = re.compile(f"([{''.join(STRENGTHS)}])(?:{CLAUSE})+")
_REPLY = re.compile(r"^回应 ([A-Z])：\n<<([0-9a-f]+)>>\n(.*?)\n<<end \2>>$", re.DOTALL | re.MULTILINE)


class Shown(NamedTuple):
    """A reply as a supervisor is shown it."""

    label: str
    text: str


Rule = Callable[[Sequence[Shown], Request], str]
"""From the replies, in the order in which they are shown, to an answer."""


def verdict(label: str) -> str:
    """Return an answer with a verdict."""
    return f"理由在此。\n结论：{label}"


def first(shown: Sequence[Shown], _: Request) -> str:
    """Choose the first slot, whatever stands in it."""
    return verdict(shown[0].label)


def longest(shown: Sequence[Shown], request: Request) -> str:
    """Choose the longest reply; of two, by luck, the same in every order."""
    return verdict(max(shown, key=lambda one: (len(one.text), _luck(one, request))).label)


def longer(shown: Sequence[Shown], request: Request) -> str:
    """Choose by Luce's model, each reply worth its length and a luck of its own: the longest often, not always."""
    return verdict(max(shown, key=lambda one: TASTE * log_length(one.text) + _gumbel(one, request)).label)


def log_length(text: str) -> float:
    """Return the length of a reply as the ranking measures it."""
    return style_features(text, "zh")[STYLE_FEATURES.index("log_length")]


def by_lot(shown: Sequence[Shown], request: Request) -> str:
    """Choose any."""
    return verdict(Random(request.seed).choice(shown).label)


def oracle(shown: Sequence[Shown], request: Request) -> str:
    """Choose by Luce's model, knowing who speaks: each reply is worth its counselor's strength and a luck of its own."""

    def worth(one: Shown) -> float:
        known = _SAID.fullmatch(one.text)  # a canary is nobody's
        return -math.inf if known is None else STRENGTHS[known[1]] + _gumbel(one, request)

    return verdict(max(shown, key=worth).label)


def gibberish(_: Sequence[Shown], __: Request) -> str:
    """Say nothing that could be read."""
    return "都挺好的，嗯，怎么说呢。"


def say(name: str, session: SessionView) -> str:
    """Return a counselor's reply: its own character, then clauses, as many as are drawn for this turn."""
    clauses = Random(f"{session.key} {session.next_index} {name}").randint(*LENGTHS[name])
    return name + CLAUSE * clauses


class Drawn:
    """A voice without a model."""

    def __init__(self, text: Callable[[SessionView], str]) -> None:
        self._text = text

    async def speak(self, session: SessionView) -> Utterance:
        """Say what is drawn."""
        return Utterance(text=self._text(session))

    def release(self) -> None:
        """Free nothing."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Seats a client and a panel of counselors."""

    plan: ArenaPlan
    bench: Bench

    def seat(self, session: Appointment, notebook: Notebook) -> Mapping[Speaker, Voice]:
        """Return both sides."""
        meeting = self.plan.meetings[session.key]
        members = [
            Member(digest=self.plan.members[name].participant.digest, voice=Drawn(lambda view, name=name: say(name, view)))  # type: ignore[misc]
            for name in meeting.members
        ]
        # The client names the session: no two share a history, so that luck (a function of it) is drawn anew in each.
        panel = Panel(members, self.bench, notebook, key=session.key, labels=labels(session.profile.language), ordinal=meeting.ordinal)
        return {Speaker.CLIENT: Drawn(lambda view: f"{view.key}：我想再说说第{view.next_index}件事。"), Speaker.COUNSELOR: panel}

    def rules(self, _: Appointment) -> SessionRules:
        """Return the rules."""
        return SessionRules(max_exchanges=self.plan.config.max_exchanges)

    def risks(self, _: Appointment) -> Sequence[str]:
        """Return nothing: nobody is at risk here."""
        return ()


class Held(NamedTuple):
    """What came of an arena."""

    log: ChoiceLog
    progress: Progress
    sessions: int


def hold(rule: Rule, folder: Path, *, profiles: int, exchanges: int) -> Held:
    """Hold an arena of four counselors, three at a time, under one supervisor who obeys a rule; read its log back."""
    db = f"sqlite:///{folder}/{rule.__name__}.db"
    clients = [Profile(id=f"p{number}", text=STORY.format(number=number), language="zh", split="test") for number in range(profiles)]
    chairs = {name: {"model": f"script:always {name}"} for name in STRENGTHS}
    supervisors = {rule.__name__: {"model": f"script:always {rule.__name__}"}}
    flags = {"client": {"model": "script:always 嗯"}, "members": chairs, "supervisors": supervisors, "max_exchanges": exchanges}
    plan = plan_arena(read_arena_config({**flags, "run": rule.__name__, "repeats": 0.1, "canaries": 0.1}), clients, db=db)
    backend = ScriptedBackend(lambda request: rule(read_question(request), request))
    (supervisor,) = plan.supervisors.values()
    bench = Bench(
        supervisors=[
            Supervisor(
                participant=supervisor.participant,
                backend=backend,
                systems={language: prompt.render(language=language) for language, prompt in supervisor.prompts.items()},
                questions=plan.questions[rule.__name__],
            )
        ],
        orders=plan.config.orders,
        canaries=plan.config.canaries,
        repeats=plan.config.repeats,
    )
    progress = Progress()
    with Store.open(db) as store, store.own_run(plan.name):
        run = store.begin_run(plan.record(), at=time.time())
        store.plan_sessions(run, plan.sessions())
        by_key = {session.key: session.profile for session in plan.sessions()}
        due = [Appointment(owed.id, owed.key, by_key[owed.key]) for owed in store.owed_sessions(run)]
        pace = Pace(backends=[backend], calls_per_session=3)
        desk = Desk(store=store, cast=Stage(plan, bench), pace=pace, run_seed=plan.config.seed, clock=time.time, progress=progress)
        run_desk(desk, due, [backend], None)
    return Held(read_log([plan.name], db=db), progress, len(due))


def read_question(request: Request) -> list[Shown]:
    """Return the replies that a question shows, in its order."""
    return [Shown(label, text) for label, _, text in _REPLY.findall(_question(request))]


def _gumbel(one: Shown, request: Request) -> float:
    """Return the luck that makes the best of several worths a choice by Luce's model."""
    return -math.log(-math.log(_luck(one, request)))


def _luck(one: Shown, request: Request) -> float:
    """Return a number from 0 to 1 for a reply to this session so far, whatever its place and label."""
    return Random(_question(request).partition("下面是")[0] + one.text).random()


def _question(request: Request) -> str:
    return request.tail.content if request.tail else ""
