"""Risk: what in a text speaks of suicide, self-harm, harm to others or abuse.

A first, deterministic detector: phrases and denials from `instruments/risk.<language>.toml`. It labels; it never judges
how great a risk is, and its silence proves nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from importlib.resources import files
from itertools import chain

from practicum.core import Language
from practicum.measures.cues import holds_any


class Risk(StrEnum):
    """A kind of risk; kept with turns and profiles by its value."""

    SUICIDE = "suicide"
    """Wishes to die, plans, attempts, passive wishes not to live; anyone's."""
    SELF_HARM = "self_harm"
    HARM_TO_OTHERS = "harm_to_others"
    ABUSE = "abuse"
    """Violence or sexual violence suffered or seen at home, in a couple, at school."""


@dataclass(frozen=True, slots=True)
class _Lexicon:
    """The phrases of one language, compiled."""

    may_hold: Callable[[str], object]
    """The first pre-filter: false where the text holds no cue."""
    any: re.Pattern[str]
    """All phrases: the second."""
    kinds: tuple[tuple[Risk, re.Pattern[str]], ...]
    negation: re.Pattern[str]
    denial: re.Pattern[str]
    """Negations and fillers, up to the end of what stands before a phrase."""
    withheld: re.Pattern[str]
    """After a phrase: the denial is of the courage only."""
    reach: int
    """Characters before a phrase that a denial may take."""

    def find(self, text: str) -> list[Risk]:
        if not self.may_hold(text) or not self.any.search(text):
            return []
        return [risk for risk, pattern in self.kinds if any(not self._denied(text, hit) for hit in pattern.finditer(text))]

    def _denied(self, text: str, hit: re.Match[str]) -> bool:
        """An odd number of negations leads up to the phrase: 没有想死 is denied, 不是不想死 and 没有自杀的勇气 are not."""
        lead = self.denial.search(text[max(0, hit.start() - self.reach) : hit.start()])
        return lead is not None and len(self.negation.findall(lead.group())) % 2 == 1 and not self.withheld.match(text, hit.end())


def _any_of(phrases: Iterable[str]) -> re.Pattern[str]:
    """Compile phrases grouped by their first character: a search then skips every place where no phrase can begin."""
    rests: dict[str, list[str]] = {}
    for phrase in phrases:
        rests.setdefault(phrase[0], []).append(phrase[1:])
    # A Latin phrase begins where a word does; the test stands after the character, or the search could not skip.
    return re.compile("|".join(f"{head}(?<![a-z]{head})(?:{'|'.join(rest)})" for head, rest in rests.items()))


@cache
def _lexicon(language: Language) -> _Lexicon:
    data = tomllib.loads(files("practicum.measures").joinpath("instruments", f"risk.{language}.toml").read_text("utf-8"))
    # English words are parted by spaces and begin at a boundary; Chinese ones are neither.
    edge, gap = (r"\b", r"\s+") if language == "en" else ("", "")
    negation, filler = ("|".join(data[name]) for name in ("negation", "filler"))
    phrases: dict[str, list[str]] = data["phrases"]
    return _Lexicon(
        may_hold=re.compile(f"[{cue}]").search if isinstance(cue := data["cue"], str) else partial(holds_any, cues=cue),
        any=_any_of(chain.from_iterable(phrases.values())),
        kinds=tuple((risk, _any_of(phrases[risk])) for risk in sorted(Risk)),
        negation=re.compile(f"{edge}(?:{negation})"),
        denial=re.compile(f"(?:{edge}(?:{negation})(?:{gap}(?:{filler}))*{gap})+$"),
        withheld=re.compile(data["withheld"]),
        reach=data["reach"],
    )


_LATIN = re.compile("[A-Za-z]{3}")


def find_risks(text: str) -> tuple[Risk, ...]:
    """Return the kinds of risk that the text speaks of, sorted, mostly none; both languages are read, whatever the session's.

    Denials (不想死, "never thought of killing myself") and idioms (累死了, "it hit me") are not risks. Whose risk it is, is not
    told apart: a friend's suicide and a counselor's question about it count.
    """
    found: list[Risk] = [] if text.isascii() else _lexicon("zh").find(text)
    if _LATIN.search(text):
        found += _lexicon("en").find(text.lower().replace("’", "'"))
    return tuple(sorted(set(found))) if found else ()
