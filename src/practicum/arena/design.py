"""Which counselors meet: every combination of a size, those with one of them, or a list."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from practicum.arena.orders import LABELS
from practicum.errors import ConfigError

Combination = tuple[str, ...]
"""Names of members, in the members' order."""


def find_combinations(spec: str, names: Sequence[str], size: int) -> list[Combination]:
    """Return the combinations that meet, each once.

    Args:
        spec: `all`, `with:NAME`, or a file with a combination of names a line, separated by commas.
        names: The members' names.
        size: How many meet; a file's lines have their own.

    Raises:
        ConfigError: There are too few members, or a name is nobody's.
    """
    if spec != "all" and not spec.startswith("with:"):
        return _read_file(Path(spec), names)
    if size > len(names):
        raise ConfigError(
            f"size: {size} counselors are to meet, but there are {len(names)} members; give --size {len(names)} or more --member"
        )
    found = list(combinations(names, size))
    if spec == "all":
        return found
    wanted = spec.removeprefix("with:")
    if wanted not in names:
        raise ConfigError(f"combinations: {spec!r} names nobody; expected with:NAME, NAME one of {', '.join(names)}")
    return [one for one in found if wanted in one]


def _read_file(path: Path, names: Sequence[str]) -> list[Combination]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"combinations {str(path)!r}: expected all, with:NAME or a file of names: {problem}") from None
    found: list[Combination] = []
    for number, line in enumerate(lines, start=1):
        wanted = [name.strip() for name in line.split(",") if name.strip()]
        if not wanted:
            continue
        where = f"combinations {path}, line {number}"
        if unknown := sorted(set(wanted) - set(names)):
            raise ConfigError(f"{where}: {', '.join(unknown)}: no such member; expected {', '.join(names)}")
        if len(set(wanted)) != len(wanted) or not 2 <= len(wanted) <= len(LABELS):
            raise ConfigError(f"{where}: {line.strip()!r}: expected 2 to {len(LABELS)} different names")
        one = tuple(name for name in names if name in wanted)
        if one not in found:
            found.append(one)
    if not found:
        raise ConfigError(f"combinations {path}: holds no combination; expected names separated by commas, a combination a line")
    return found
