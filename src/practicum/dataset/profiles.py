"""Client profiles: read from the formats that people have, checked row by row, described."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from practicum.core import Language, Profile, Split, guess_language, text_digest
from practicum.dataset.profile_files import RawRow, Unreadable, parse_rows, read_rows
from practicum.dataset.texts import clean_story, clip
from practicum.errors import ProfileError


class Lengths(TypedDict):
    """Characters of a story."""

    min: int
    median: int
    """The upper of the two in the middle, where there are two."""
    max: int


class ProfilesDescription(TypedDict):
    """What `practicum profiles check` shows; JSON-like."""

    count: int
    languages: Mapping[str, int]
    lengths: Lengths
    splits: Mapping[str, int]
    """`none` counts the profiles without a split."""
    risky: int
    """Profiles that speak of some risk."""
    risks: Mapping[str, int]
    """Kinds of risk; a profile counts under each that it speaks of."""
    duplicates: int
    """Stories that stand more than once, beyond the first; 0 for what `read_profiles` returns."""


def read_profiles(path: Path, *, language: Language | None = None, split: Split | None = None) -> list[Profile]:
    """Read profiles from a file or folder, in its order.

    Formats, by suffix: `.json` (a list of stories, as the origin's, or of objects), `.jsonl` (an object or a story a
    line), `.csv` (a header with at least `text`; facts in columns `facts.NAME`), `.txt` (one story; its name is the id), or
    a folder of such `.txt` files. Objects have `text` and may have `id`, `language`, `facts`, `source` and `split`; anything
    else is refused. White space around a story is dropped.

    Args:
        path: The file or folder.
        language: The language of every profile, whatever the file says; else each row's own, else a guess from its text.
        split: The split of every profile whose row names none; a row's own stands, so that a test profile stays one.

    Returns:
        At least one profile; no two share an id or a story.

    Raises:
        ProfileError: The file cannot be used; `problems` has one line for each bad or repeated row.
    """
    return _check_rows(read_rows(path), str(path), language, split)


def bundled_profiles(language: Language) -> list[Profile]:
    """Return the profiles that come with the package: our own stories, free to use and to share."""
    from importlib.resources import files  # loads zipfile and tempfile: only where it is used

    name = f"profiles.{language}.jsonl"
    data = files("practicum.dataset").joinpath("bundled", name).read_bytes()
    return _check_rows(parse_rows(data, Path(name)), name, None, None)


def describe_profiles(profiles: Sequence[Profile]) -> ProfilesDescription:
    """Count what stands in at least one profile: languages, lengths, splits, risks."""
    from practicum.measures import find_risks  # compiles its phrase lists: only where it is used

    lengths = sorted(len(profile.text) for profile in profiles)
    found = [set(find_risks(profile.text)) for profile in profiles]
    return {
        "count": len(profiles),
        "languages": _tally(profile.language for profile in profiles),
        "lengths": {"min": lengths[0], "median": lengths[len(lengths) // 2], "max": lengths[-1]},
        "splits": _tally(profile.split or "none" for profile in profiles),
        "risky": sum(bool(kinds) for kinds in found),
        "risks": _tally(str(kind) for kinds in found for kind in kinds),
        "duplicates": len(profiles) - len({profile.digest for profile in profiles}),
    }


def _tally(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _check_rows(rows: Sequence[RawRow], name: str, language: Language | None, split: Split | None) -> list[Profile]:
    if not rows:
        raise ProfileError(f"{name}: holds no profiles")
    profiles: list[Profile] = []
    problems: list[str] = []
    texts: dict[str, str] = {}
    ids: dict[str, str] = {}
    for where, value in rows:
        try:
            profile = _profile_of(value, language, split)
        except ValueError as error:
            problems.append(f"{where}: {error}")
            continue
        if (first := texts.setdefault(profile.text, where)) != where:
            problems.append(f"{where}: the same text as {first}")
        elif (first := ids.setdefault(profile.id, where)) != where:
            problems.append(f"{where}: the same id {clip(profile.id)} as {first}")
        profiles.append(profile)
    if problems:
        raise ProfileError(f"{name}: {len(problems):,} of {len(rows):,} rows cannot be used", problems)
    return profiles


def _profile_of(value: object, language: Language | None, split: Split | None) -> Profile:
    """Make a profile of one row, or raise a ValueError of one line."""
    match value:
        case str():
            try:
                text = clean_story(value)
            except ValueError as error:
                raise ValueError(f"text {error}") from error
            # No pydantic here: a plain list of 1,000 stories takes a few milliseconds and no import.
            return Profile(id=text_digest(text), text=text, language=language or guess_language(text), split=split)
        case dict():
            from practicum.dataset.profile_row import parse_row

            return parse_row(value).profile(language, split)
        case Unreadable(reason):
            raise ValueError(reason)
        case _:
            raise ValueError(f"expected a story or an object with 'text', got {clip(value)}")
