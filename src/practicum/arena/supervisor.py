"""A model in the supervisor's chair: what it is asked, how its answer becomes a ballot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random

from practicum.arena.combine import NONE_ACCEPTABLE, Combine, tie, unscored, win
from practicum.arena.orders import draw_labels
from practicum.arena.verdict import NONE, TIE, constraint_for, read_odds, read_verdict
from practicum.backends import ChatBackend, Constraint, Reply, Request
from practicum.core import Ballot, Form, Language, Message, Outcome, Participant, Speaker, Turn, Verdict, derive_seed
from practicum.errors import BackendError, ConfigError, UnscorableError
from practicum.roles import Prompt

TOP = 20
"""Log-probabilities asked for at each place: as many as OpenAI gives."""
CUES: Mapping[Language, str] = {"zh": "理由：", "en": "Reasons:"}
"""What the answer is begun with in transcript form."""
PROBE = Constraint(regex="(quince|medlar)", grammar='root ::= "quince" | "medlar"')
"""What nobody answers to a plain question unless the constraint is obeyed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One thing to be judged."""

    session: str
    """Key of the session."""
    turn: int
    """Index of the turn that the candidates are for; -1 for whole sessions."""
    language: Language
    run_seed: int
    transcript: str
    """The session so far, labelled; "" for whole sessions."""
    texts: Mapping[str, str]
    """Candidates to what they say."""


@dataclass(frozen=True, kw_only=True)
class Supervisor:
    """What all sessions of a run share of one supervisor."""

    participant: Participant
    backend: ChatBackend
    systems: Mapping[Language, str]
    """The rendered system prompt."""
    questions: Mapping[Language, Prompt]
    combine: Combine = Combine.MAJORITY
    constrain: bool = False
    """Hold its answers to the form, where `probe` has shown that its server obeys."""

    @cached_property
    def name(self) -> str:
        """Its identity: a digest, which costs more than an asking if it is taken at each."""
        return self.participant.digest

    async def probe(self) -> None:
        """Find out whether the server obeys a constraint and gives probabilities, where they are wanted.

        Raises:
            ConfigError: It does not.
            EndpointError: It does not answer.
        """
        model = self.participant.model
        if self.constrain and (await self._try(PROBE)).text not in ("quince", "medlar"):
            raise ConfigError(f"supervisor {model}: its server does not hold answers to a given form; leave constrain away")
        if self.combine is Combine.PROBABILITY and not (await self._try(None)).chances:
            raise ConfigError(f"supervisor {model}: its server gives no log-probabilities; use combine=majority")

    async def _try(self, constraint: Constraint | None) -> Reply:
        request = self._request("probe", "en", "Say good morning in Italian, in two words.", 0)
        limits = replace(request.sampling, max_tokens=16)
        try:
            return await self.backend.reply(replace(request, sampling=limits, constraint=constraint, cue=""))
        except BackendError as problem:
            raise ConfigError(
                f"supervisor {self.participant.model}: its server refuses what constrain or combine=probability need: {problem}"
            ) from None
        finally:
            self.backend.release(request.thread)

    async def ask(self, question: Question, shown: Sequence[str], *, order: int = 0, repeat: int = 0) -> Ballot:
        """Ask once, and once more if no verdict can be read; a call that fails for good is a ballot without a verdict.

        Args:
            question: What is judged.
            shown: The candidates in the order in which they are to be shown.
            order: Which of the choice's orders it is.
            repeat: 1, 2, … where the same is asked again, with a seed of its own.

        Raises:
            EndpointError: The server is gone; the run stops.
        """
        purpose = f"supervisor:{self.name}:{question.session}:{order}:{repeat}:{','.join(shown)}"
        seeds = [derive_seed(question.run_seed, question.session, question.turn + 1, purpose, attempt) for attempt in range(2)]
        rng = Random(seeds[0])
        labels = draw_labels(len(shown), rng)
        fence = f"{rng.getrandbits(32):08x}"
        answers: list[str] = []
        verdict, mass, call = unscored(""), None, None
        for attempt in range(2):
            text = self._render(question, shown, labels, fence, again=attempt > 0)
            request = self._request(question.session, question.language, text, seeds[attempt], labels)
            try:
                reply = await self.backend.reply(request)
            except BackendError as problem:
                verdict = unscored(f"the call failed: {problem}")
                break
            answers.append(reply.text)
            call = (
                reply.call
                if call is None
                else replace(
                    reply.call,
                    prompt_tokens=call.prompt_tokens + reply.call.prompt_tokens,
                    completion_tokens=call.completion_tokens + reply.call.completion_tokens,
                )
            )
            try:
                verdict, mass = self._read(reply, labels, shown)
                break
            except UnscorableError as problem:
                verdict = unscored(str(problem))
        return Ballot(
            rater=self.name,
            shown=tuple(shown),
            labels=labels,
            answers=tuple(answers),
            verdict=verdict,
            order=order,
            repeat=repeat,
            mass=mass,
            call=call,
        )

    def _read(self, reply: Reply, labels: Sequence[str], shown: Sequence[str]) -> tuple[Verdict, float | None]:
        word = read_verdict(reply.text, labels)
        names = dict(zip(labels, shown, strict=True))
        verdict = NONE_ACCEPTABLE if word == NONE else tie(shown) if word == TIE else win(names[word])
        if self.combine is Combine.MAJORITY:
            return verdict, None
        odds = read_odds(reply.chances, word, labels)
        return replace(verdict, shares={names.get(label, label): part for label, part in odds.of.items()}), odds.mass

    def _render(self, question: Question, shown: Sequence[str], labels: Sequence[str], fence: str, *, again: bool) -> str:
        # A text cannot close its fence: the mark is drawn anew for each asking, and taken out of whatever holds it by chance.
        replies = [{"label": label, "text": question.texts[name].replace(fence, " ")} for label, name in zip(labels, shown, strict=True)]
        return self.questions[question.language].render(
            language=question.language, transcript=question.transcript, replies=replies, fence=fence, again=again
        )

    def _request(self, session: str, language: Language, text: str, seed: int, labels: Sequence[str] = ()) -> Request:
        participant = self.participant
        transcript = participant.form is Form.TRANSCRIPT
        return Request(
            thread=self.thread(session),
            form=participant.form,
            messages=(Message("system", self.systems[language]),),
            # Not part of the messages that grow: what is asked at one turn is not asked again at the next.
            tail=Message("user", text),
            sampling=participant.sampling,
            seed=seed,
            cue=CUES[language] if transcript else "",
            template=participant.template or "plain",
            steady=True,
            constraint=constraint_for(labels, language) if self.constrain and labels else None,
            logprobs=TOP if self.combine is Combine.PROBABILITY else 0,
        )

    def thread(self, session: str) -> str:
        """Return the name of its side of a session to the backend."""
        return f"{session}/supervisor:{self.name}"

    def release(self, session: str) -> None:
        """Free what the backend holds for a session."""
        self.backend.release(self.thread(session))


def write_transcript(turns: Iterable[Turn], labels: Mapping[Speaker, str]) -> str:
    """Return the session so far, one labelled line a turn: a line break in a turn cannot make it look like two."""
    return "\n".join(labels[turn.speaker] + " ".join(turn.text.splitlines()) for turn in turns)


def odds_of(ballot: Ballot) -> Mapping[str, float] | None:
    """Return what a ballot says in probabilities: None where it was given none."""
    return ballot.verdict.shares if ballot.mass is not None and ballot.verdict.outcome is not Outcome.UNSCORED else None
