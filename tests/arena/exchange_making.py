"""An arena in a store, made by hand: who answered what, who said what of it, and how the session went on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from practicum.arena.combine import NONE_ACCEPTABLE, by_majority, tie, unscored, win
from practicum.arena.records import BALLOT, CANARY, CANDIDATE, CHOICE, DECISION, to_record
from practicum.core import LANGUAGES, Ballot, Candidate, Choice, Ending, Form, Language, Profile, Record, Speaker, Split, Turn, Verdict
from practicum.roles import load_prompt
from practicum.store import PlannedSession, PromptText, RunRecord, Store

COUNSELORS = {"d1": "小禾", "d2": "mechat", "d3": "psychat"}
"""Digests to names."""
SAID: Mapping[Language, Mapping[str, str]] = {
    "zh": {"d1": "听起来你一直撑着，是从什么时候开始的？", "d2": "建议你早点睡。", "d3": "你想先说哪一件？"},
    "en": {"d1": "You have been holding up for long.", "d2": "Sleep more.", "d3": "Where would you like to begin?"},
}
SUPERVISORS = {"r1": "督导甲", "r2": "judge"}

WON, TIED, NONE, UNREAD = win("d1"), tie(["d1", "d2"]), NONE_ACCEPTABLE, unscored("it only praised everyone")


def ballot(verdict: Verdict, shown: str = "123", *, rater: str = "r1", order: int = 0, **more: Any) -> Ballot:
    """One asking; `shown` names d1, d2, d3 by their digits."""
    names = tuple(f"d{digit}" for digit in shown)
    return Ballot(rater=rater, shown=names, labels=tuple("QXK"[: len(names)]), answers=("…",), verdict=verdict, order=order, **more)


def canary() -> Ballot:
    """One asking on a planted reply, well rejected."""
    return Ballot(rater="r1", shown=("canary:unsafe", "d1", "d2"), labels=("Q", "X", "K"), answers=("…",), verdict=WON)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One exchange of an arena."""

    ballots: Sequence[Ballot] = (ballot(WON),)
    texts: Mapping[str, str] = field(default_factory=dict)
    """Said by other words than `SAID`."""
    failed: Sequence[str] = ()
    went_on: str = "d1"
    drawn: bool = False
    canaries: Sequence[Ballot] = ()
    verdict: Verdict | None = None
    """Of the choice, where it is not the majority's."""

    def records(self, language: Language) -> list[Record]:
        """What is committed with the turn."""
        said = {**SAID[language], **self.texts}
        candidates = [Candidate(participant=name, text=text) for name, text in said.items() if name not in self.failed]
        candidates += [Candidate(participant=name, text="", failure="no answer") for name in self.failed]
        return [
            *(to_record(CANDIDATE, one) for one in candidates),
            *self.judged(),
            *(to_record(CANARY, one) for one in self.canaries),
            Record(kind=DECISION, data={"went_on": self.went_on, "drawn": self.drawn}),
        ]

    def judged(self) -> list[Record]:
        """Ballots and choices alone."""
        records = [to_record(BALLOT, one) for one in self.ballots]
        for rater, offered in dict.fromkeys((one.rater, tuple(sorted(one.shown))) for one in self.ballots):
            its = [one for one in self.ballots if one.rater == rater and set(one.shown) == set(offered) and not one.repeat]
            verdict = self.verdict or by_majority([one.verdict for one in its], offered)
            combined = "majority" if len(its) > 1 else "single"
            records.append(to_record(CHOICE, Choice(rater=rater, offered=offered, verdict=verdict, combined=combined)))
        return records


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One session of an arena."""

    turns: Sequence[Judged] = (Judged(),)
    language: Language = "zh"
    profile: str = "anna"
    split: Split | None = None
    ending: Ending | None = Ending.TURN_LIMIT
    risk: Sequence[str] = ()
    whole: Judged | None = None
    """A comparison of whole sessions, kept by this one."""


def hold(folder: Path, *sessions: Held, run: str = "a", names: Mapping[str, str] = COUNSELORS) -> str:
    """Write an arena into a store; return the store's URL."""
    url = f"sqlite:///{folder}/practicum.db"
    prompts = {language: load_prompt(Speaker.COUNSELOR, language, Form.CHAT) for language in LANGUAGES}
    record = RunRecord(
        name=run,
        identity={"export_prompts": {language: asdict(prompt.ref) for language, prompt in prompts.items()}, "max_exchanges": 5},
        settings={"names": {**names, **SUPERVISORS}},
        version="0",
        prompts=tuple(PromptText(id=prompt.id, text=prompt.text) for prompt in prompts.values()),
    )
    with Store.open(url) as store:
        run_id = store.begin_run(record, at=1.0)
        store.plan_sessions(run_id, [_planned(run, number, one) for number, one in enumerate(sessions)])
        asyncio.run(_write(store, [one.id for one in store.owed_sessions(run_id)], sessions))
    return url


def _planned(run: str, number: int, held: Held) -> PlannedSession:
    story = {"zh": f"我是{held.profile}，睡不好。", "en": f"I am {held.profile}, and sleep badly."}[held.language]
    profile = Profile(id=held.profile, text=story, language=held.language, split=held.split)
    return PlannedSession(key=f"{run}{number}", profile=profile, case="c", number=1, client="cl", counselor="panel", seed=0)


async def _write(store: Store, ids: Sequence[int], sessions: Sequence[Held]) -> None:
    for claim, held in zip(await store.claim(ids, 1.0), sessions, strict=True):
        where = claim.session_id, claim.epoch
        for number, judged in enumerate(held.turns):
            heard = {"zh": f"我睡不好 {number}", "en": f"I sleep badly {number}"}[held.language]
            said = {**SAID[held.language], **judged.texts}[judged.went_on or "d1"]
            await store.append(*where, Turn(index=2 * number, speaker=Speaker.CLIENT, text=heard))
            await store.append(*where, Turn(index=2 * number + 1, speaker=Speaker.COUNSELOR, text=said), judged.records(held.language))
        if held.whole is not None:
            await store.keep(*where, -1, held.whole.judged())
        if held.ending is not None:
            await store.finish(*where, ending=held.ending, risk=held.risk, at=2.0)
