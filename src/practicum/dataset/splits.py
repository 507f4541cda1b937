"""Who is learnt from and who is tested on: by client, never by session."""

from __future__ import annotations

from collections.abc import Sequence

from practicum.core import Split, fixed_draw
from practicum.dataset.curate_config import SplitConfig

STRICTEST: Sequence[Split] = ("test", "dev", "train")
"""Where one client's conversations say different things, the first of these stands for all."""


def place(group: str, config: SplitConfig) -> Split:
    """Return a client's split: a fixed hash of the client and the salt, so that other clients have no part in it.

    A larger share moves clients out of train only, never back.
    """
    drawn = fixed_draw(group, config.salt)
    if drawn < config.test:
        return "test"
    # From the other end, so that a change of one share does not move clients between the other two.
    return "dev" if drawn >= 1 - config.dev else "train"


def settle(said: Sequence[Split | None], group: str, config: SplitConfig) -> Split:
    """Return the split of all conversations of one client.

    Args:
        said: What their profiles or corpora say.
        group: The client's digest.
        config: The shares.
    """
    return next((split for split in STRICTEST if split in said), None) or place(group, config)
