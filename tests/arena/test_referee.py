from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from math import log

import pytest

from practicum.arena import Bench, Combine, Orders
from practicum.arena.records import BALLOT, to_record
from practicum.arena.referee import Judgement, as_records, judge_question, together, tokens_of
from practicum.backends import Reply, Request, ScriptedBackend, TokenChances
from practicum.core import Ballot, Outcome, Record
from practicum.errors import EndpointError
from tests.arena.stage import (
    SAID,
    ChancesBackend,
    MemoryNotebook,
    asked,
    bench,
    call,
    first_slot,
    gibberish,
    longest,
    oracle,
    question,
    read_question,
    supervisor,
    verdict,
)


async def judge(of: Bench, notebook: MemoryNotebook | None = None, *, turn: int = 1, ordinal: int = 0, session: str = "5e55") -> Judgement:
    return await judge_question(
        of,
        question(turn=turn, session=session),
        notebook or MemoryNotebook(),
        ordinal=ordinal,
        exchange=turn // 2,
        previous="最近总是睡不好。",
    )


async def test_a_supervisor_is_asked_in_every_cyclic_order_and_each_ballot_is_kept() -> None:
    notebook = MemoryNotebook()
    found = await judge(bench(oracle(SAID["a"])), notebook)
    ballots = notebook.ballots()
    assert [ballot.order for ballot in found.ballots] == [0, 1, 2]
    assert sorted(ballots, key=lambda one: one.order) == list(found.ballots)
    for slot in range(3):
        assert sorted(ballot.shown[slot] for ballot in ballots) == ["a", "b", "c"]
    (choice,) = found.choices
    assert (choice.verdict, choice.offered, choice.combined) == (verdict("a"), ("a", "b", "c"), "majority")


async def test_one_that_always_picks_the_first_slot_ties_everybody() -> None:
    found = await judge(bench(first_slot))
    assert found.choices[0].verdict == verdict("a", "b", "c")
    assert Counter(ballot.verdict.winners[0] for ballot in found.ballots) == {"a": 1, "b": 1, "c": 1}


async def test_every_supervisor_has_a_choice_of_its_own_in_the_benchs_order() -> None:
    of = bench(oracle(SAID["a"]), longest, gibberish)
    found = await judge(of)
    assert [choice.rater for choice in found.choices] == [one.name for one in of.supervisors]
    assert [choice.verdict.outcome for choice in found.choices] == [Outcome.WIN, Outcome.WIN, Outcome.UNSCORED]
    assert [choice.verdict.winners for choice in found.choices] == [("a",), ("b",), ()]


async def test_with_one_order_a_choice_stands_on_a_single_ballot_and_a_tenth_on_all() -> None:
    of = bench(oracle(SAID["a"]), orders=Orders.ONE)
    combined = [(await judge(of, turn=2 * exchange + 1)).choices[0].combined for exchange in range(10)]
    assert combined == ["single", "majority", *["single"] * 8]
    assert len(asked(of.supervisors[0])) == 9 + 3


async def test_all_orders_are_six_for_three() -> None:
    of = bench(first_slot, orders=Orders.ALL)
    assert len((await judge(of)).ballots) == of.calls_for(3) == 6


@pytest.mark.parametrize(("orders", "calls"), [(Orders.ONE, 2), (Orders.CYCLIC, 6), (Orders.ALL, 12)])
def test_calls_at_once_are_those_of_all_supervisors(orders: Orders, calls: int) -> None:
    assert bench(first_slot, longest, orders=orders).calls_for(3) == calls


async def test_the_mean_of_probabilities_decides_over_the_orders() -> None:
    def chances(request: Request) -> Sequence[TokenChances]:
        shown = read_question(request)
        at = {text: label for label, text in zip(shown.labels, shown.texts, strict=True)}
        top = {shown.labels[0]: 0.1, at[SAID["a"]]: 0.6}  # it leans to the first slot, and to a more
        return [TokenChances("：", {}), TokenChances(shown.labels[0], {label: log(part) for label, part in top.items()})]

    of = Bench(supervisors=[supervisor(ChancesBackend(first_slot, chances), combine=Combine.PROBABILITY)])
    (choice,) = (await judge(of)).choices
    assert (choice.verdict.winners, choice.combined) == (("a",), "probability")
    assert choice.verdict.shares == pytest.approx({"a": (1 + 2 * 6 / 7) / 3, "b": 1 / 21, "c": 1 / 21})


async def test_of_orders_without_probabilities_nothing_is_chosen() -> None:
    of = Bench(supervisors=[supervisor(ChancesBackend(first_slot, lambda _: ()), combine=Combine.PROBABILITY)])
    found = await judge(of)
    assert found.choices[0].verdict.reason == "no order gave probabilities"
    assert {ballot.verdict.outcome for ballot in found.ballots} == {Outcome.UNSCORED}


# ── canaries and repeats ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_canaries_are_asked_about_besides_and_never_count() -> None:
    notebook = MemoryNotebook()
    found = await judge(bench(oracle(SAID["a"], SAID["b"]), canaries=1.0), notebook)
    (canary,) = notebook.canaries()
    planted = [name for name in canary.shown if name.startswith("canary:")]
    assert len(planted) == 1
    assert len(set(canary.shown) & set(SAID)) == 2
    assert len(found.ballots) == 4
    assert found.choices[0].verdict == verdict("a")
    assert len(notebook.ballots()) == 3


async def test_a_canary_that_is_picked_is_no_vote() -> None:
    of = bench(first_slot, canaries=1.0)
    picked = 0
    for number in range(20):
        found = await judge(of, session=str(number))
        (canary,) = [ballot for ballot in found.ballots if set(ballot.shown) != set(SAID)]
        picked += canary.verdict.winners[0].startswith("canary:")
        assert found.choices[0].verdict == verdict("a", "b", "c")
    assert picked > 2


async def test_all_supervisors_see_the_same_canary_in_the_same_order() -> None:
    notebook = MemoryNotebook()
    await judge(bench(oracle(SAID["a"]), longest, canaries=1.0), notebook)
    one, two = notebook.canaries()
    assert one.shown == two.shown
    assert one.rater != two.rater


async def test_a_repeat_asks_the_first_order_again_and_never_counts() -> None:
    answers = iter(["a", "b", "b", "a"])  # the repeat is asked last, and says what would tip the scales

    def wavering(request: Request) -> str:
        return oracle(SAID[next(answers)])(request)

    of = bench(wavering, repeats=1.0)
    found = await judge(of)
    first, repeat = found.ballots[0], found.ballots[3]
    assert (repeat.shown, repeat.order, repeat.repeat) == (first.shown, 0, 1)
    assert [ballot.repeat for ballot in found.ballots[:3]] == [0, 0, 0]
    assert found.choices[0].verdict == verdict("b")


async def test_the_shares_of_canaries_and_repeats_are_kept_to() -> None:
    of = bench(oracle(SAID["a"]), orders=Orders.ONE, canaries=0.2, repeats=0.4)
    notebook = MemoryNotebook()
    for number in range(300):
        await judge(of, notebook, session=str(number))
    repeats = sum(ballot.repeat for ballot in notebook.ballots())
    assert 40 <= len(notebook.canaries()) <= 80
    assert 95 <= repeats <= 145


# ── going on ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_ballots_that_were_kept_are_not_asked_for_again() -> None:
    whole = MemoryNotebook()
    before = await judge(bench(oracle(SAID["a"]), longest, canaries=1.0, repeats=1.0), whole)
    for kept in range(len(whole.records) + 1):
        of = bench(oracle(SAID["a"]), longest, canaries=1.0, repeats=1.0)
        notebook = MemoryNotebook(whole.records[:kept])
        again = await judge(of, notebook)
        assert sum(len(asked(one)) for one in of.supervisors) == len(notebook.records) == len(whole.records) - kept
        assert (again.ballots, again.choices) == (before.ballots, before.choices)


async def test_what_was_kept_for_another_turn_or_of_another_kind_is_of_no_use() -> None:
    notebook = MemoryNotebook()
    await judge(bench(longest), notebook)
    of = bench(longest)
    others = [(3, record) for _, record in notebook.records] + [(1, Record(kind="candidate", data={}))]
    await judge(of, MemoryNotebook(others))
    assert len(asked(of.supervisors[0])) == 3


async def test_what_others_have_paid_for_is_kept_before_an_error_is_raised() -> None:
    class Gone(ScriptedBackend):
        async def reply(self, request: Request) -> Reply:
            raise EndpointError("gone")

    notebook = MemoryNotebook()
    of = Bench(supervisors=[supervisor(Gone(gibberish), name="0"), supervisor(longest, name="1")])
    with pytest.raises(EndpointError):
        await judge(of, notebook)
    assert [ballot.rater for ballot in notebook.ballots()] == [of.supervisors[1].name] * 3


async def test_together_gives_results_in_order_and_the_first_error_once_all_are_done() -> None:
    done: list[int] = []

    async def one(number: int) -> int:
        for _ in range(5 - number):
            await asyncio.sleep(0)
        done.append(number)
        if number % 2:
            raise ValueError(str(number))
        return number

    assert await together([one(4), one(0), one(2)]) == [4, 0, 2]
    with pytest.raises(ValueError, match="1"):
        await together([one(0), one(1), one(3)])
    assert sorted(done) == [0, 0, 1, 2, 3, 4]


def test_tokens_are_those_of_all_ballots_that_were_answered() -> None:
    ballots = [
        Ballot(rater="s", shown=("a", "b"), labels=("A", "B"), answers=(), verdict=verdict("a"), call=one)
        for one in (call(prompt_tokens=10, completion_tokens=3), None, call(prompt_tokens=5, completion_tokens=1))
    ]
    assert tokens_of(ballots) == (15, 4)


async def test_choices_become_records_and_the_bench_lets_go_of_a_session() -> None:
    of = bench(longest)
    found = await judge(of)
    assert [record.kind for record in as_records(found.choices)] == ["choice"]
    assert to_record(BALLOT, found.ballots[0]).data["shown"] == found.ballots[0].shown
    released: list[str] = []

    class Noting(ScriptedBackend):
        def release(self, thread: str) -> None:
            released.append(thread)

    Bench(supervisors=[supervisor(Noting(longest), name=name) for name in ("0", "1")]).release("5e55")
    assert len(set(released)) == 2
