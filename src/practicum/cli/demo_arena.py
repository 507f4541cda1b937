"""`practicum demo --arena`: a complete small arena on a model that fits on any machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from practicum.core import Ending, Language, Turn

if TYPE_CHECKING:
    from practicum.build import ArenaPlan

CLIENTS = 2
MEMBERS: Mapping[Language, Mapping[str, str]] = {
    "zh": {"整合取向": "integrative", "以人为中心": "person-centred", "爱说教（故意做差）": "lecturing"},
    "en": {"integrative": "integrative", "person-centred": "person-centred", "lecturing (bad on purpose)": "lecturing"},
}
"""What the table calls them, to the bundled prompts that they follow."""
WORTH: Mapping[Language, str] = {
    "zh": "请记住：1.5B 的小模型做督导，几乎和掷骰子差不多；这张表演示的是流程，不是结论。",
    "en": "Keep in mind: a 1.5B supervisor is little better than dice. This table shows how it works; it says nothing about counselors.",
}


def hold_demo_arena(language: Language, client: str, counselor: str, db: str, max_exchanges: int) -> int:
    """Hold the arena, print card and table, write plots; return the exit status.

    Args:
        language: Of the sessions.
        client: The client's model.
        counselor: The model of the three counselors and of the supervisor.
        db: The store.
        max_exchanges: Most exchanges of a session.
    """
    from practicum.arena import read_arena_config
    from practicum.build import plan_arena
    from practicum.cli.arena import hold_and_rank
    from practicum.cli.demo import FOLDER
    from practicum.cli.rank import write_tables
    from practicum.dataset import bundled_profiles

    flags: dict[str, Any] = {
        "client": _chair(client),
        "members": {name: _chair(counselor) | {"prompt": f"bundled:{prompt}"} for name, prompt in MEMBERS[language].items()},
        "supervisors": {"督导" if language == "zh" else "supervisor": {"model": counselor, "max_tokens": 200}},
        "orders": "one",
        "max_exchanges": max_exchanges,
        "language": language,
        "canaries": 0.3,  # of six choices: enough to see one
        "split": "test",
        # One session at a time: what is said can be followed, and two would be no faster on a CPU.
        "local": {"slots": len(MEMBERS[language]) + 2, "context": 4096},
    }
    plan = plan_arena(read_arena_config(flags), bundled_profiles(language)[:CLIENTS], db=db, settings={"profiles": "bundled"})
    status = hold_and_rank(plan, db, watcher=_Narrator(plan, language))
    if not status:
        write_tables(plan.name, db, FOLDER / "rank")
    print(f"\n{WORTH[language]}")
    return status


class _Narrator:
    """Tells who was chosen, turn by turn; a `Watcher`."""

    def __init__(self, plan: ArenaPlan, language: Language) -> None:
        self._names = {seat.participant.digest: name for name, seat in plan.members.items()}
        self._numbers = {key: number for number, key in enumerate(plan.meetings, start=1)}
        self._language: Language = language

    def turn(self, session: str, turn: Turn) -> None:
        """Print a turn under its session's number; of a counselor's, who it is and whether it was drawn."""
        from practicum.cli.transcript import print_turn

        decision = turn.state.get("arena")
        drawn = " ?" if decision and decision["drawn"] else ""
        who = f" {self._names[decision['went_on']]}{drawn}" if decision else ""
        print(f"[{self._numbers[session]}{who}] ", end="")
        print_turn(turn, self._language)

    def ended(self, session: str, ending: Ending | None) -> None:
        """Say nothing: the summary does."""


def _chair(model: str) -> dict[str, Any]:
    from practicum.cli.demo import LOCAL_SETTINGS

    return {"model": model, **(LOCAL_SETTINGS if model.startswith("local:") else {})}
