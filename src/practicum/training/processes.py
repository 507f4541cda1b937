"""The processes of one training: `accelerate launch` starts one for each GPU, and tells each which it is."""

from __future__ import annotations

import os


def processes() -> int:
    """Return how many train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first_process() -> bool:
    """Tell whether this is the one that writes and speaks; true where there is no other."""
    return int(os.environ.get("RANK", "0")) == 0
