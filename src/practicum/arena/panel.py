"""A panel of counselors as one voice: all answer, supervisors choose, one reply goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from practicum.arena.combine import Decision, GoOn, decide
from practicum.arena.records import CANDIDATE, DECISION, read_candidate, to_record
from practicum.arena.referee import Bench, Judgement, as_records, judge_question, together, tokens_of
from practicum.arena.supervisor import Question, write_transcript
from practicum.core import Candidate, Record, SessionView, Speaker, Utterance, derive_seed
from practicum.engine import Notebook, Voice
from practicum.errors import BackendError

LEAST = 2
"""Candidates without which there is no choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One counselor of a panel."""

    digest: str
    """The participant's: its identity."""
    voice: Voice


class Panel:
    """Several counselors on one chair. Candidates and ballots are kept as they come; the choice is committed with its turn."""

    def __init__(
        self,
        members: Sequence[Member],
        bench: Bench,
        notebook: Notebook,
        *,
        key: str,
        labels: Mapping[Speaker, str],
        go_on: GoOn = GoOn.WINNER,
        ordinal: int = 0,
        history: Sequence[str] = (),
    ) -> None:
        """Seat a panel.

        Args:
            members: Two or more, whose digests differ.
            bench: Chooses among what they say.
            notebook: Keeps what must outlive a crash before the turn is said.
            key: The session's key.
            labels: What stands before each side's words in a transcript.
            go_on: Whose reply goes on.
            ordinal: Which session of this panel it is, from 0: moves the orders on.
            history: With `fixed`, what the counselor says in the stored session, by exchange.
        """
        self._members = members
        self._bench = bench
        self._notebook = notebook
        self._key = key
        self._labels = labels
        self._go_on = go_on
        self._ordinal = ordinal
        self._history = history

    async def speak(self, session: SessionView) -> Utterance:
        """Let all members answer, the supervisors choose, and say what goes on.

        Raises:
            BackendError: Fewer than two members answer; the session fails.
            EndpointError: A server is gone; what was kept is used by the next command.
        """
        kept = self._kept(session.next_index)
        candidates = await together([self._offer(member, session, kept.get(member.digest)) for member in self._members])
        answered = {one.participant: one for one in candidates if not one.failure}
        if len(answered) < LEAST:
            causes = "; ".join(dict.fromkeys(one.failure for one in candidates if one.failure))
            raise BackendError(
                f"{len(answered)} of {len(candidates)} counselors answered at turn {session.next_index}, {LEAST} are needed: {causes}",
                kind="panel",
            )
        question = Question(
            session=self._key,
            turn=session.next_index,
            language=session.language,
            run_seed=session.run_seed,
            transcript=write_transcript(session.turns, self._labels),
            texts={name: one.text for name, one in answered.items()},
        )
        exchange = session.next_index // 2
        judgement = await judge_question(
            self._bench, question, self._notebook, ordinal=self._ordinal, exchange=exchange, previous=session.turns[-1].text
        )
        self._notebook.kept = ()  # used up, or of no use any more
        return self._utter(session, candidates, answered, judgement)

    async def _offer(self, member: Member, session: SessionView, kept: Candidate | None) -> Candidate:
        if kept is not None:
            return kept
        try:
            said = await member.voice.speak(session)
        except BackendError as problem:
            return Candidate(participant=member.digest, text="", failure=str(problem))
        candidate = Candidate(
            participant=member.digest,
            text=said.text.strip(),
            call=said.call,
            state=said.state,
            prompt_tokens=said.prompt_tokens,
            completion_tokens=said.completion_tokens,
        )
        if not candidate.text:
            return Candidate(participant=member.digest, text="", failure="it said nothing")
        refused = [Record(kind=record.kind, data={**record.data, "participant": member.digest}) for record in said.records]
        await self._notebook.keep(session.next_index, [*refused, to_record(CANDIDATE, candidate)])
        return candidate

    def _kept(self, turn: int) -> Mapping[str, Candidate]:
        candidates = [read_candidate(record.data) for index, record in self._notebook.kept if index == turn and record.kind == CANDIDATE]
        return {candidate.participant: candidate for candidate in candidates}

    def _utter(
        self, session: SessionView, candidates: Sequence[Candidate], answered: Mapping[str, Candidate], judgement: Judgement
    ) -> Utterance:
        prompt, completion = tokens_of(judgement.ballots)
        prompt += sum(one.prompt_tokens for one in candidates)
        completion += sum(one.completion_tokens for one in candidates)
        failed = [to_record(CANDIDATE, one) for one in candidates if one.failure]
        records = [*failed, *as_records(judgement.choices)]
        text, call, state = "", None, {}
        if self._go_on is GoOn.FIXED:
            decision = {"went_on": "", "drawn": False}
            text = self._history[session.next_index // 2]
        else:
            went_on = self._decide(session, judgement, list(answered))
            decision = {"went_on": went_on.candidate, "drawn": went_on.drawn}
            chosen = answered[went_on.candidate]
            text, call, state = chosen.text, chosen.call, dict(chosen.state)
        return Utterance(
            text=text,
            call=call,
            state={**state, "arena": decision},
            records=(*records, Record(kind=DECISION, data=decision)),
            prompt_tokens=prompt,
            completion_tokens=completion,
        )

    def _decide(self, session: SessionView, judgement: Judgement, offered: Sequence[str]) -> Decision:
        rng = Random(derive_seed(session.run_seed, self._key, session.next_index, "what goes on"))
        return decide([choice.verdict for choice in judgement.choices], offered, self._go_on, rng)

    def release(self) -> None:
        """Free what backends hold for the members and the supervisors."""
        for member in self._members:
            member.voice.release()
        self._bench.release(self._key)


class Replay:
    """A client who says what it said in a stored session."""

    def __init__(self, turns: Sequence[str]) -> None:
        """Take the client's turns, in order."""
        self._turns = turns

    async def speak(self, session: SessionView) -> Utterance:
        """Say the next one."""
        return Utterance(text=self._turns[session.next_index // 2])

    def release(self) -> None:
        """Free nothing."""
