"""Of what has passed the gate: who is not in twice, who is not in the test set, and who goes where."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from practicum.core import Split
from practicum.dataset.curate_config import CurateConfig
from practicum.dataset.near import alike_any, clusters, earlier_alike
from practicum.dataset.pile import Pile, Refused
from practicum.dataset.sift import Loss
from practicum.dataset.splits import STRICTEST, settle


@dataclass(slots=True, kw_only=True)
class Selection:
    """What becomes of each conversation of a pile."""

    placed: dict[Split, list[int]] = field(default_factory=lambda: {split: [] for split in reversed(STRICTEST)})
    """Those to be written, in their order."""
    apart: list[int] = field(default_factory=list)
    """Those with a risk."""
    refused: list[Refused] = field(default_factory=list)
    clients: list[int] = field(default_factory=list)
    """Of each conversation: the number of the first client of its cluster …"""
    groups: list[str] = field(default_factory=list)
    """… and the digests of all clients, by number."""
    overlap_left: int = 0
    """Conversations to learn from that are still like one of a test set; more than 0 is a bug."""

    joined: int = 0
    """Clients that were counted as one with an earlier one, whose story is nearly theirs."""


def select(pile: Pile, test: Pile, config: CurateConfig) -> Selection:
    """Take out what overlaps with a test set, then what is in twice; give each client a split.

    Args:
        pile: What has passed.
        test: What must not be learnt from; may be empty.
        config: Thresholds and shares.
    """
    stories = np.concatenate([test.stories(), pile.stories()])
    begun = len(test.groups)
    roots = _one_root_a_client(clusters(stories, config.near_profile), [*test.groups, *pile.groups])
    selection = Selection(clients=[roots[begun + story] for story in pile.story], groups=[*test.groups, *pile.groups])
    selection.joined = len(pile.groups) - len({roots[begun + number] for number in range(len(pile.groups))})
    tested = {roots[number] for number in range(begun)}
    remaining = list(_outside(pile, test, tested, selection, config))
    remaining = list(_once(pile, remaining, selection, config))
    _place(pile, remaining, selection, config)
    selection.overlap_left = _overlap(pile, test, tested, selection, config)
    return selection


def _one_root_a_client(roots: Sequence[int], groups: Sequence[str]) -> list[int]:
    """Give a client that stands in both piles, whose story has two numbers, one root."""
    first: dict[str, int] = {}
    found: list[int] = []
    for number, group in enumerate(groups):
        found.append(first.setdefault(group, roots[number]))
    return found


def _outside(pile: Pile, test: Pile, tested: set[int], selection: Selection, config: CurateConfig) -> Iterator[int]:
    """Yield what is not in the test set."""
    digests = {passed.digest: index for index, passed in enumerate(test.passed)}
    near = alike_any(pile.texts(), test.texts(), config.near_duplicate)
    for index, passed in enumerate(pile.passed):
        twin = digests.get(passed.digest, near[index])
        if selection.clients[index] in tested:
            selection.refused.append(_refusal(pile, index, Loss.TEST_CLIENT, "its client is in the test set"))
        elif twin >= 0:
            selection.refused.append(_refusal(pile, index, Loss.TEST_TEXT, f"like {test.key(twin)} of the test set"))
        else:
            yield index


def _once(pile: Pile, remaining: Sequence[int], selection: Selection, config: CurateConfig) -> Iterator[int]:
    """Yield what is in for the first time. What is kept apart is compared with its like only."""
    apart = [bool(pile.passed[index].risk) and not config.include_risk for index in remaining]
    first: dict[tuple[bool, bytes], int] = {}
    near = earlier_alike(pile.texts()[list(remaining)], config.near_duplicate, apart)
    for place, index in enumerate(remaining):
        twin = first.setdefault((apart[place], pile.passed[index].digest), index)
        if twin != index:
            selection.refused.append(_refusal(pile, index, Loss.DUPLICATE, f"the same as {pile.key(twin)}"))
        elif near[place] >= 0:
            selection.refused.append(_refusal(pile, index, Loss.NEAR_DUPLICATE, f"nearly the same as {pile.key(remaining[near[place]])}"))
        else:
            yield index


def _refusal(pile: Pile, index: int, reason: Loss, detail: str) -> Refused:
    return Refused(index=pile.order[index], key=pile.key(index), reason=reason, detail=detail)


def _place(pile: Pile, remaining: Sequence[int], selection: Selection, config: CurateConfig) -> None:
    said: dict[int, set[Split | None]] = defaultdict(set)
    for index in remaining:
        said[selection.clients[index]].add(pile.passed[index].split)
    places = {client: settle(tuple(splits), selection.groups[client], config.split) for client, splits in said.items()}
    for index in remaining:
        if pile.passed[index].risk and not config.include_risk:
            selection.apart.append(index)
        else:
            selection.placed[places[selection.clients[index]]].append(index)


def _overlap(pile: Pile, test: Pile, tested: set[int], selection: Selection, config: CurateConfig) -> int:
    """Count, over what is to be written, those to learn from whose client or text is in a test set, the given one or our own."""
    learnt = [*selection.placed["train"], *selection.placed["dev"]]
    own = selection.placed["test"]
    if not test.passed and not own:
        return 0
    clients = tested | {selection.clients[index] for index in own}
    texts = pile.texts()
    near = alike_any(texts[learnt], np.concatenate([test.texts(), texts[own]]), config.near_duplicate)
    return sum(selection.clients[index] in clients or near[place] >= 0 for place, index in enumerate(learnt))


def count_reasons(refused: Sequence[Refused]) -> Counter[str]:
    """Return how many were dropped for each reason."""
    return Counter(one.reason.value for one in refused)
