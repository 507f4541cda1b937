"""Keys and values of conversations: cut, padded, merged and taken apart again.

States are a pair of tensors a layer, (rows, heads, tokens, size), every row's tokens at its right end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

States = Sequence[tuple["Tensor", "Tensor"]]


def states_of(cache: Any) -> States:
    """Return what a `DynamicCache` holds, without copying."""
    return [(layer.keys, layer.values) for layer in cache.layers]


def cut(states: States | None, count: int) -> States | None:
    """Return the first `count` tokens of one row's states; None of none."""
    return states and [(keys[..., :count, :], values[..., :count, :]) for keys, values in states]


def merge(parts: Sequence[States]) -> States:
    """Put rows together, the shorter ones padded on their left."""
    import torch

    longest = max(part[0][0].shape[-2] for part in parts)
    padded = [[tuple(_pad(one, longest) for one in pair) for pair in part] for part in parts]
    return [(torch.cat([pair[0] for pair in layer]), torch.cat([pair[1] for pair in layer])) for layer in zip(*padded, strict=True)]


def join(parts: Sequence[States | None]) -> States:
    """Put rows together as `merge` does; of those that are None nothing is known yet, and they are padding all through."""
    model = next(part for part in parts if part is not None)
    nothing = [(keys[..., :0, :], values[..., :0, :]) for keys, values in model]
    return merge([nothing if part is None else part for part in parts])


def _pad(one: Tensor, length: int) -> Tensor:
    from torch.nn.functional import pad

    return pad(one, (0, 0, length - one.shape[-2], 0))


def split(states: States, past: int, known: Sequence[int], new: Sequence[int]) -> list[States]:
    """Take rows apart after a prompt: known tokens end at `past`, new ones at the right end, the rest is padding."""
    import torch

    return [
        [
            tuple(
                torch.cat([one[row : row + 1, :, past - before : past], one[row : row + 1, :, one.shape[-2] - after :]], dim=-2)
                for one in pair
            )
            for pair in states
        ]
        for row, (before, after) in enumerate(zip(known, new, strict=True))
    ]


def select(states: States, rows: Sequence[int], longest: int) -> States:
    """Return some rows, without the padding that no row of them needs."""
    import torch

    index = torch.tensor(rows, device=states[0][0].device)
    return [tuple(one[..., one.shape[-2] - longest :, :].index_select(0, index) for one in pair) for pair in states]


def hold(states: States, row: int, count: int) -> States:
    """Return a copy of one row's last `count` tokens: a view would keep the whole batch in memory."""
    return [tuple(one[row : row + 1, :, one.shape[-2] - count :].clone() for one in pair) for pair in states]
