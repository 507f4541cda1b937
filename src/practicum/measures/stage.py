"""Stage directions inside a turn: （沉默）, *sighs*, （一段时间后）; the rest of the turn is speech."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files

_BRACKET = re.compile(
    r"（([^（）\n]{1,80})）|\(([^()\n]{1,80})\)|【([^【】\n]{1,80})】|\[([^\[\]\n]{1,80})\]|(?<![*\w])\*([^*\n]{1,80})\*(?![*\w])"
)
_OPENING = re.compile(r"[（(【\[*]")
_GAP = re.compile(r"[ \t]{2,}")


@cache
def _rules() -> tuple[int, re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    data = tomllib.loads(files("practicum.measures").joinpath("instruments", "stage.toml").read_text("utf-8"))
    return data["short"], re.compile(data["gesture"]), re.compile(data["spare"]), re.compile(data["session"])


def cut_stage_directions(text: str) -> str:
    """Return the text without its stage directions, stripped; what is only an aside (（我爸是装修公司的）) stays.

    A text without any is returned as it is.
    """
    if not _OPENING.search(text):
        return text
    cut = _BRACKET.sub(_kept, text)
    return text if cut == text else _GAP.sub(" ", cut).strip()


def _kept(bracket: re.Match[str]) -> str:
    inside = next(filter(None, bracket.groups())).strip()
    short, gesture, spare, session = _rules()
    latin = inside.isascii()
    gestures = len(inside) <= (3 * short if latin else short) and gesture.search(inside) and not spare.search(inside)
    return "" if gestures or session.search(inside) else bracket[0]
