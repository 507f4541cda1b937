"""Supervisors at work on one question: every order, repeats and canaries at once, each ballot kept as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from math import factorial
from random import Random
from typing import Any, TypeVar

from practicum.arena.canary import plant
from practicum.arena.combine import Combine, by_majority, by_probability
from practicum.arena.orders import Orders, orders_for
from practicum.arena.records import BALLOT, CANARY, CHOICE, read_ballot, to_record
from practicum.arena.supervisor import Question, Supervisor, odds_of
from practicum.core import Ballot, Choice, Record, derive_seed
from practicum.engine import Notebook

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The supervisors of a run, and how they are asked."""

    supervisors: Sequence[Supervisor]
    orders: Orders = Orders.CYCLIC
    canaries: float = 0.0
    """Share of the choices at which a canary is asked about besides; 0 to 1."""
    repeats: float = 0.0
    """Share of the choices at which one order is asked again; 0 to 1."""

    def calls_for(self, size: int) -> int:
        """Return the most calls that a question of so many candidates takes at once, canaries and repeats left aside."""
        return len(self.supervisors) * {Orders.ONE: 1, Orders.CYCLIC: size, Orders.ALL: factorial(size)}[self.orders]

    def release(self, session: str) -> None:
        """Free what the backends hold for a session."""
        for supervisor in self.supervisors:
            supervisor.release(session)


class Judgement:
    """What the bench has said of one question."""

    def __init__(self, choices: Sequence[Choice], ballots: Sequence[Ballot]) -> None:
        self.choices = choices
        """One for each supervisor, in the bench's order."""
        self.ballots = ballots
        """All of them, those kept by an earlier process, repeats and canaries included."""


async def judge_question(
    bench: Bench, question: Question, notebook: Notebook, *, ordinal: int, exchange: int, previous: str = ""
) -> Judgement:
    """Ask every supervisor in every order, and combine what each says. Ballots are kept as they come.

    Args:
        bench: Who is asked.
        question: What is judged.
        notebook: Where ballots are kept; those that it already holds for this turn are not asked for again.
        ordinal: Which session of its panel it is; see `orders_for`.
        exchange: Which of the session's exchanges, from 0.
        previous: The turn that the candidates answer, for canaries.

    Raises:
        EndpointError: A supervisor's server is gone.
    """
    orders = orders_for(
        bench.orders, list(question.texts), seed=question.run_seed, session=question.session, ordinal=ordinal, exchange=exchange
    )
    kept = _kept(notebook, question.turn)
    planted, again = (_happens(share, question, what) for what, share in (("canary", bench.canaries), ("repeat", bench.repeats)))
    canary = _plant(question, previous) if planted else None

    async def ask(kind: str, supervisor: Supervisor, about: Question, shown: tuple[str, ...], order: int, repeat: int) -> Ballot:
        key = (kind, supervisor.name, shown, repeat)
        if key in kept:
            return kept[key]
        ballot = await supervisor.ask(about, shown, order=order, repeat=repeat)
        await notebook.keep(question.turn, [to_record(kind, ballot)])
        return ballot

    calls = []
    for supervisor in bench.supervisors:
        calls += [ask(BALLOT, supervisor, question, shown, number, 0) for number, shown in enumerate(orders)]
        if again:
            calls.append(ask(BALLOT, supervisor, question, orders[0], 0, 1))
        if canary is not None:
            calls.append(ask(CANARY, supervisor, canary, _canary_order(canary), 0, 0))
    ballots = await together(calls)
    counted = [ballot for ballot in ballots if not ballot.repeat and set(ballot.shown) == set(question.texts)]
    choices = [_combine(supervisor, question, [one for one in counted if one.rater == supervisor.name]) for supervisor in bench.supervisors]
    return Judgement(choices, ballots)


def _combine(supervisor: Supervisor, question: Question, ballots: Sequence[Ballot]) -> Choice:
    offered = tuple(sorted(question.texts))
    if supervisor.combine is Combine.PROBABILITY:
        odds = [one for ballot in ballots if (one := odds_of(ballot)) is not None]
        verdict, how = by_probability(odds, offered), str(Combine.PROBABILITY)
    else:
        verdict, how = by_majority([ballot.verdict for ballot in ballots], offered), str(Combine.MAJORITY)
    return Choice(rater=supervisor.name, offered=offered, verdict=verdict, combined=how if len(ballots) > 1 else "single")


def _kept(notebook: Notebook, turn: int) -> Mapping[tuple[str, str, tuple[str, ...], int], Ballot]:
    ballots = [
        (record.kind, read_ballot(record.data)) for index, record in notebook.kept if index == turn and record.kind in (BALLOT, CANARY)
    ]
    return {(kind, ballot.rater, ballot.shown, ballot.repeat): ballot for kind, ballot in ballots}


def _happens(share: float, question: Question, what: str) -> bool:
    """Draw whether something happens at this question: the same answer in every process."""
    return derive_seed(question.run_seed, question.session, question.turn + 1, what) < share * 2**31


def _plant(question: Question, previous: str) -> Question:
    rng = Random(derive_seed(question.run_seed, question.session, question.turn + 1, "which canary"))
    texts, _ = plant(question.texts, previous, question.language, rng)
    return Question(
        session=question.session,
        turn=question.turn,
        language=question.language,
        run_seed=question.run_seed,
        transcript=question.transcript,
        texts=texts,
    )


def _canary_order(canary: Question) -> tuple[str, ...]:
    names = sorted(canary.texts)
    Random(derive_seed(canary.run_seed, canary.session, canary.turn + 1, "order with canary")).shuffle(names)
    return tuple(names)


async def together(calls: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Await all; only then raise the first error, so that what others have paid for is kept."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


def tokens_of(ballots: Sequence[Ballot]) -> tuple[int, int]:
    """Return the prompt and completion tokens that ballots have cost."""
    calls = [ballot.call for ballot in ballots if ballot.call is not None]
    return sum(call.prompt_tokens for call in calls), sum(call.completion_tokens for call in calls)


def as_records(choices: Sequence[Choice]) -> list[Record]:
    """Return choices as they are committed with their turn."""
    return [to_record(CHOICE, choice) for choice in choices]
