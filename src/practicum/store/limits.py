"""How many files and sockets this process may have open."""

from __future__ import annotations

import resource

from practicum.errors import ConfigError


def raise_open_files(needed: int) -> int:
    """Raise the soft limit of open files to the hard one and return it.

    Args:
        needed: Files and connections that the run will hold open at once.

    Raises:
        ConfigError: Even the hard limit is below `needed`.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS says "infinite" and then refuses it.
    target = max(soft, needed) if hard == resource.RLIM_INFINITY else hard
    if soft not in (target, resource.RLIM_INFINITY):
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
    if target < needed:
        raise ConfigError(
            f"this run needs {needed} open files, the system allows {target}; "
            f"lower --at-once, or raise the hard limit (`ulimit -Hn {needed}` as root)"
        )
    return target
