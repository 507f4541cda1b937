"""Who may go on, and until when: turns are accepted, risks labelled, endings found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from practicum.core import Ending, EndingPolicy, Speaker, Turn, Utterance
from practicum.errors import BackendError
from practicum.measures import find_risks, paper_ending, says_goodbye


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRules:
    """How long a session may be and what ends it."""

    max_exchanges: int = 50
    """A client turn and the counselor's answer each; the opening belongs to the first. At least 1."""
    ending: EndingPolicy = EndingPolicy.MUTUAL
    min_exchanges: int = 3
    """Goodbyes before this exchange do not count (policy `mutual`)."""
    stop_on_risk: bool = False
    """End the session at the first turn that trips the risk detector."""


class Moderator:
    """Watches one session. What it knows follows from the turns alone, so that a resumed session is watched alike."""

    __slots__ = ("_farewells", "_last", "_rules", "_turns", "risks")

    def __init__(self, rules: SessionRules, *, risks: Sequence[str] = ()) -> None:
        """Watch a session under `rules`; `risks` are the kinds found in the client's profile."""
        self._rules = rules
        self._turns = 0
        self._last: Turn | None = None
        self._farewells: frozenset[Speaker] = frozenset()
        self.risks = frozenset(risks)
        """Kinds of risk found so far: in the profile, then in any turn."""

    def accept(self, index: int, speaker: Speaker, utterance: Utterance, at: float) -> Turn:
        """Turn an utterance into the turn at `index`, risks labelled.

        Raises:
            BackendError: It says nothing.
        """
        text = utterance.text.strip()
        if not text:
            raise BackendError(f"the {speaker} said nothing at turn {index}", kind="empty")
        risks = find_risks(text)
        state = {**utterance.state, "risk": [str(risk) for risk in risks]} if risks else utterance.state
        return Turn(
            index=index,
            speaker=speaker,
            text=text,
            call=utterance.call,
            state=state,
            prompt_tokens=utterance.prompt_tokens,
            completion_tokens=utterance.completion_tokens,
            at=at,
        )

    def observe(self, turn: Turn) -> None:
        """Take in a turn that is part of the session now; in order, each once."""
        self._turns += 1
        self._last = turn
        if turn.state:
            self.risks |= frozenset(turn.state.get("risk", ()))
        if self._rules.ending is EndingPolicy.MUTUAL and turn.index // 2 + 1 >= self._rules.min_exchanges and says_goodbye(turn.text):
            self._farewells |= {turn.speaker}

    def find_ending(self) -> Ending | None:
        """Return why the session is over, or None if it goes on."""
        turn = self._last
        if turn is None:
            return None
        if self._rules.stop_on_risk and turn.state and turn.state.get("risk"):
            return Ending.SAFETY_STOP
        if len(self._farewells) == len(Speaker):
            return Ending.CLOSED
        if self._rules.ending is EndingPolicy.PAPER and turn.speaker is Speaker.COUNSELOR and paper_ending(turn.text):
            return Ending.COUNSELOR_CLOSED
        return Ending.TURN_LIMIT if self._turns >= 2 * self._rules.max_exchanges else None
