from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.arena.judge_card import family_of, judge
from practicum.arena.log import BallotRow, CanaryRow, ChoiceLog, ChoiceRow
from practicum.arena.results import RaterCard
from practicum.core import Outcome

Supervisor = Callable[[Sequence[str], Mapping[str, str]], str]
"""From the counselors as shown and their texts to the winner's name, "tie", "none", or "" for gibberish."""

COUNSELORS = ("mechat", "psychat", "soulchat")
OUTCOMES = {"tie": Outcome.TIE, "none": Outcome.NONE, "": Outcome.UNSCORED}


def first_slot(shown: Sequence[str], texts: Mapping[str, str]) -> str:
    return shown[0]


def longest(shown: Sequence[str], texts: Mapping[str, str]) -> str:
    return max(shown, key=lambda name: len(texts[name]))


def shortest(shown: Sequence[str], texts: Mapping[str, str]) -> str:
    return min(shown, key=lambda name: len(texts[name]))


def loyal(shown: Sequence[str], texts: Mapping[str, str]) -> str:
    return "psychat"


def gibberish(shown: Sequence[str], texts: Mapping[str, str]) -> str:
    return ""


def drawing(seed: int) -> Supervisor:
    lots = random.Random(seed)
    return lambda shown, texts: lots.choice(shown)


def ballot_of(said: str, shown: tuple[str, ...], *, order: int = 0, repeat: int = 0) -> BallotRow:
    outcome = OUTCOMES.get(said, Outcome.WIN)
    picked = shown.index(said) if outcome is Outcome.WIN else -1
    return BallotRow(shown=shown, outcome=outcome, picked=picked, order=order, repeat=repeat)


def row_of(said: str, *, rater: str = "judge", session: str = "s", turn: int = 1, offered: tuple[str, ...] = COUNSELORS) -> ChoiceRow:
    """One choice as it was combined; its profile is its session's name up to a dot."""
    outcome = OUTCOMES.get(said, Outcome.WIN)
    shares = tuple({Outcome.WIN: float(name == said), Outcome.TIE: 1 / len(offered)}.get(outcome, 0.0) for name in offered)
    return ChoiceRow(
        session=session, turn=turn, profile=session.partition(".")[0], rater=rater, offered=offered, outcome=outcome, shares=shares
    )


def ask(supervisor: Supervisor, session: str, texts: Mapping[str, str], *, rater: str = "judge", repeats: int = 0) -> ChoiceRow:
    """Ask a supervisor in all cyclic orders; the commonest verdict counts, and a tie where all differ."""
    names = tuple(texts)
    ballots = []
    for order in range(len(names)):
        shown = names[order:] + names[:order]
        ballots += [ballot_of(supervisor(shown, texts), shown, order=order, repeat=repeat) for repeat in range(1 + repeats)]
    said = Counter(
        one.shown[one.picked] if one.outcome is Outcome.WIN else next(word for word, outcome in OUTCOMES.items() if outcome is one.outcome)
        for one in ballots
        if one.repeat == 0
    )
    word, votes = said.most_common(1)[0]
    row = row_of(word if votes > 1 else "tie", rater=rater, session=session, offered=names)
    return replace(row, texts=tuple(texts.values()), ballots=tuple(ballots))


def replies(seed: int) -> dict[str, str]:
    """Three replies of three different lengths."""
    sizes = random.Random(seed).sample(range(5, 80), len(COUNSELORS))
    return {name: "我" * size for name, size in zip(COUNSELORS, sizes, strict=True)}


def card_of(supervisor: Supervisor, *, sessions: int = 30, repeats: int = 0) -> RaterCard:
    rows = [ask(supervisor, f"client {number}", replies(number), repeats=repeats) for number in range(sessions)]
    (card,) = judge(ChoiceLog(rows=rows)).raters
    return card


def test_a_supervisor_that_picks_the_first_slot_is_found_out() -> None:
    card = card_of(first_slot)
    assert [share.share for share in card.slot_shares] == [1.0, 0.0, 0.0]
    assert [(share.slot, share.picks, share.shown) for share in card.slot_shares] == [(1, 90, 90), (2, 0, 90), (3, 0, 90)]
    assert (card.consistent, card.in_orders) == (0, 30)
    assert card.slot_chi2 == pytest.approx(180)  # (60² + 30² + 30²) / 30
    assert card.slot_p == pytest.approx(math.exp(-90))
    assert card.longest_wins is None  # three votes for three counselors: nobody won


def test_a_supervisor_that_picks_the_longest_is_found_out() -> None:
    card = card_of(longest)
    assert card.longest_wins == 1.0
    assert card.longest_by_chance == pytest.approx(1 / 3)
    assert (card.consistent, card.in_orders) == (30, 30)
    assert [share.picks for share in card.slot_shares] == [30, 30, 30]
    assert card.slot_p == pytest.approx(1.0)


@pytest.mark.parametrize(("supervisor", "sign"), [(longest, 1), (shortest, -1)])
def test_a_length_effect_without_bound_is_finite_and_has_no_interval(supervisor: Supervisor, sign: int) -> None:
    effect = card_of(supervisor).length_effect
    assert effect is not None
    assert effect.name == "log_length"
    assert 3 < sign * effect.logits < 20
    assert effect.interval is None


def test_a_length_effect_is_found_with_strengths_held_equal() -> None:
    lots = random.Random(5)
    rows = []
    for number in range(600):
        texts = replies(number)
        # Twice the weight at twice the length: one logit for one unit of log length. And psychat is better by one logit.
        weights = [len(text) * (math.e if name == "psychat" else 1) for name, text in texts.items()]
        winner = lots.choices(COUNSELORS, weights)[0]
        rows.append(replace(row_of(winner, session=f"client {number}"), texts=tuple(texts.values())))
    effect = judge(ChoiceLog(rows=rows)).raters[0].length_effect
    assert effect is not None
    assert effect.interval is not None
    assert effect.interval.low < 0.55 < effect.interval.high  # a standard deviation within a choice is 0.55 units of log length
    assert effect.interval.high - effect.interval.low < 0.5


def test_a_supervisor_that_draws_lots_shows_no_preference() -> None:
    card = card_of(drawing(1), sessions=100)
    assert card.slot_p is not None
    assert card.slot_p > 0.01
    assert card.longest_wins == pytest.approx(1 / 3, abs=0.15)
    assert card.length_effect is not None
    assert card.length_effect.interval is not None
    assert card.length_effect.interval.low < 0 < card.length_effect.interval.high


def test_gibberish_is_unscored_and_crashes_nothing() -> None:
    card = card_of(gibberish, repeats=1)
    assert (card.choices, card.unscored, card.ballots, card.invalid) == (30, 30, 90, 90)
    assert (card.slot_shares, card.slot_chi2, card.slot_p) == ((), 0.0, None)
    assert (card.consistent, card.in_orders, card.stable, card.repeated) == (0, 0, 0, 0)
    assert (card.longest_wins, card.longest_by_chance, card.length_effect, card.canary_miss_rate) == (None, None, None, None)


def test_where_each_counselor_has_one_length_it_cannot_be_told_from_strength() -> None:
    texts = dict(zip(COUNSELORS, ("我" * 10, "我" * 20, "我" * 30), strict=True))
    rows = [ask(longest, f"client {number}", texts) for number in range(20)]
    card = judge(ChoiceLog(rows=rows)).raters[0]
    assert card.longest_wins == 1.0
    assert card.length_effect is None


def test_two_longest_replies_tell_nothing_of_length() -> None:
    same = replace(row_of("mechat"), texts=("我我我", "啊啊啊", "啊"))
    ties = replace(row_of("tie"), texts=("我我我", "啊啊", "啊"))
    assert judge(ChoiceLog(rows=[same, ties])).raters[0].longest_wins is None
    told = replace(row_of("mechat"), texts=("我我 two words", "啊啊", "啊"))
    card = judge(ChoiceLog(rows=[same, ties, told])).raters[0]
    assert card.longest_wins == 1.0
    assert card.longest_by_chance == pytest.approx(1 / 3)


def test_the_longest_gets_its_part_where_a_rater_gives_probabilities() -> None:
    row = replace(row_of("mechat", offered=("mechat", "psychat")), shares=(0.75, 0.25), texts=("短", "长一些"))
    card = judge(ChoiceLog(rows=[row])).raters[0]
    assert (card.longest_wins, card.longest_by_chance) == (0.25, 0.5)


def test_repeats_tell_of_stability_and_count_in_nothing_else() -> None:
    ab, ba = ("mechat", "psychat"), ("psychat", "mechat")
    row = replace(
        row_of("mechat", offered=ab),
        ballots=(
            ballot_of("mechat", ab),
            ballot_of("mechat", ab, repeat=1),
            ballot_of("psychat", ab, repeat=2),
            ballot_of("", ab, repeat=3),  # no verdict: neither as before nor otherwise
            ballot_of("", ba, order=1),
            ballot_of("mechat", ba, order=1, repeat=1),  # there is nothing to compare it with
        ),
    )
    card = judge(ChoiceLog(rows=[row])).raters[0]
    assert (card.stable, card.repeated) == (1, 2)
    assert (card.ballots, card.invalid, card.in_orders) == (2, 1, 0)
    assert [share.picks for share in card.slot_shares] == [1, 0]


def test_ties_and_nones_are_verdicts_that_orders_can_agree_on() -> None:
    ab, ba = ("mechat", "psychat"), ("psychat", "mechat")

    def asked(said: str, turned: str) -> ChoiceRow:
        return replace(row_of("tie", offered=ab), ballots=(ballot_of(said, ab), ballot_of(turned, ba, order=1)))

    rows = [asked("tie", "tie"), asked("none", "none"), asked("tie", "none"), asked("mechat", "tie"), asked("mechat", "mechat")]
    card = judge(ChoiceLog(rows=rows)).raters[0]
    assert (card.consistent, card.in_orders) == (3, 5)
    assert [share.picks for share in card.slot_shares] == [2, 1]


def test_slots_are_tested_over_the_commonest_size_and_counted_over_all() -> None:
    pair = ("mechat", "psychat")
    ballots = [ballot_of("mechat", pair)] * 4 + [ballot_of("psychat", COUNSELORS)] * 3
    card = judge(ChoiceLog(rows=[replace(row_of("mechat"), ballots=tuple(ballots))])).raters[0]
    assert [(share.picks, share.shown) for share in card.slot_shares] == [(4, 7), (3, 7), (0, 3)]
    assert card.slot_chi2 == pytest.approx(4.0)
    assert card.slot_p == pytest.approx(0.0455003, abs=1e-6)


def test_canaries_are_counted_by_kind() -> None:
    canaries = [
        CanaryRow(rater="judge", kind="shuffled", caught=True),
        CanaryRow(rater="judge", kind="unsafe", caught=False),
        CanaryRow(rater="judge", kind="unsafe", caught=False),
        CanaryRow(rater="judge", kind="copy", caught=False),
        CanaryRow(rater="judge", kind="copy", caught=None),  # no verdict: neither caught nor missed
        CanaryRow(rater="another", kind="copy", caught=True),
    ]
    found = judge(ChoiceLog(rows=[row_of("mechat")], canaries=canaries))
    assert found.agreement is None  # who met canaries only judged nothing together with anybody
    another, card = found.raters
    assert (card.canaries, card.missed, card.missed_kinds) == (4, 3, {"copy": 1, "unsafe": 2})
    assert card.canary_miss_rate == 0.75
    assert (another.rater, another.choices, another.canary_miss_rate) == ("another", 0, 0.0)


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("local:qwen2.5-coder-1.5b", "qwen"),
        ("openai:gpt-4.1", "gpt"),
        ("openai:o3-mini", "gpt"),
        ("openai:chatgpt-4o-latest", "gpt"),
        ("deepseek:deepseek-chat", "deepseek"),
        ("openai:Qwen/Qwen2-7B-Instruct", "qwen"),
        ("dashscope:qwq-32b", "qwen"),
        ("ollama:qwen2.5:7b", "qwen"),
        ("Qwen/Qwen2-7B-Instruct", "qwen"),
        ("local:/models/Meta-Llama-3-8B.gguf", "llama"),
        ("local:C:\\models\\gemma-2.gguf", "gemma"),
        ("openai:simpsybot", "simpsybot"),
        ("openai:01-ai/", ""),
        ("script:qwen.txt", ""),
        ("", ""),
    ],
)
def test_a_models_family_is_read_from_its_name(model: str, family: str) -> None:
    assert family_of(model) == family


def test_a_rater_is_warned_of_counselors_of_its_own_family() -> None:
    models = {"judge": "dashscope:qwen-max", "mechat": "local:qwen2.5-1.5b", "psychat": "openai:gpt-4.1", "elsewhere": "local:qwen3"}
    card = judge(ChoiceLog(rows=[row_of("mechat")], models=models)).raters[0]
    assert (card.model, card.own_family) == ("dashscope:qwen-max", ("mechat",))


def test_people_and_scripts_have_no_family() -> None:
    for models in ({}, {"judge": "script:a", "mechat": "script:a"}):
        assert judge(ChoiceLog(rows=[row_of("mechat")], models=models)).raters[0].own_family == ()


def test_one_rater_agrees_with_nobody_and_an_empty_log_has_no_raters() -> None:
    assert judge(ChoiceLog(rows=[row_of("mechat")])).agreement is None
    empty = judge(ChoiceLog(rows=[]))
    assert (empty.raters, empty.agreement) == ((), None)


def pair_of_raters(verdicts: Sequence[tuple[str, str]]) -> ChoiceLog:
    """Two raters' verdicts, each turn with a client of its own."""
    return ChoiceLog(
        rows=[
            row_of(said, rater=rater, session=f"client {n}")
            for n, pair in enumerate(verdicts)
            for rater, said in zip("ab", pair, strict=True)
        ]
    )


def test_agreement_is_over_what_two_or_more_judged() -> None:
    found = judge(pair_of_raters([("mechat", "mechat"), ("tie", "tie"), ("none", "tie"), ("", "mechat"), ("psychat", "psychat")])).agreement
    assert found is not None
    assert (found.raters, found.items, found.raw) == (("a", "b"), 4, 0.75)
    assert found.kappa == pytest.approx((4 * 3 - 4) / (16 - 4))  # 1·1 + 1·2 + 0 + 1·1 by chance
    assert found.alpha == pytest.approx(1 - 7 * 2 / (64 - 4 - 9 - 1 - 4))
    assert (found.alpha_interval, found.kappa_interval) == (None, None)  # four clients are too few


def test_verdicts_on_other_sets_of_replies_are_no_disagreement() -> None:
    rows = [
        row_of("mechat", rater="a", offered=("mechat", "psychat")),
        row_of("soulchat", rater="b", offered=("mechat", "soulchat")),
        row_of("mechat", rater="b", offered=("psychat", "mechat")),  # the same set, told in another order
        row_of("psychat", rater="b", offered=("psychat", "mechat")),  # said later of the same: the first counts
        row_of("mechat", rater="a", turn=3),
    ]
    found = judge(ChoiceLog(rows=rows)).agreement
    assert found is not None
    assert (found.items, found.raw) == (1, 1.0)


def test_raters_who_never_met_have_no_agreement() -> None:
    found = judge(ChoiceLog(rows=[row_of("mechat", rater="a"), row_of("mechat", rater="b", turn=3)])).agreement
    assert found is not None
    assert (found.items, found.alpha, found.kappa, found.raw) == (0, None, None, None)


def test_agreement_has_intervals_over_clients_that_a_seed_repeats() -> None:
    lots = random.Random(2)
    verdicts = [(said, said if lots.random() < 0.7 else lots.choice(COUNSELORS)) for said in lots.choices(COUNSELORS, k=200)]
    log = pair_of_raters(verdicts)
    found = judge(log, seed=1).agreement
    assert found is not None
    assert found.alpha is not None
    assert found.alpha_interval is not None
    assert found.kappa_interval is not None
    assert found.alpha_interval.low < found.alpha < found.alpha_interval.high
    assert found.kappa == pytest.approx(found.alpha, abs=0.01)
    assert judge(log, seed=1) == judge(log, seed=1)
    assert judge(log, seed=2).agreement != found


def test_where_raters_always_say_the_same_one_thing_there_is_no_interval() -> None:
    found = judge(pair_of_raters([("mechat", "mechat")] * 20)).agreement
    assert found is not None
    assert (found.items, found.raw, found.alpha, found.alpha_interval, found.kappa) == (20, 1.0, None, None, None)


@given(st.lists(st.sampled_from([*COUNSELORS, "tie", "none", ""]), max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_a_log_changes_nothing(verdicts: list[str], lots: random.Random) -> None:
    rows = [
        replace(row_of(said, rater=f"rater {n % 3}", session=f"client {n // 3}"), texts=tuple(replies(n).values()))
        for n, said in enumerate(verdicts)
    ]
    mixed = rows.copy()
    lots.shuffle(mixed)
    one, other = judge(ChoiceLog(rows=rows)), judge(ChoiceLog(rows=mixed))
    assert one.agreement == other.agreement
    for card, again in zip(one.raters, other.raters, strict=True):
        assert replace(card, length_effect=None) == replace(again, length_effect=None)
        if card.length_effect is not None:
            assert again.length_effect is not None
            assert again.length_effect.logits == pytest.approx(card.length_effect.logits, abs=1e-9)
