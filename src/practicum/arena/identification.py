"""Whether choices determine strengths at all, and who is to blame if not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from practicum.arena.table import Flags, Floats
from practicum.errors import NotIdentifiedError

_PREFIX = "the choices do not determine strengths"


def reaches(links: Flags) -> Flags:
    """Close graphs transitively.

    Args:
        links: (..., K, K): whether there is a step from one to another.

    Returns:
        (..., K, K): whether there is a way; everyone reaches itself.
    """
    count = links.shape[-1]
    reach: Flags = links | np.eye(count, dtype=np.bool_)
    for _ in range(count.bit_length()):
        # float: a product of booleans is no BLAS product and a hundred times slower
        reach = (reach.astype(np.float32) @ reach.astype(np.float32)) > 0
    return reach


def beats(wins: Floats, members: Flags) -> Flags:
    """Tell who got a part of a win in a choice where another was offered, too.

    Args:
        wins: (..., S, K), see `Counts`; a batch may stand before.
        members: (S, K).

    Returns:
        (..., K, K): [i, j] is i over j.
    """
    won = (wins > 0).astype(np.float32)
    return (np.swapaxes(won, -1, -2) @ members.astype(np.float32)) > 0


def identified(wins: Floats, members: Flags) -> Flags:
    """Tell whether finite strengths of the greatest likelihood exist: everyone is over everyone else, if by others.

    Args:
        wins: (..., S, K).
        members: (S, K).

    Returns:
        (...): one answer for each of the batch.

    References:
        Ford (1957), American Mathematical Monthly 64(8); Hunter (2004), Annals of Statistics 32(1), assumption 1.
    """
    return np.asarray(reaches(beats(wins, members)).all(axis=(-1, -2)))


def require_identified(wins: Floats, members: Flags, counselors: Sequence[str]) -> None:
    """Refuse choices without finite strengths.

    Args:
        wins: (S, K).
        members: (S, K).
        counselors: K names.

    Raises:
        NotIdentifiedError: Names who never was in a scored choice, never met the rest, never won or never lost.
    """
    names = np.array(counselors, dtype=object)
    if not wins.any():
        raise NotIdentifiedError(f"{_PREFIX}: there is no win and no tie among them. Judge more sessions")
    idle = names[~members.any(axis=0)]
    if len(idle):
        raise NotIdentifiedError(f"{_PREFIX}: {_list(idle)} never was in a scored choice. Judge more sessions, or leave it out")
    over = beats(wins, members)
    near = reaches(over | over.T)
    if not near.all():
        main = near[np.argmax(near.sum(axis=1))]
        raise NotIdentifiedError(
            f"{_PREFIX}: {_list(names[~main])} never met {_list(names[main])}, nor anyone who did. "
            "Judge sessions where they meet, or rate them apart"
        )
    reach = reaches(over)
    same = reach & reach.T
    if not same.all():
        raise NotIdentifiedError(_one_sided(names, reach, same))


def _one_sided(names: np.ndarray[tuple[int], np.dtype[np.object_]], reach: Flags, same: Flags) -> str:
    """Name who never won and who never lost against the largest group in which everyone did both."""
    main = same[np.argmax(same.sum(axis=1))]
    never_won = ~main & ~(reach & ~same).any(axis=1)
    never_lost = ~main & ~(reach & ~same).any(axis=0)
    found = [f"{_list(names[who])} never {what} against the rest" for who, what in ((never_won, "won"), (never_lost, "lost")) if who.any()]
    return f"{_PREFIX}: {' and '.join(found)}. Judge more profiles until it does once (a tie is enough), or leave it out"


def _list(names: np.ndarray[tuple[int], np.dtype[np.object_]]) -> str:
    return ", ".join(repr(str(name)) for name in names)
