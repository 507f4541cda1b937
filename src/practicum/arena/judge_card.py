"""How far the raters can be trusted: slots, orders, repeats, length, canaries, family, and agreement with each other."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from practicum.arena.covariates import effects, fit_covariates, scaled
from practicum.arena.log import BallotRow, CanaryRow, ChoiceLog, ChoiceRow
from practicum.arena.results import MIN_CLUSTERS, Agreement, Effect, Interval, JudgeCard, RaterCard, SlotShare
from practicum.arena.table import ChoiceTable, judged
from practicum.core import Outcome
from practicum.measures import chi_square_p, chinese_characters, english_words
from practicum.measures.agreement import Parts, alpha_parts, bootstrap_interval, kappa_parts, raw_parts

Said = tuple[str, str]
"""A verdict as far as two of them can be the same: its outcome, and the winner's name if there is one."""

_FAMILY = re.compile("[a-z]+")
_ALIASES = {
    "chatglm": "glm",
    "chatgpt": "gpt",
    "codegemma": "gemma",
    "codellama": "llama",
    "codestral": "mistral",
    "magistral": "mistral",
    "meta": "llama",
    "ministral": "mistral",
    "mixtral": "mistral",
    "o": "gpt",
    "qvq": "qwen",
    "qwq": "qwen",
    "tinyllama": "llama",
}
"""Other names of a family's models; `o` is what is left of o1 and o3, `meta` begins the full names of Llama models."""


def judge(log: ChoiceLog, *, seed: int = 0) -> JudgeCard:
    """Describe each rater of a log, and how far they agree.

    Args:
        log: Choices of one or several runs.
        seed: Of the bootstrap behind the intervals of agreement.

    Returns:
        One card for each rater, by name. Where nothing can be said there is None, never a guess: a rater without a single
        readable verdict has a card, too.

    References:
        Shi et al. (2024), Judging the Judges, arXiv 2406.07791 (slots, orders, repeats); Dubois et al. (2024),
        Length-Controlled AlpacaEval, arXiv 2404.04475.
    """
    rows: dict[str, list[ChoiceRow]] = defaultdict(list)
    for row in log.rows:
        rows[row.rater].append(row)
    canaries: dict[str, list[CanaryRow]] = defaultdict(list)
    for canary in log.canaries:
        canaries[canary.rater].append(canary)
    raters = sorted(rows.keys() | canaries.keys())
    texts = {text for row in log.rows for text in row.texts}
    sizes = {text: chinese_characters(text) + english_words(text) for text in texts}  # raters mostly judge the same texts
    return JudgeCard(
        raters=tuple(_describe(rater, rows[rater], canaries[rater], log.models, sizes) for rater in raters),
        agreement=_agreement(log.rows, seed) if len({row.rater for row in log.rows}) > 1 else None,
    )


def family_of(model: str) -> str:
    """Name the family of a model: who made it, as far as its name tells.

    Args:
        model: `BACKEND:NAME`; the name may be a path or begin with its vendor's name. Or "".

    Returns:
        The letters that the name begins with, in lower case (qwen2.5-coder-1.5b is of `qwen`), those of one family under one
        name; "" for scripts and for what begins with no letter. A model under a name of its own is its own family: what it was
        trained from is not guessed.
    """
    backend, colon, name = model.partition(":")
    if backend == "script":
        return ""
    path = (name if colon else backend).replace("\\", "/")
    found = _FAMILY.match(path.rstrip("/").rpartition("/")[2].lower())
    return _ALIASES.get(found[0], found[0]) if found else ""


def _describe(
    rater: str, rows: Sequence[ChoiceRow], canaries: Sequence[CanaryRow], models: Mapping[str, str], sizes: Mapping[str, int]
) -> RaterCard:
    """Fill one rater's card; `sizes` are the lengths of all texts, in Chinese characters and words."""
    first = [ballot for row in rows for ballot in row.ballots if ballot.repeat == 0]
    won = [ballot for ballot in first if ballot.outcome is Outcome.WIN]
    chi2, p = _slot_test(won)
    orders = [_in_orders(row) for row in rows]
    again = [same for row in rows for same in _repeats(row)]
    longest, chance = _longest_wins(rows, sizes)
    missed = Counter(canary.kind for canary in canaries if canary.caught is False)
    family = family_of(models.get(rater, ""))
    counselors = sorted({name for row in rows for name in row.offered})
    return RaterCard(
        rater=rater,
        model=models.get(rater, ""),
        choices=len(rows),
        ballots=len(first),
        invalid=sum(ballot.outcome is Outcome.UNSCORED for ballot in first),
        unscored=sum(row.outcome is Outcome.UNSCORED for row in rows),
        slot_shares=_slot_shares(won),
        slot_chi2=chi2,
        slot_p=p,
        consistent=orders.count(True),
        in_orders=len(orders) - orders.count(None),
        stable=sum(again),
        repeated=len(again),
        longest_wins=longest,
        longest_by_chance=chance,
        length_effect=_length_effect(rows, sizes),
        canaries=sum(canary.caught is not None for canary in canaries),
        missed=missed.total(),
        missed_kinds=dict(sorted(missed.items())),
        own_family=tuple(name for name in counselors if family and family_of(models.get(name, "")) == family),
    )


def _slot_shares(won: Sequence[BallotRow]) -> tuple[SlotShare, ...]:
    picks = Counter(ballot.picked for ballot in won)
    shares = []
    for slot in range(max((len(ballot.shown) for ballot in won), default=0)):
        shown = sum(len(ballot.shown) > slot for ballot in won)
        shares.append(SlotShare(slot=slot + 1, picks=picks[slot], shown=shown, share=picks[slot] / shown))
    return tuple(shares)


def _slot_test(won: Sequence[BallotRow]) -> tuple[float, float | None]:
    """Test by Pearson's chi-square whether all slots are picked alike; of two sizes equally common the larger is taken."""
    sizes = Counter(len(ballot.shown) for ballot in won)
    if not sizes:
        return 0.0, None
    size = max(sizes, key=lambda one: (sizes[one], one))
    picks = Counter(ballot.picked for ballot in won if len(ballot.shown) == size)
    expected = sizes[size] / size
    chi2 = sum((picks[slot] - expected) ** 2 for slot in range(size)) / expected
    return chi2, chi_square_p(chi2, size - 1)


def _said(ballot: BallotRow) -> Said:
    return ballot.outcome.value, ballot.shown[ballot.picked] if ballot.outcome is Outcome.WIN else ""


def _in_orders(row: ChoiceRow) -> bool | None:
    """Tell whether the readable first askings all found the same; None if fewer than two orders could be read."""
    readable = [ballot for ballot in row.ballots if ballot.repeat == 0 and ballot.outcome is not Outcome.UNSCORED]
    if len({ballot.shown for ballot in readable}) < 2:
        return None
    return len({_said(ballot) for ballot in readable}) == 1


def _repeats(row: ChoiceRow) -> Iterator[bool]:
    """Tell of each repeat whether it was answered like the first asking, where both can be read."""
    readable = [ballot for ballot in row.ballots if ballot.outcome is not Outcome.UNSCORED]
    first = {ballot.order: _said(ballot) for ballot in readable if ballot.repeat == 0}
    for ballot in readable:
        if ballot.repeat and ballot.order in first:
            yield _said(ballot) == first[ballot.order]


def _longest_wins(rows: Iterable[ChoiceRow], sizes: Mapping[str, int]) -> tuple[float | None, float | None]:
    """Return the longest reply's share of the wins and what chance would give; choices with two longest are left out."""
    shares, chances = [], []
    for row in rows:
        if row.outcome is Outcome.WIN and row.texts:
            lengths = [sizes[text] for text in row.texts]
            longest = max(lengths)
            if lengths.count(longest) == 1:
                shares.append(row.shares[lengths.index(longest)])
                chances.append(1 / len(lengths))
    if not shares:
        return None, None
    return math.fsum(shares) / len(shares), math.fsum(chances) / len(chances)


def _length_effect(rows: Iterable[ChoiceRow], sizes: Mapping[str, int]) -> Effect | None:
    """Estimate what a standard deviation of log length is worth to this rater, strengths held equal.

    Returns:
        None where no text is known, or where length and strength cannot be told apart: each counselor has one length of its
        own. Without an interval where the longest always won, or the shortest: the effect has no bound then, and is only held
        by the model's prior.
    """
    known = [row for row in rows if row.scored and row.texts]
    lengths_of: dict[str, set[int]] = defaultdict(set)
    extremes = []
    for row in known:
        lengths = [sizes[text] for text in row.texts]
        for name, length in zip(row.offered, lengths, strict=True):
            lengths_of[name].add(length)
        won = [length for length, share in zip(lengths, row.shares, strict=True) if share]
        extremes.append((min(won) == max(lengths), max(won) == min(lengths)))
    table, varies = scaled(ChoiceTable.of(known, features=lambda row: [[math.log1p(sizes[text])] for text in row.texts]))
    if not varies.any() or all(len(lengths) == 1 for lengths in lengths_of.values()):
        return None
    (effect,) = effects(fit_covariates(table, "profile"), ["log_length"])
    unbounded = any(all(always) for always in zip(*extremes, strict=True))
    return replace(effect, interval=None) if unbounded else effect


def _verdict(row: ChoiceRow) -> Said:
    winner = row.offered[row.shares.index(max(row.shares))] if row.outcome is Outcome.WIN else ""
    return row.outcome.value, winner


def _agreement(rows: Iterable[ChoiceRow], seed: int) -> Agreement:
    """Compare the verdicts of raters who judged the same replies; of one rater's on the same, the first counts."""
    verdicts: dict[tuple[str, int, tuple[str, ...]], dict[str, Said]] = defaultdict(dict)
    profiles = {}
    raters = set()
    for row in rows:
        raters.add(row.rater)
        if row.outcome is not Outcome.UNSCORED:
            item = judged(row)
            verdicts[item].setdefault(row.rater, _verdict(row))
            profiles[item] = row.profile
    items = [item for item, said in verdicts.items() if len(said) > 1]
    codes = {said: code for code, said in enumerate(sorted({said for item in items for said in verdicts[item].values()}))}
    ratings = np.full((len(raters), len(items)), np.nan)
    for line, rater in enumerate(sorted(raters)):
        for column, item in enumerate(items):
            if rater in verdicts[item]:
                ratings[line, column] = codes[verdicts[item][rater]]
    clusters = [profiles[item] for item in items]

    def interval_of(parts: Parts) -> Interval | None:
        if len(set(clusters)) < MIN_CLUSTERS:
            return None
        found = bootstrap_interval(parts.statistic, parts.items, clusters=clusters, seed=seed)
        return None if found is None else Interval(*found)

    alpha, kappa = alpha_parts(ratings), kappa_parts(ratings)
    return Agreement(
        raters=tuple(sorted(raters)),
        items=len(items),
        alpha=alpha.value(),
        alpha_interval=interval_of(alpha),
        kappa=kappa.value(),
        kappa_interval=interval_of(kappa),
        raw=raw_parts(ratings).value(),
    )
