"""Words of a profile in the mouth of somebody who has not been told.

No segmenter: a Chinese word is what two texts share, two characters and more. Ordinary words are left out by
`instruments/common_words.toml`, and so is what was said before, if only by its characters, one here and one there. English words are
told apart by their beginnings: marriage is no news after "married".
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from practicum.core import Language, Speaker
from practicum.measures.common_words import WORD, pairs_of, stem, telling_pairs, telling_stems


def untold_words(turns: Sequence[tuple[Speaker, str]], profile: str, language: Language) -> Iterator[tuple[int, list[str]]]:
    """Yield each counselor turn that has words of the profile which nobody said before, by its index, with those words.

    Args:
        turns: The whole conversation, in its order.
        profile: The client's story, and facts.
        language: The conversation's.
    """
    return _untold_english(turns, profile) if language == "en" else _untold_chinese(turns, profile)


def _untold_chinese(turns: Sequence[tuple[Speaker, str]], profile: str) -> Iterator[tuple[int, list[str]]]:
    theirs = telling_pairs(profile)
    said: set[str] = set()
    known: set[str] = set()
    for index, (speaker, text) in enumerate(turns):
        pairs = pairs_of(text)
        if speaker is Speaker.COUNSELOR:
            # A pair of characters that were both said is too near to what was told.
            new = {pair for pair in theirs.intersection(pairs) - said if pair[0] not in known or pair[1] not in known}
            if new:
                yield index, _merged(new, text)
        said.update(pairs)
        known.update(text)


def _merged(pairs: Container[str], text: str) -> list[str]:
    """Return the words of a text that such pairs cover, each once."""
    covered: list[tuple[int, int]] = []
    for start in range(len(text) - 1):
        if text[start : start + 2] in pairs:
            if covered and covered[-1][1] > start:
                covered[-1] = (covered[-1][0], start + 2)
            else:
                covered.append((start, start + 2))
    return list(dict.fromkeys(word for start, end in covered for word in _in_twos(text[start:end])))


def _in_twos(stretch: str) -> list[str]:
    """Most words have two characters: 装修公司 is two of them."""
    count = len(stretch) // 2
    return [stretch[2 * place : 2 * place + 2 if place < count - 1 else None] for place in range(count)]


def _untold_english(turns: Sequence[tuple[Speaker, str]], profile: str) -> Iterator[tuple[int, list[str]]]:
    theirs = telling_stems(profile)
    said: set[str] = set()
    for index, (speaker, text) in enumerate(turns):
        stems = {stem(word): word for word in WORD.findall(text.lower())}
        if speaker is Speaker.COUNSELOR:
            new = [word for stem, word in stems.items() if stem in theirs and stem not in said]
            if new:
                yield index, new
        said.update(stems)
